"""What is wrong with an argument is said at once, with what would be right; the server."""

from collections.abc import Callable
from typing import Any

import pytest

import gear
from support.refusals import Refusal, case, refused

ANY: Any = 5
WORDS: Any = "x"
WRONG: Any = "no list"

PORT: Refusal = (gear.ConfigurationError, "a port is a number from 0 to 65535")


def started(**options: Any) -> None:
    """Start a server that should not start, and stop it."""
    gear.Server(0, **options).shutdown()


def set_to(**options: Any) -> None:
    """Make settings that are refused."""
    gear.ServerSettings(**options)


def about(name: str) -> Refusal:
    """Return a refusal that names the argument."""
    return (Exception, name)


REFUSED = [
    *(
        case(f"port {port!r}", lambda port=port: gear.Server(port).shutdown(), PORT)
        for port in (-1, 65536, "http", None, True)
    ),
    case(
        "host",
        lambda: started(host="no-such-host.example"),
        (gear.ConfigurationError, "cannot listen on no-such-host.example"),
    ),
    case(
        "keepalive",
        lambda: started(keepalive=True, tcp_keepidle=0),
        (gear.ConfigurationError, "keepalive_idle must be a whole number from 1"),
    ),
    *(
        case(name, lambda name=name: set_to(**{name: -1}), about(f"{name} must be a .* 1"))
        for name in ("backlog", "max_connections", "max_packet_size", "max_send_queue")
    ),
    case("handle prefix NUL", lambda: set_to(job_handle_prefix="a\0b"), about("1 to 63 bytes")),
    case("handle prefix", lambda: set_to(job_handle_prefix=5), (TypeError, "job_handle_prefix")),
    case(
        "statsd",
        lambda: started(statsd_host="no-such-host.example"),
        (gear.ConfigurationError, "no-such-host.example"),
    ),
    case("pattern", lambda: gear.ACLEntry("a", "("), (gear.ACLError, "regular expression")),
    case("no entry", lambda: gear.ACL().revokeInvoke("a"), (gear.ACLError, "no entry for a")),
    case(
        "host of another type",
        lambda: started(host=5),
        (TypeError, "host must be a non-empty string, not 5"),
    ),
    case("host NUL", lambda: started(host="a\0b"), about("not the name of a host")),
    *(
        case(name, lambda name=name: set_to(**{name: "x"}), (TypeError, name))
        for name in ("backlog", "max_packet_size", "max_send_queue", "job_retries", "worker_wakeup")
    ),
    case("retries", lambda: started(job_retries=-5), about("job_retries")),
    case("busy poll", lambda: set_to(busy_poll=-1), about("busy_poll")),
    case("wakeup", lambda: set_to(worker_wakeup=-1), about("worker_wakeup")),
    case(
        "handle prefix of words", lambda: set_to(job_handle_prefix="a b"), about("without spaces")
    ),
    case(
        "statsd port", lambda: started(statsd_host="127.0.0.1", statsd_port="x"), about("port is")
    ),
    case(
        "statsd port range",
        lambda: started(statsd_host="127.0.0.1", statsd_port=70000),
        about("port is"),
    ),
    case("acl", lambda: started(acl=WRONG), (TypeError, "acl .*gear.ACL or None, not str")),
    case("verbose", lambda: set_to(verbose=5), about("verbose")),
    case("server id", lambda: started(server_id=b"\xff"), about("server id")),
    case("entry", lambda: gear.ACLEntry(ANY), (TypeError, "a subject must be")),
    case("pattern type", lambda: gear.ACLEntry("a", ANY), (TypeError, "a pattern must be")),
    case("acl entry", lambda: gear.ACL().add(WRONG), (TypeError, "gear.ACLEntry, not str")),
]


@pytest.mark.parametrize(("call", "refusal"), REFUSED)
def test_what_a_server_is_made_of(call: Callable[[], object], refusal: Refusal) -> None:
    refused(call, refusal)


def waits_for(timeout: Any) -> Callable[[gear.Server], object]:
    return lambda server: server.waitFor(lambda: False, timeout)


CALLED = [
    case("waitFor", waits_for("x"), (TypeError, "a timeout is a number of seconds")),
    case(
        "drain",
        lambda server: server.drain(WORDS),
        (TypeError, "a timeout is a number of seconds"),
    ),
    case(
        "wakeConnections",
        lambda server: server.wakeConnections(ANY),
        (TypeError, "gear.ServerJob, not int"),
    ),
]


@pytest.mark.parametrize(("call", "refusal"), CALLED)
def test_what_is_called(call: Callable[[gear.Server], object], refusal: Refusal) -> None:
    server = gear.Server(0, host="127.0.0.1")
    try:
        refused(lambda: call(server), refusal)
    finally:
        server.shutdown()


def test_after_shutdown_everything_is_empty() -> None:
    server = gear.Server(0, host="127.0.0.1")
    server.shutdown()
    server.wakeConnections()
    assert (server.getQueue(), server.jobs, server.active_connections) == ([], {}, [])
    assert server.waitFor(lambda: False, 0) is False
    assert server.drain(0) is True
