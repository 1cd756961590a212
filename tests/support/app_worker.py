"""A worker for an app, as small as can be: one thread, one job at a time; and an app for it."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator

import msgspec

import gear
from gear_wire.functions.execution import run, run_async

app = gear.App(tracebacks=True)
elsewhere = gear.App()


class Thumbnail(msgspec.Struct):
    width: int
    data: bytes


class OutOfStock(Exception):
    def __init__(self, article: str, left: int) -> None:
        super().__init__(article, left)
        self.left: int = left


@app.function()
def thumbnail(image: bytes, width: int = 128) -> Thumbnail:
    job = gear.current_job()
    job.status(1, 2)
    job.warning("too small")
    job.data("half done")
    return Thumbnail(width, image)


@app.function("text.shout")
async def shout(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


@app.function()
def flip(data: bytes) -> bytes:
    gear.current_job().data(data[:0:-1])
    gear.current_job().warning("this is no part of it")
    return data[:1]


@app.function(raises=[OutOfStock])
def order(article: str, count: int) -> int:
    if article == "socks":
        raise OutOfStock(article, 3)
    if article == "hats":
        raise KeyError(article)
    return count


@app.function()
def nothing() -> None: ...


@app.function()
def count(limit: int) -> Iterator[int]:
    gear.current_job().status(0, limit)
    for number in range(limit):
        yield number
        if number == 9:
            raise ValueError("nine is enough")


@app.function()
async def count_slowly(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        await asyncio.sleep(0)
        yield number


@elsewhere.declaration("order")
def strange_order(article: bytes, number: str) -> str:
    raise NotImplementedError


@elsewhere.declaration("nobody.does.this")
def undone() -> None:
    raise NotImplementedError


class JobReports:
    """What a function tells of its job."""

    def __init__(self, job: gear.WorkerJob) -> None:
        self._job = job

    def status(self, numerator: float, denominator: float) -> None:
        self._job.sendWorkStatus(numerator, denominator)

    def warning(self, data: bytes) -> None:
        self._job.sendWorkWarning(data)

    def data(self, data: bytes) -> None:
        self._job.sendWorkData(data)


def _work(worker: gear.Worker, fails: bool) -> None:
    functions = app.runnable()
    while True:
        with worker.getJob() as job:
            function = functions[job.name]
            current = gear.CurrentJob(
                job.name, job.handle or b"", job.arguments, JobReports(job), unique=job.unique
            )
            if function.asynchronous:
                outcome = asyncio.run(run_async(function, current, app.middlewares))
            else:
                outcome = run(function, current, app.middlewares)
            if outcome.error is None:
                job.sendWorkComplete(outcome.data)
                continue
            job.sendWorkException(outcome.data)
            if fails:
                job.sendWorkFail()


@contextlib.contextmanager
def app_worker(host: str, port: int, *, fails: bool = False) -> Iterator[None]:
    """Have a worker do the functions of the app; with `fails` it sends WORK_FAIL too."""
    worker = gear.Worker("app")
    for name in app.runnable():
        worker.registerFunction(name)
    worker.addServer(host, port)
    worker.waitForServer(20)

    def work() -> None:
        with contextlib.suppress(gear.InterruptedError):
            _work(worker, fails)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        worker.shutdown()
        thread.join(20)
