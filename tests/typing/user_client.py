"""A program with a client: what a type checker must make of it."""

# pyright: strict

import sys
from collections.abc import Iterator
from typing import assert_type

import gear


class ReportingClient(gear.Client):
    """Events by subclassing, with the job that super returns."""

    def __init__(self) -> None:
        self.seen: dict[bytes | None, list[bytes]] = {}
        super().__init__("reporter")

    def handleWorkData(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkData(packet)
        assert_type(job, gear.Job)
        self.seen.setdefault(job.handle, []).append(job.data[-1])
        return job

    def handleDisconnect(self, job: gear.BaseJob) -> None:
        self.seen.pop(job.handle, None)


class BuildJob(gear.Job):
    """A job with more to it."""

    def __init__(self, number: int) -> None:
        super().__init__("build", b"", unique=str(number))
        self.number = number


def submit(client: gear.Client, names: list[str]) -> Iterator[bytes]:
    for name in names:
        job = gear.Job(name, "arguments", unique=b"key")
        assert_type(client.submitJob(job, precedence=gear.PRECEDENCE_HIGH, timeout=5), None)
        for part in job.stream(timeout=5):
            assert_type(part, bytes)
        assert_type(job.name, str)
        assert_type(job.arguments, bytes)
        assert_type(job.unique, bytes | None)
        assert_type(job.handle, bytes | None)
        assert_type(job.data, list[bytes])
        assert_type(job.exception, bytes | None)
        assert_type(job.complete, bool)
        assert_type(job.fraction_complete, float | None)
        assert_type(job.wait(5), bool)
        assert_type(job.result(timeout=5), bytes)
        yield job.result()


def submit_text(client: gear.Client) -> str:
    job = gear.TextJob("reverse", "test")
    client.submitJob(job, True)
    assert_type(job.arguments, str)
    assert_type(job.unique, str | None)
    assert_type(job.data, list[str])
    assert_type(job.exception, str | None)
    assert_type(list(job.binary_data), list[bytes])
    assert_type(job.result(), bytes)
    job.arguments = b"bytes are fine"
    job.unique = None
    return "".join(job.data)


def ask(client: gear.Client, job: gear.Job) -> float | None:
    state = client.getStatus(job)
    assert_type(state, gear.JobState)
    assert_type(state.known, bool)
    assert_type(state.numerator, int)
    assert_type(client.getStatus("H:host:1").clients, int | None)
    assert_type(client.getStatusByUnique(b"key"), gear.JobState)
    assert_type(client.setOption("exceptions"), bool)
    assert_type(client.echo("x"), bytes)
    return state.fraction_complete


def talk(client: gear.Client) -> None:
    connection = client.getConnection()
    assert_type(connection, gear.Connection)
    for each in client.active_connections[:]:
        assert_type(each, gear.Connection)
        request = gear.StatusAdminRequest()
        each.sendAdminRequest(request, timeout=5)
        assert_type(request.response, bytes | None)
    packet = gear.Packet(gear.constants.REQ, gear.constants.GET_STATUS, b"H:host:1")
    client.sendPacket(packet, connection)
    assert_type(packet.getArgument(0), bytes)
    assert_type(packet.toBinary(), bytes)


def main() -> int:
    client = ReportingClient()
    client.addServer("localhost", 4730, "key.pem", "cert.pem", "ca.pem", keepalive=True)
    client.waitForServer(timeout=10)
    try:
        client.submitJob(BuildJob(5))
    except gear.JobFailedError as error:
        assert_type(error.exception, bytes | None)
    except gear.ServerError as error:
        assert_type(error.code, str)
    except (gear.NoConnectedServersError, gear.TimeoutError, ConnectionError):
        return 1
    client.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
