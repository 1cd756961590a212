"""Clients and workers beside a server that sends anything at all, at any time.

Whatever comes, a session raises nothing but what is documented, makes no job out of nothing, keeps
no more than was asked for, and every caller has an answer or an error in the end.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import gear
from gear_client import Job
from gear_client.expectations import EchoRequest, OptionRequest, StatusRequest, Submission
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire import packets as wire
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.errors import ProtocolError, UnknownJobError
from gear_wire.jobs import BaseJob
from gear_wire.packets import BasePacket
from gear_wire.types import FunctionName, Handle, UniqueKey
from gear_worker import FunctionRecord, WorkerJob
from gear_worker.jobs import Assigned
from gear_worker.session import Assignments, WorkerSession
from support.wire_strategies import packets, repeatable

pytestmark = pytest.mark.no_cover
# Few handles, functions and uniques: so many packets fit something that was asked for.
handles = st.sampled_from([Handle(b"H:1"), Handle(b"H:2"), Handle(b"H:3")])
functions = st.sampled_from([FunctionName(b"f"), FunctionName(b"g"), FunctionName(b"other")])
uniques = st.sampled_from([UniqueKey(b""), UniqueKey(b"u")])
data = st.sampled_from([b"", b"x", b"exceptions", b"e"])
codes = st.sampled_from([b"QUEUE_ERROR", b"JOB_NOT_FOUND", b"UNKNOWN_OPTION"])
to_clients = st.one_of(
    st.builds(wire.JobCreated, handles),
    st.builds(wire.JobCreated, handles),
    st.builds(wire.WorkData, handles, data),
    st.builds(wire.WorkWarning, handles, data),
    st.builds(wire.WorkStatus, handles, data, data),
    st.builds(wire.WorkComplete, handles, data),
    st.builds(wire.WorkFail, handles),
    st.builds(wire.WorkException, handles, data),
    st.builds(wire.StatusRes, handles, data, data, data, data),
    st.builds(wire.StatusResUnique, uniques, data, data, data, data, data),
    st.builds(wire.EchoRes, data),
    st.builds(wire.OptionRes, data),
    st.builds(wire.Error, codes, data),
)
to_workers = st.one_of(
    st.builds(wire.JobAssignUnique, handles, functions, uniques, data),
    st.builds(wire.JobAssignUnique, handles, functions, uniques, data),
    st.builds(wire.JobAssign, handles, functions, data),
    st.builds(wire.JobAssignAll, handles, functions, uniques, functions, data),
    st.just(wire.NoJob()),
    st.just(wire.Noop()),
)
calls = st.sampled_from(["submit", "submit unique", "status", "state", "echo", "option", "forget"])
acts = st.sampled_from(["wait", "leave", "take", "end", "register", "unregister", "time"])
many = settings(repeatable, max_examples=500, phases=[Phase.generate, Phase.shrink])


class Caller:
    """The calls of a client over one connection, and what became of them."""

    def __init__(self) -> None:
        self.related: dict[bytes, BaseJob] = {}
        self.session = ClientSession(b"me", [], self.related)
        self.session.greet()
        self.asked: list[Submission | StatusRequest | EchoRequest | OptionRequest] = []
        self.submitted = 0

    def call(self, what: str) -> None:
        match what:
            case "submit" | "submit unique":
                job = Job("f", b"x", b"u" if what == "submit unique" else None)
                submission = Submission(job, submit_packet(job, False, 0), True)
                self.asked.append(submission)
                self.submitted += 1
                self.session.submit(submission)
            case "status":
                self.asked.append(request := StatusRequest(b"H:1"))
                self.session.request_status(request)
            case "state":
                self.asked.append(request := StatusRequest(b"u"))
                self.session.request_status_by_unique(request)
            case "echo":
                self.asked.append(echo := EchoRequest(b"e"))
                self.session.request_echo(echo)
            case "option":
                self.asked.append(option := OptionRequest(b"e"))
                self.session.request_option(option)
            case "forget" if self.asked:
                self.session.forget(self.asked.pop(0))

    def check(self) -> None:
        """See to it that no more is kept than was asked for."""
        others = sum(map(len, self.session._coalesced.values()))
        assert len(self.related) + others <= self.submitted
        assert len(self.session._ended_early) <= 128


@many
@given(st.lists(calls | to_clients | packets, max_size=60))
def test_a_client_beside_a_server_that_sends_anything(todo: list[str | BasePacket]) -> None:
    caller = Caller()
    for each in todo:
        if isinstance(each, str):
            caller.call(each)
        else:
            try:
                caller.session.apply(each)
            except (UnknownJobError, ProtocolError):
                pass  # for the second a face ends the connection; the rest must hold all the same
        caller.check()
    for job in caller.session.lost("the end"):
        assert isinstance(job, Job)
    for expectation in caller.asked:
        assert expectation.settled
        if isinstance(expectation, Submission) and expectation.job.handle is not None:
            assert expectation.job.complete


class Place:
    """A worker with one connection, and what it was asked to do."""

    def __init__(self) -> None:
        self.assignments: Assignments[WorkerJob] = Assignments(self._make_job)
        self.assignments.register(FunctionRecord("f"))
        self.ever = {b"f"}
        self.session = WorkerSession(b"me", self.assignments, {})
        self.session.greet()
        self.taken: list[WorkerJob] = []
        self.asked = self.answered = 0
        self.now = 0.0

    def _make_job(self, session: WorkerSession[WorkerJob], packet: Assigned) -> WorkerJob:
        return WorkerJob(packet.handle, packet.function, packet.payload)

    def act(self, what: str) -> None:
        match what:
            case "wait":
                self.assignments.wait()
            case "leave" if self.assignments.waiting:
                self.assignments.leave()
            case "take" if self.assignments.jobs:
                self.taken.append(self.assignments.jobs.popleft())
            case "end" if self.taken:
                self.session.work(wire.WorkComplete(Handle(self.taken.pop().handle or b""), b""))
            case "register":
                self.assignments.register(FunctionRecord("g"))
                self.ever.add(b"g")
            case "unregister" if b"g" in self.assignments.functions:
                self.assignments.unregister(FunctionName(b"g"))
            case "time":
                self.now += 11
                self.assignments.tick(self.now)
        said = self.session.packets_to_send()
        self.asked += sum(isinstance(packet, wire.GrabJobUniq) for packet in said)

    def hear(self, packet: BasePacket) -> None:
        job = self.session.apply(packet)
        self.act("")
        if job is not None:
            assert isinstance(packet, wire.JobAssignUnique)
            assert packet.function in self.ever
        self.answered += job is not None
        assert self.answered <= self.asked


@many
@given(st.lists(acts | to_workers | packets, max_size=80))
def test_a_worker_beside_a_server_that_sends_anything(todo: list[str | BasePacket]) -> None:
    place = Place()
    for each in todo:
        if isinstance(each, str):
            place.act(each)
            continue
        with contextlib.suppress(ProtocolError):
            place.hear(each)
        assert len(place.assignments.jobs) <= place.answered
    place.session.lost("the end")
    assert list(place.assignments.jobs) == []
    assert place.session.apply(wire.Noop()) is None


# Over sockets, on both faces


class Script:
    """A server that answers each message with the next bytes of a script, whatever it asks.

    At its end it closes the connection, and takes no other: whoever waits learns of that.
    """

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = iter(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError, StopIteration):
            while True:
                sock, _ = self._listener.accept()
                with sock, contextlib.suppress(ConnectionError):
                    while sock.recv(65536):
                        sock.sendall(next(self._answers))
        self._listener.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        assert not self._thread.is_alive()


DOCUMENTED = (gear.GearmanError,)
CALL_TIME = 0.05


def use_threads(port: int) -> None:
    with gear.Client("c") as client, gear.Worker("w") as worker:
        worker.registerFunction("f")
        for end in (client, worker):
            end.addServer("127.0.0.1", port)
        threading_calls: list[Callable[[], object]] = [
            lambda: client.submitJob(gear.Job("f", b"x"), timeout=CALL_TIME),
            lambda: client.getStatus(b"H:1", CALL_TIME),
            lambda: client.getStatusByUnique(b"u", CALL_TIME),
            lambda: client.echo(b"e", CALL_TIME),
            lambda: client.cancelJob(b"H:1", CALL_TIME),
            lambda: worker.getJob(CALL_TIME),
        ]
        for call in threading_calls:
            with contextlib.suppress(*DOCUMENTED):
                client.waitForServer(CALL_TIME)
            with contextlib.suppress(*DOCUMENTED):
                call()


async def on_asyncio(port: int) -> None:
    async with gear.AsyncClient("c") as client, gear.AsyncWorker("w") as worker:
        worker.register("f")
        for end in (client, worker):
            end.add_server("127.0.0.1", port)
        tasks: list[Callable[[], Coroutine[Any, Any, object]]] = [
            lambda: client.submit("f", b"x", timeout=CALL_TIME),
            lambda: client.status(b"H:1", CALL_TIME),
            lambda: client.status_by_unique(b"u", CALL_TIME),
            lambda: client.echo(b"e", CALL_TIME),
            lambda: client.cancel(b"H:1", CALL_TIME),
            lambda: worker.get_job(CALL_TIME),
        ]
        for task in tasks:
            with contextlib.suppress(*DOCUMENTED):
                await client.wait_for_server(CALL_TIME)
            with contextlib.suppress(*DOCUMENTED):
                await task()


USE: dict[str, Callable[[int], None]] = {
    "threads": use_threads,
    "asyncio": lambda port: asyncio.run(on_asyncio(port)),
}
pieces = st.one_of(
    (to_clients | to_workers | packets).map(lambda packet: encode(packet, Magic.RES)),
    (to_clients | to_workers).map(lambda packet: encode(packet, Magic.RES)),
    st.sampled_from([b"OK\r\n", b"ERR UNKNOWN_JOB\r\n", b"x", b"\0RES\0\0\0\x0b", b"\0REQ"]),
    st.binary(max_size=40),
)
answers = st.lists(st.lists(pieces, max_size=4).map(b"".join), max_size=12)


@pytest.mark.parametrize("face", USE)
@settings(repeatable, max_examples=25, phases=[Phase.generate])
@given(answers=answers)
def test_calls_end_whatever_the_server_sends(face: str, answers: list[bytes]) -> None:
    heard: list[str] = []

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(self.format(record))

    logger, handler = logging.getLogger("gear"), Hearing()
    logger.addHandler(handler)
    server = Script(answers)
    try:
        USE[face](server.port)
    finally:
        server.close()
        logger.removeHandler(handler)
    # Nothing is a surprise to the library: each would be logged with its traceback.
    assert [line for line in heard if "Traceback" in line] == []
