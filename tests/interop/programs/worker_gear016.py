"""A worker on gear 0.16: see README.md for the functions that it does."""

import sys
import time
from collections.abc import Callable

import gear

HOST, PORT, PREFIX, *FILES = sys.argv[1:]


def talk(job: gear.WorkerJob) -> None:
    job.sendWorkStatus(1, 4)
    job.sendWorkData(b"one ")
    job.sendWorkWarning(b"two ")
    job.sendWorkStatus(3, 4)
    job.sendWorkComplete(b"three")


def hang(job: gear.WorkerJob) -> None:
    job.sendWorkData(b"here")
    while True:
        time.sleep(1000)


def late(job: gear.WorkerJob) -> None:
    job.sendWorkData(b"here")
    time.sleep(1.5)
    job.sendWorkComplete(b"too late")


FUNCTIONS: dict[str, Callable[[gear.WorkerJob], None]] = {
    "echo": lambda job: job.sendWorkComplete(job.arguments),
    "reverse": lambda job: job.sendWorkComplete(job.arguments[::-1]),
    "talk": talk,
    "fail": lambda job: job.sendWorkFail(),
    "raise": lambda job: job.sendWorkException(job.arguments),
    "unique": lambda job: job.sendWorkComplete(job.unique or b""),
    "hang": hang,
    "late": late,
}
TIMEOUTS = {"late": b"1000"}

worker = gear.Worker(PREFIX)
key, cert, ca = FILES or (None, None, None)
worker.addServer(HOST, int(PORT), key, cert, ca)
worker.waitForServer()
for name in FUNCTIONS:
    worker.registerFunction(PREFIX + name, TIMEOUTS.get(name))
while True:
    job = worker.getJob()
    FUNCTIONS[job.name[len(PREFIX) :]](job)
