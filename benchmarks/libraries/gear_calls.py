"""Calls of gear, which gear 0.16 has under the same names: this program measures both."""

import json
import sys
import threading
import time

import gear

FUNCTION = b"measured"
PAYLOAD = b"x" * 64
THREADS = 16
FILLERS = 8


def submit(client: gear.Client, jobs: int, end: float) -> int:
    """Submit background jobs one by one until there are enough, or time is up."""
    done = 0
    while done < jobs and time.monotonic() < end:
        client.submitJob(gear.Job(FUNCTION, PAYLOAD), background=True)
        done += 1
    return done


def submit_from_threads(client: gear.Client, threads: int, jobs: int, end: float) -> int:
    """Do the same from several threads at once."""
    counts: list[int] = []
    share = -(-jobs // threads)

    def run() -> None:
        counts.append(submit(client, share, end))

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts)


def echo(worker: gear.Worker, jobs: int, end: float) -> int:
    """Take jobs and send each back."""
    done = 0
    while done < jobs and time.monotonic() < end:
        job = worker.getJob()
        if job.arguments != PAYLOAD:
            raise SystemExit("a payload came back changed")
        job.sendWorkComplete(job.arguments)
        done += 1
    return done


def main(role: str, port: int, jobs: int, seconds: float) -> None:
    """Do one of them and print how many jobs it were in how many seconds."""
    client = gear.Client()
    client.addServer("127.0.0.1", port)
    client.waitForServer()
    worker = gear.Worker("measured")
    if role == "worker":
        submit_from_threads(client, FILLERS, jobs, time.monotonic() + 60.0)
        worker.addServer("127.0.0.1", port)
        worker.waitForServer()
        worker.registerFunction(FUNCTION)
    start = time.monotonic()
    if role == "worker":
        done = echo(worker, jobs, start + seconds)
    elif role == "threads":
        done = submit_from_threads(client, THREADS, jobs, start + seconds)
    else:
        done = submit(client, jobs, start + seconds)
    sys.stdout.write(json.dumps({"jobs": done, "seconds": time.monotonic() - start}) + "\n")
    worker.shutdown()
    client.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
