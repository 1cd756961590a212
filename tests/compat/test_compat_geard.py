"""The program geard with the options of gear 0.16, spelled as they were."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.certificates import Authority
from support.programs import DOCUMENTED_PORT, Programs, programs

GEARD = str(Path(sys.executable).with_name("geard"))
LOGGING = """\
[loggers]
keys=root
[handlers]
keys=file
[formatters]
keys=
[logger_root]
level=DEBUG
handlers=file
[handler_file]
class=FileHandler
args=({path!r},)
"""
ACL = """\
[ours]
register=do
invoke=do
grant=True
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the loopback network has one address"
)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Programs]:
    with programs(tmp_path) as running:
        yield running


def test_all_options_of_0_16_at_once(process: Programs, tmp_path: Path) -> None:
    files = Authority(tmp_path / "authority").issue(process.address, common_name="ours")
    log, pid, acl = tmp_path / "log", tmp_path / "pid", tmp_path / "acl"
    (tmp_path / "logging").write_text(LOGGING.format(path=str(log)))
    acl.write_text(ACL)
    options = [
        "-d", "-p", str(DOCUMENTED_PORT), "--listen-address", process.address,
        "--log-config", str(tmp_path / "logging"), "--pidfile", str(pid),
        "--ssl-ca", files.ca, "--ssl-cert", files.cert, "--ssl-key", files.key,
        "--acl", str(acl),
        "--keepalive", "--keepalive-idle", "60", "--keepalive-interval", "30",
        "--keepalive-count", "5",
    ]  # fmt: skip
    process.start_server(GEARD, *options)
    client, worker = gear.Client(), gear.Worker("w")
    worker.registerFunction("do")
    for end in (client, worker):
        end.addServer(process.address, DOCUMENTED_PORT, *files)
        end.waitForServer(20)
    job = gear.Job("do", b"")
    client.submitJob(job)
    worker.getJob(20).sendWorkComplete(b"done")
    assert job.result(20) == b"done"
    with pytest.raises(gear.ServerError, match="PERMISSION_DENIED"):
        client.submitJob(gear.Job("other", b""))
    for end in (client, worker):
        end.shutdown()
    assert int(pid.read_text()) > 0
    assert log.read_text()


def test_version_is_told() -> None:
    told = subprocess.run([GEARD, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.split()[-1].startswith("1.")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [(["-p", "http2"], "http2"), (["-p", "70000"], "70000"), (["--ssl-key", "/none"], "ssl")],
    ids=" ".join,
)
def test_what_cannot_be_is_told(options: list[str], complaint: str) -> None:
    """In 0.16 the port was text, one TLS file meant plain text, and neither was told."""
    command = [GEARD, "-d", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert complaint in ended.stderr
