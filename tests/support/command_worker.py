"""A worker for tests of the command lines, whose functions do what a name says."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import gear
from support.certificates import Files

WAIT = 30.0


def _stream(job: gear.WorkerJob) -> None:
    job.sendWorkData(b"one\n")
    job.sendWorkWarning(b"careful\x1b[2J\n")
    job.sendWorkStatus(1, 2)
    job.sendWorkData(b"two\x1b[2J\xff\n")
    job.sendWorkComplete(b"three")


def _raise(job: gear.WorkerJob) -> None:
    job.sendWorkException(b'{"type":"OutOfStock","message":"none is\\nleft"}')


FUNCTIONS: dict[str, Callable[[gear.WorkerJob], None]] = {
    "reverse": lambda job: job.sendWorkComplete(job.arguments[::-1]),
    "echo": lambda job: job.sendWorkComplete(job.arguments),
    "name": lambda job: job.sendWorkComplete(job.unique or b""),
    "refuse": lambda job: job.sendWorkFail(),
    "raise": _raise,
    "complain": lambda job: job.sendWorkException(b"disk \x1b[2Jfull"),
    "stream": _stream,
}


@contextlib.contextmanager
def command_worker(
    port: int,
    files: Files | None = None,
    *,
    host: str = "127.0.0.1",
    places: int = 4,
    **more: Callable[[gear.WorkerJob], None],
) -> Iterator[gear.Worker]:
    """Give a worker that does what its functions do, several jobs at a time."""
    functions = FUNCTIONS | more
    worker = gear.Worker("commands")
    for name in functions:
        worker.registerFunction(name)
    worker.addServer(host, port, *(files or (None, None, None)))
    worker.waitForServer(WAIT)

    def work() -> None:
        with contextlib.suppress(gear.InterruptedError):
            while True:
                job = worker.getJob()
                # A server that is killed in a test is lost while the job is done.
                with contextlib.suppress(gear.ConnectionError):
                    functions[job.name](job)

    threads = [threading.Thread(target=work) for _ in range(places)]
    for thread in threads:
        thread.start()
    try:
        yield worker
    finally:
        worker.shutdown()
        for thread in threads:
            thread.join(WAIT)
