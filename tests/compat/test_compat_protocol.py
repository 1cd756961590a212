"""What gear 0.16's server did wrong or not at all, in packets and lines to a gear.Server."""

import re
import socket
import struct

import pytest

import gear
import gear.constants as c
from support.lines import Line, Lines

# Packets that were not answered


@pytest.mark.parametrize(
    ("ptype", "arguments", "answer"),
    [
        (c.GRAB_JOB, (), ("NO_JOB", b"")),
        (c.GRAB_JOB_ALL, (), ("NO_JOB", b"")),
        (c.OPTION_REQ, (b"exceptions",), ("OPTION_RES", b"exceptions")),
        (
            c.OPTION_REQ,
            (b"other",),
            ("ERROR", b"UNKNOWN_OPTION\0Server does not recognize given option"),
        ),
        (c.ALL_YOURS, (), ("ERROR", b"INVALID_COMMAND\0Command not expected")),
        (c.SUBMIT_JOB_SCHED, (b"",) * 8, ("ERROR", b"INVALID_COMMAND\0Command not expected")),
        (c.GET_STATUS, (b"H:none:1",), ("STATUS_RES", b"H:none:1\x000\x000\x000\x000")),
        (c.GET_STATUS_UNIQUE, (b"u",), ("STATUS_RES_UNIQUE", b"u\x000\x000\x000\x000\x000")),
    ],
    ids=lambda value: c.types.get(value, "") if isinstance(value, int) else "",
)
def test_every_request_is_answered(
    ptype: int, arguments: tuple[bytes, ...], answer: tuple[str, bytes], line: Lines
) -> None:
    assert line().ask(ptype, *arguments) == answer


@pytest.mark.parametrize("data", [b"", b"text", b"a\0b\0"])
def test_an_echo_is_sent_back(data: bytes, line: Lines) -> None:
    assert line().connection.echo(data, 20) == data


def test_jobs_for_later_and_reduce_jobs_are_taken(line: Lines) -> None:
    one = line()
    one.submit(b"f", b"", b"4000000000", b"x", ptype=c.SUBMIT_JOB_EPOCH)
    one.submit(b"f", b"", b"reducer", b"0", b"x", ptype=c.SUBMIT_REDUCE_JOB)
    one.submit(b"f", b"", b"reducer", b"0", b"x", ptype=c.SUBMIT_REDUCE_JOB_BACKGROUND)
    one.say(c.CAN_DO, b"f")
    name, data = one.ask(c.GRAB_JOB_ALL)
    assert (name, data.split(b"\0")[1:]) == ("JOB_ASSIGN_ALL", [b"f", b"", b"reducer", b"x"])


# Errors


@pytest.mark.parametrize(
    ("ptype", "data"),
    [
        (c.SUBMIT_JOB, b"f"),
        (c.SUBMIT_JOB, b"f\0u"),
        (c.WORK_COMPLETE, b"H:1"),
        (c.WORK_STATUS, b""),
    ],
)
def test_a_short_packet_is_an_error_and_costs_no_connection(
    ptype: int, data: bytes, line: Lines
) -> None:
    one = line()
    name, answer = one.ask(ptype, data)
    code, _, text = answer.partition(b"\0")
    assert (name, code) in (("ERROR", b"INVALID_COMMAND"), ("ERROR", b"JOB_NOT_FOUND"))
    assert text
    assert not text.endswith(b"\0")
    assert one.alive()


def test_taking_back_what_was_never_registered_costs_no_connection(line: Lines) -> None:
    one = line()
    one.say(c.CANT_DO, b"never")
    assert one.alive()


@pytest.mark.parametrize("code", [c.RES, b"\0XXX"])
def test_requests_have_the_magic_of_requests(code: bytes, line: Lines) -> None:
    one = line()
    one.connection.sendRaw(code + struct.pack(">II", c.GRAB_JOB, 0))
    if code == c.RES:
        assert one.hear() == ("ERROR", b"INVALID_MAGIC\0Request magic expected")
        assert one.alive()
    else:
        with pytest.raises(gear.ConnectionError):
            one.hear()


