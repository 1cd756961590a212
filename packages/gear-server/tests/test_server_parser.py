"""geard's command line: what it takes, refuses and notes."""

import pytest

from gear_server.geard.foreign import FOREIGN, ForeignOption
from gear_server.geard.options import OPTIONS
from gear_server.geard.parser import Given, make_parser, parse
from gear_wire.errors import ConfigurationError

EXAMPLES = {
    "file_descriptors": "64", "port": "1", "backlog": "2", "keepalive_idle": "3",
    "keepalive_interval": "4", "keepalive_count": "5", "job_retries": "6", "worker_wakeup": "7",
    "grace": "8", "max_packet_size": "9", "max_send_queue": "10", "max_line_size": "11",
    "max_name_size": "12",
    "statsd_port": "12", "verbose": "INFO", "busy_poll": "13",
    "max_connections": "14", "max_connections_per_address": "15", "first_byte_timeout": "16",
    "packet_timeout": "17", "job_timeout": "18", "max_jobs": "19", "max_queue": "20",
    "queue_lease": "21", "queue_patience": "22",
    "max_memory": "21", "max_functions": "22", "max_functions_per_worker": "23",
    "max_registrations": "24", "queue": "sqlite:text", "queue_sync": "normal",
    "http": "25", "gearmand_http": "27", "metrics_functions": "26",
}  # fmt: skip


@pytest.mark.parametrize("attribute", OPTIONS)
def test_every_spelling_gives_the_option(attribute: str) -> None:
    option = OPTIONS[attribute]
    text = EXAMPLES.get(attribute, "text")
    value = option.from_text(text) if option.metavar else True
    for spelling in option.spellings:
        arguments = [spelling, text] if option.metavar else [spelling]
        assert parse(arguments).values == {attribute: value}, spelling


def test_nothing_given_is_nothing() -> None:
    given = parse([])
    assert given.values == {}
    assert given.notes == []


def test_the_command_line_of_gear_0_16() -> None:
    line = (
        "-d -p 4730 --listen-address 127.0.0.1 --log-config log.conf --pidfile pid --ssl-ca ca "
        "--ssl-cert cert --ssl-key key --acl acl --keepalive --keepalive-idle 60 "
        "--keepalive-interval 10 --keepalive-count 3"
    )
    assert parse(line.split()).values == {
        "foreground": True, "port": 4730, "host": "127.0.0.1", "log_config": "log.conf",
        "pid_file": "pid", "ssl_ca": "ca", "ssl_cert": "cert", "ssl_key": "key", "acl": "acl",
        "keepalive": True, "keepalive_idle": 60, "keepalive_interval": 10, "keepalive_count": 3,
    }  # fmt: skip


def test_the_command_line_of_gearmand() -> None:
    line = "-b 32 -f 64 -j 3 -l log -L localhost -p 4731 -P pid -q Builtin -R -t 4 -u nobody -w 1"
    given = parse([*line.split(), "--verbose=notice", "--hashtable-buckets=7", "--daemon"])
    assert given.values == {
        "backlog": 32, "file_descriptors": 64, "job_retries": 3, "log_file": "log",
        "host": "localhost", "port": 4731, "pid_file": "pid", "user": "nobody",
        "worker_wakeup": 1, "verbose": "NOTICE",
    }  # fmt: skip
    assert given.notes == [
        "-R is ignored: a worker's functions always take turns",
        "-t is ignored: one thread serves all connections",
        "--hashtable-buckets is ignored: hash tables grow as needed",
        "--daemon is ignored: geard is a daemon unless -d is given",
    ]


def test_gearmands_queue_in_a_file_of_sqlite() -> None:
    arguments = ["-q", "libsqlite3", "--libsqlite3-db", "/tmp/queue.db"]
    assert parse(arguments) == Given({"queue": "sqlite:/tmp/queue.db"}, [])
    given = parse([*arguments, "--libsqlite3-table", "jobs"])
    assert given.values == {"queue": "sqlite:/tmp/queue.db"}
    assert given.notes == [
        "--libsqlite3-table is ignored: gearmand's table is known by its columns"
    ]
    assert parse([*arguments, "--queue", "memory"]).values == {"queue": "memory"}
    with pytest.raises(ConfigurationError, match="-q libsqlite3 requires --libsqlite3-db"):
        parse(["-q", "libsqlite3"])


@pytest.mark.parametrize("value", ["sqlite:", "sqlite", "", "file:x", "postgres://x"])
def test_a_queue_is_in_memory_or_in_a_file(value: str) -> None:
    with pytest.raises(ConfigurationError, match="queue must be memory, sqlite:PATH or "):
        parse(["--queue", value])


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: foreign.spellings[-1])
def test_every_foreign_option_is_noted_or_refused_with_its_reason(foreign: ForeignOption) -> None:
    for spelling in foreign.spellings:
        arguments = [spelling, "1"] if foreign.metavar else [spelling]
        if foreign.translated and not foreign.values:
            assert parse(arguments) == Given({}, [])
            continue
        if foreign.taken:
            assert parse(arguments).notes == [f"{spelling} is ignored: {foreign.reason}"]
            continue
        with pytest.raises(ConfigurationError) as caught:
            parse(arguments)
        assert str(caught.value).startswith(spelling)
        assert str(caught.value).endswith(f"is not supported: {foreign.reason}")


def test_no_foreign_spelling_is_ours() -> None:
    ours = {spelling for option in OPTIONS.values() for spelling in option.spellings}
    assert ours.isdisjoint(spelling for foreign in FOREIGN for spelling in foreign.spellings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nope"], "unrecognized arguments: --nope; see geard --help"),
        (["word"], "unrecognized arguments: word; see geard --help"),
        (["-p"], "argument -p/--port: expected one argument; see geard --help"),
        (["--ssl=yes"], "argument --ssl: ignored explicit argument 'yes'; see geard --help"),
        (["--backlog", "x"], "backlog must be a whole number from 1 to 65535, not 'x'"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(arguments)
    assert str(caught.value) == message


def test_help_names_every_option_with_its_default() -> None:
    text = " ".join(make_parser().format_help().split())
    for option in OPTIONS.values():
        names = ", ".join(option.spellings)
        assert f"{names} {option.metavar}".rstrip() in text
    assert "port number or service name; 0 picks a free port" in text
    assert "GEARMAND_PORT (default: 4730)" in text
    assert "(default: 128 MiB)" in text
    assert "gearmand's -d means the opposite" in text
    assert "--threads N one thread serves all connections" in text
    assert "--mysql-host" not in text
