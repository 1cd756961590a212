"""An access control list that is read again while workers are connected."""

import signal
from collections.abc import Callable
from pathlib import Path

import gear
from support.certificates import Authority
from support.geard_program import HOST, TIMEOUT, Geard

Start = Callable[..., Geard]
BEFORE = "[worker]\nregister = reverse\n[client]\ninvoke = .*\n[gone]\nsee = yes\n"
AFTER = "[worker]\nregister = rev\n[client]\ninvoke = .*\nsee = yes\n"


def test_a_worker_loses_what_the_new_file_does_not_allow(start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    files = {
        name: authority.issue(HOST, common_name=name) for name in ("server", "worker", "client")
    }
    acl = tmp_path / "acl"
    acl.write_text(BEFORE)
    key, cert, ca = files["server"]
    geard = start("--ssl-key", key, "--ssl-cert", cert, "--ssl-ca", ca, "--acl", str(acl))
    worker, client = gear.Worker("worker"), gear.Client("client")
    try:
        worker.addServer(HOST, geard.port, *files["worker"])
        client.addServer(HOST, geard.port, *files["client"])
        worker.waitForServer(TIMEOUT)
        client.waitForServer(TIMEOUT)
        worker.registerFunction("reverse")
        worker.getConnection().echo(b"", TIMEOUT)
        job = gear.Job("reverse", b"")
        client.submitJob(job)
        worker.getJob(TIMEOUT).sendWorkComplete(b"done")
        client.getConnection().echo(b"", TIMEOUT)

        acl.write_text(AFTER)
        geard.signal(signal.SIGHUP)
        geard.wait_for_log("Reloaded$")
        geard.wait_for_log(r"Unregistered b'reverse', which .* subject 'worker', may no longer")
        log = geard.log.read_text()
        assert "The access control list has now <ACLEntry for worker register=rev " in log
        assert (
            "has now <ACLEntry for client register=None invoke=.* grant=False admin=False see"
            in log
        )
        assert "has no longer <ACLEntry for gone " in log

        client.submitJob(gear.Job("reverse", b""), background=True)
        (function,) = status(client)
        assert function == "reverse\t1\t0\t0"
    finally:
        worker.shutdown()
        client.shutdown()


def status(client: gear.Client) -> list[str]:
    request = gear.StatusAdminRequest()
    client.getConnection().sendAdminRequest(request, TIMEOUT)
    assert isinstance(request.response, bytes)
    return request.response.decode().splitlines()[:-1]