# A job's life


def test_a_unique_is_one_job(server: gear.Server, line: Lines) -> None:
    first, second = line(), line()
    handle = first.submit(b"f", b"u", b"x")
    assert second.submit(b"f", b"u", b"y") == handle
    assert first.submit(b"f", b"", b"x") != handle
    assert server.total_jobs == 2


def test_a_handle_names_the_server_and_not_the_client(line: Lines) -> None:
    """Names in 0.16 were `H:127.0.0.1:1`, with the client's address, and `H:::1:1`."""
    first, second = line().submit(b"f", b"", b""), line().submit(b"f", b"", b"")
    host = socket.gethostname().encode()
    start, count = first[:-1], first[-1:]
    assert re.fullmatch(rb"H:%b:\d{8}" % re.escape(host), start)
    assert (count, second) == (b"1", start + b"2")


def test_a_handle_names_one_start_of_one_server() -> None:
    """In 0.16 each server counted from 1: an old handle named a new job."""
    handles = set()
    for _ in range(3):
        server = gear.Server(0, host="127.0.0.1")
        client = gear.Client()
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(20)
        job = gear.Job("f", b"")
        client.submitJob(job)
        assert job.handle is not None
        assert len(job.handle) <= 63
        handles.add(job.handle)
        client.shutdown()
        server.shutdown()
    assert len(handles) == 3


def test_a_lost_worker_fails_its_job_with_the_magic_of_a_server(line: Lines) -> None:
    client, worker = line(), line()
    handle = client.submit(b"f", b"", b"")
    worker.say(c.CAN_DO, b"f")
    assert worker.grab() == handle
    worker.connection.disconnect()
    assert client.hear() == ("WORK_FAIL", handle)  # with c.RES, as `hear` checks


@pytest.mark.parametrize(
    "report",
    [
        (c.WORK_STATUS, b"1", b"2"),
        (c.WORK_DATA, b"x"),
        (c.WORK_WARNING, b"x"),
        (c.WORK_COMPLETE, b"x"),
        (c.WORK_EXCEPTION, b"x"),
        (c.WORK_FAIL,),
    ],
    ids=lambda report: c.types[report[0]],
)
@pytest.mark.parametrize("state", ["queued", "running"])
def test_only_who_has_a_job_reports_of_it(
    state: str, report: tuple[int, bytes], server: gear.Server, line: Lines
) -> None:
    """In 0.16, whoever knew a handle could end the job; a queued one was run all the same."""
    client, worker, other = line(), line(), line()
    handle = client.submit(b"f", b"", b"")
    worker.say(c.CAN_DO, b"f")
    if state == "running":
        worker.grab()
    ptype, *arguments = report
    name, answer = other.ask(ptype, handle, *arguments)
    assert (name, answer.partition(b"\0")[0]) == ("ERROR", b"JOB_NOT_FOUND")
    if state == "queued":
        worker.grab()
    assert (server.total_jobs, server.running_jobs, server.waiting_jobs) == (1, 1, 0)
    worker.say(c.WORK_COMPLETE, handle, b"done")
    assert client.hear() == ("WORK_COMPLETE", handle + b"\0done")
    assert worker.ask(c.GRAB_JOB) == ("NO_JOB", b"")
    assert (server.total_jobs, server.running_jobs, server.waiting_jobs) == (0, 0, 0)


def test_a_worker_whose_client_has_left_ends_its_job(server: gear.Server, line: Lines) -> None:
    """0.16 forgot the job, and what the worker said of it."""
    client, worker = line(), line()
    handle = client.submit(b"f", b"", b"")
    worker.say(c.CAN_DO, b"f")
    worker.grab()
    client.connection.disconnect()
    assert server.waitFor(lambda: len(server.active_connections) == 1, 20)
    assert server.running_jobs == 1
    worker.say(c.WORK_COMPLETE, handle, b"")
    assert worker.alive()
    assert server.total_jobs == 0
    name, answer = worker.ask(c.WORK_COMPLETE, handle, b"")
    assert (name, answer.partition(b"\0")[0]) == ("ERROR", b"JOB_NOT_FOUND")


