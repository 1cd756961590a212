"""A worker program that ends right after a large result: the client gets it, on either face."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.certificates import Authority, Files
from support.proxy import Proxy, Trouble

WAIT = 60.0
HOST = "127.0.0.1"
SIZE = 8 << 20
SLOW = Trouble(delay=0.005)
"""A reader that takes a second or two for such a result."""
THREADS = """
    import gear

    worker = gear.Worker("ending")
    worker.registerFunction("work")
    worker.addServer({server})
    job = worker.getJob()
    job.sendWorkComplete(job.arguments * {size})
    {end}
"""
ASYNCIO = """
    import asyncio
    import gear

    async def main():
        worker = gear.AsyncWorker("ending")
        worker.register("work")
        worker.add_server({server})
        job = await worker.get_job()
        await job.complete(job.arguments * {size})
        {end}

    asyncio.run(main())
"""
ENDS = {
    "nothing": ("", ""),
    "shut down": ("worker.shutdown()", "await worker.close()"),
    "drained": ("worker.drain(60)", "await worker.drain(60)"),
    "exit": ("raise SystemExit", "raise SystemExit"),
}
PROGRAMS = {"threads": THREADS, "asyncio": ASYNCIO}


@pytest.fixture(params=["plain", "TLS"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files | None:
    return Authority(tmp_path / "tls").issue(HOST) if request.param == "TLS" else None


@pytest.fixture
def server(files: Files | None) -> Iterator[gear.Server]:
    """One that fails a job whose worker is lost."""
    if files is None:
        server = gear.Server(0, host=HOST)
    else:
        server = gear.Server(0, host=HOST, ssl_key=files.key, ssl_cert=files.cert, ssl_ca=files.ca)
    yield server
    server.shutdown()


@pytest.mark.parametrize(
    ("end", "trouble"),
    [
        ("nothing", Trouble()),
        ("exit", Trouble()),
        ("nothing", SLOW),
        ("shut down", SLOW),
        ("drained", SLOW),
    ],
)
@pytest.mark.parametrize("kind", PROGRAMS)
def test_the_result_arrives(
    kind: str, end: str, trouble: Trouble, server: gear.Server, files: Files | None
) -> None:
    with (
        Proxy(server.port, trouble, 1) as proxy,
        gear.Client("client") as client,
    ):
        client.addServer(HOST, server.port, *(files or ()))
        client.waitForServer(WAIT)
        job = gear.Job("work", b"x")
        client.submitJob(job)
        source = textwrap.dedent(PROGRAMS[kind]).format(
            server=", ".join(repr(each) for each in (HOST, proxy.port, *(files or ()))),
            size=SIZE,
            end=ENDS[end][kind == "asyncio"],
        )
        program = subprocess.run(
            [sys.executable, "-c", source],
            check=False,
            stderr=subprocess.PIPE,
            text=True,
            timeout=WAIT,
        )
        assert job.result(WAIT) == b"x" * SIZE
        assert (program.returncode, program.stderr) == (0, "")
