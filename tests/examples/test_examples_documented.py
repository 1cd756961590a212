"""The documentation's first examples as they are printed, each in a process of its own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.certificates import Authority
from support.fix_peers import require_program
from support.programs import DOCUMENTED_HOST, Programs, programs

CLIENT = """\
import gear
client = gear.Client()
client.addServer('gearman.example.com')
client.waitForServer()  # Wait for at least one server to be connected
job = gear.Job("reverse", "test string")
client.submitJob(job)
"""
WORKER = """\
import gear
worker = gear.Worker('reverser')
worker.addServer('gearman.example.com')
worker.registerFunction("reverse")
while True:
    job = worker.getJob()
    job.sendWorkComplete(job.arguments[::-1])
"""
SSL = """\
ssl_key = '/path/to/key.pem'
ssl_cert = '/path/to/cert.pem'
ssl_ca = '/path/to/ca.pem'
client.addServer('gearman.example.com', 4730, ssl_key, ssl_cert, ssl_ca)
"""
PRINTED = {"client": CLIENT, "worker": WORKER, "SSL": SSL}

# What follows is not printed in the documentation: it looks at what the printed lines have done.
CHECK = """
if not job.complete:
    job.wait(20)
print(job.complete, job.failure, job.data, job.handle is not None)
"""
WORK = """
worker = client
worker.registerFunction("reverse")
while True:
    job = worker.getJob()
    job.sendWorkComplete(job.arguments[::-1])
"""
SUBMIT = """
client.waitForServer()
job = gear.Job("reverse", "test string")
client.submitJob(job)
"""
DONE = "True False [b'gnirts tset'] True\n"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the loopback network has one address"
)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Programs]:
    with programs(tmp_path) as running:
        yield running


def start_geard(process: Programs, *options: str) -> None:
    geard = str(Path(sys.executable).with_name("geard"))
    process.start_server(geard, "-d", "--listen-address", process.address, *options)


def start_gearmand(process: Programs) -> None:
    gearmand = require_program("gearmand", "gearman-job-server")
    files = ("-l", "none", "-P", str(process.folder / "gearmand.pid"))
    process.start_server(gearmand, "-L", process.address, *files)


@pytest.fixture(
    params=[start_geard, pytest.param(start_gearmand, marks=pytest.mark.peer)],
    ids=["geard", "gearmand"],
)
def server(request: pytest.FixtureRequest, process: Programs) -> None:
    start: Callable[[Programs], None] = request.param
    start(process)


@pytest.mark.usefixtures("server")
def test_client_and_worker(process: Programs) -> None:
    worker = process.start_python(WORKER)
    assert process.run_python(CLIENT + CHECK) == DONE
    assert worker.poll() is None


@pytest.mark.usefixtures("server")
def test_the_client_alone_ends_well(process: Programs) -> None:
    """It shuts nothing down, as most programs: its threads must not keep it, nor complain."""
    assert process.run_python(CLIENT) == ""


def test_both_may_start_before_the_server(process: Programs) -> None:
    worker = process.start_python(WORKER)
    client = process.start_python(CLIENT + CHECK)
    start_geard(process)
    printed, complaints = client.communicate(timeout=30)
    assert (printed, client.returncode) == (DONE, 0), complaints
    assert worker.poll() is None


def test_ssl(process: Programs, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    files = authority.issue(DOCUMENTED_HOST)
    start_geard(
        process, "--ssl-key", files.key, "--ssl-cert", files.cert, "--ssl-ca", files.ca
    )  # fmt: skip
    own = authority.issue("client.example.com")
    printed = SSL
    for documented, path in zip(("key", "cert", "ca"), own, strict=True):
        printed = printed.replace(f"/path/to/{documented}.pem", path)
    worker = process.start_python(
        "import gear\nclient = gear.Worker('reverser')\n" + printed + WORK
    )
    client = "import gear\nclient = gear.Client()\n" + printed + SUBMIT + CHECK
    assert process.run_python(client) == DONE
    assert worker.poll() is None


@pytest.mark.parametrize("name", PRINTED)
def test_the_reference_prints_the_same(name: str) -> None:
    documents = (Path(__file__).parents[2] / "docs" / "reference").rglob("*.*")
    texts = [" ".join(path.read_text().split()) for path in documents]
    printed = " ".join(PRINTED[name].split())
    assert any(printed in text for text in texts)