def test_exceptions_go_to_who_asked_for_them(line: Lines) -> None:
    asked, plain, worker = line(), line(), line()
    asked.ask(c.OPTION_REQ, b"exceptions")
    handle = asked.submit(b"f", b"u", b"")
    plain.submit(b"f", b"u", b"")
    worker.say(c.CAN_DO, b"f")
    worker.grab()
    worker.say(c.WORK_EXCEPTION, handle, b"why")
    assert asked.hear() == ("WORK_EXCEPTION", handle + b"\0why")
    assert plain.hear() == ("WORK_FAIL", handle)


# Text


def reply(one: Line, command: bytes) -> bytes:
    class Command(gear.AdminRequest):
        pass

    Command.command = command
    request = Command()
    one.connection.sendAdminRequest(request, 20)
    assert request.response is not None
    return request.response


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"statusfoo", b"ERR UNKNOWN_COMMAND Unknown+server+commandstatusfoo\r\n"),
        (b"shutdown", b"ERR UNKNOWN_COMMAND Unknown+server+commandshutdown\r\n"),
        (b"cancel job", b"ERR UNKNOWN_COMMAND Unknown+server+commandcancel\r\n"),
        (b"cancel job H:none:1", b"ERR UNKNOWN_JOB\r\n"),
        (b"acl grant", b"ERR ACL_DISABLED\n"),
        (b"maxqueue f 1", b"OK\r\n"),
        (b"show jobs", b".\n"),
        (b"show unique jobs", b".\n"),
        (b"prioritystatus", b".\n"),
        (b"create function f", b"OK\r\n"),
        (b"drop function f", b"ERR function not found\r\n"),
        (b"verbose", b"OK ERROR\n"),
    ],
    ids=lambda value: value.decode().strip(),
)
def test_every_command_is_answered(command: bytes, answer: bytes, line: Lines) -> None:
    one = line()
    assert reply(one, command) == answer
    assert one.alive()


def test_version_and_number_of_the_process(line: Lines) -> None:
    one = line()
    assert reply(one, b"version").startswith(b"OK 1.")
    assert int(reply(one, b"getpid").split()[1]) > 0


def test_nobody_is_told_of_a_cancelled_job(line: Lines) -> None:
    """As in 0.16: programs make an event of their own after a cancel. (`geard` tells.)"""
    client = line()
    handle = client.submit(b"f", b"", b"")
    assert reply(line(), b"cancel job " + handle) == b"OK\r\n"
    assert client.ask(c.ECHO_REQ, b"next") == ("ECHO_RES", b"next")
    assert reply(line(), b"cancel job " + handle) == b"ERR UNKNOWN_JOB\r\n"


def test_queued_jobs_by_precedence_and_a_limit_for_them(line: Lines) -> None:
    one = line()
    one.say(c.CAN_DO, b"f")
    for ptype in (c.SUBMIT_JOB_HIGH, c.SUBMIT_JOB, c.SUBMIT_JOB_LOW, c.SUBMIT_JOB_LOW):
        one.submit(b"f", b"", b"", ptype=ptype)
    assert reply(one, b"prioritystatus") == b"f\t1\t1\t2\t1\n.\n"
    assert reply(one, b"maxqueue f 4") == b"OK\r\n"
    assert one.ask(c.SUBMIT_JOB, b"f", b"", b"") == ("ERROR", b"QUEUE_ERROR\0Job queue is full")


@pytest.mark.parametrize("name", [b"\xff\xfe", "größe".encode()])
def test_names_of_functions_are_bytes(name: bytes, line: Lines) -> None:
    one = line()
    one.say(c.CAN_DO, name)
    assert reply(one, b"status") == name + b"\t0\t0\t1\n.\n"
    assert reply(one, b"workers").endswith(b" : " + name + b"\n.\n")
    one.say(c.CANT_DO, name)
    assert reply(one, b"drop function " + name) == b"OK\r\n"
    assert reply(one, b"status") == b".\n"
