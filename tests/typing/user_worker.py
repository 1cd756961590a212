"""A program with workers: what a type checker must make of it."""

# pyright: strict

from typing import assert_type

import gear


def work(worker: gear.Worker) -> None:
    worker.registerFunction("reverse")
    worker.registerFunction(b"slow", timeout=2.5)
    worker.setFunctions([gear.FunctionRecord("reverse"), gear.FunctionRecord("slow", 30)])
    assert_type(worker.functions, dict[bytes, gear.FunctionRecord])
    while True:
        try:
            job = worker.getJob(timeout=60)
        except gear.InterruptedError:
            return
        assert_type(job, gear.WorkerJob)
        assert_type(job.name, str)
        assert_type(job.arguments, bytes)
        assert_type(job.unique, bytes | None)
        job.sendWorkData("text")
        job.sendWorkStatus(1, 2)
        job.sendWorkWarning()
        assert_type(job.sendWorkComplete(job.arguments[::-1]), None)


def work_on_text(worker: gear.TextWorker) -> None:
    job = worker.getJob()
    assert_type(job, gear.TextWorkerJob)
    assert_type(job.arguments, str)
    assert_type(job.unique, str | None)
    job.sendWorkComplete(job.arguments.upper())
    job.sendWorkException(b"bytes are fine")


def work_in_blocks(worker: gear.Worker) -> str:
    with worker.getJob() as job:
        assert_type(job, gear.WorkerJob)
        job.sendWorkComplete()
        return "ended"
    assert_type(worker.drain(timeout=5), bool)
    return "an exception was swallowed"


class SlowWorker(gear.Worker):
    """Takes its time before it asks for a job."""

    def handleNoop(self, packet: gear.Packet) -> object:
        assert_type(packet.ptype, int)
        return super().handleNoop(packet)


def main() -> None:
    worker = SlowWorker("a name")
    worker.addServer("localhost", port="4730")
    work(worker)
    work_in_blocks(worker)
    work_on_text(gear.TextWorker("another"))
