"""The same calls of python3-gearman, whose client serves one thread: each has its own."""

import json
import sys
import threading
import time

import python3_gearman  # type: ignore[import-not-found]  # only its own environment has it

FUNCTION = "measured"
PAYLOAD = "x" * 64
THREADS = 16


def submit(address: str, jobs: int, seconds: float) -> int:
    """Submit background jobs one by one until there are enough, or time is up."""
    client = python3_gearman.GearmanClient([address])
    end = time.monotonic() + seconds
    done = 0
    while done < jobs and time.monotonic() < end:
        client.submit_job(FUNCTION, PAYLOAD, background=True, wait_until_complete=False)
        done += 1
    client.shutdown()
    return done


def submit_from_threads(address: str, jobs: int, seconds: float) -> int:
    """Do the same from several threads at once."""
    counts: list[int] = []
    share = -(-jobs // THREADS)

    def run() -> None:
        counts.append(submit(address, share, seconds))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


class EchoWorker(python3_gearman.GearmanWorker):  # type: ignore[misc]  # an untyped library
    """Sends each job back, and stops when there were enough or time is up."""

    def __init__(self, address: str, jobs: int, seconds: float) -> None:
        super().__init__([address])
        self.done = 0
        self.jobs = jobs
        self.end = time.monotonic() + seconds
        self.register_task(FUNCTION, self.echo)

    def echo(self, worker: object, job: object) -> str:
        """Return a job's payload."""
        self.done += 1
        data = getattr(job, "data", None)
        if data != PAYLOAD:
            raise SystemExit("a payload came back changed")
        return PAYLOAD

    def after_poll(self, any_activity: bool) -> bool:
        """Return whether to go on."""
        return self.done < self.jobs and time.monotonic() < self.end


def main(role: str, port: int, jobs: int, seconds: float) -> None:
    """Do one of them and print how many jobs it were in how many seconds."""
    address = f"127.0.0.1:{port}"
    if role == "worker":
        submit(address, jobs, 60.0)
    start = time.monotonic()
    if role == "worker":
        worker = EchoWorker(address, jobs, seconds)
        worker.work(poll_timeout=1.0)
        done = worker.done
    elif role == "threads":
        done = submit_from_threads(address, jobs, seconds)
    else:
        done = submit(address, jobs, seconds)
    sys.stdout.write(json.dumps({"jobs": done, "seconds": time.monotonic() - start}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
