"""What a server does for each packet; the state that the rules change is in `engine`."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from gear_server.engine.chores import SLICE
from gear_server.engine.engine import UNIQUE_SIZE, WORK_FAIL, Engine, Rule
from gear_server.engine.names import CLIENT_ID_SIZE, refused_client_id, refused_function
from gear_server.engine.state import AssignPacket, Peer, ServerJob
from gear_wire.enums import Magic, PacketType, Precedence
from gear_wire.framing import RESPONSE_MAGIC, Frame
from gear_wire.packets import StatusRes, StatusResUnique
from gear_wire.table import BY_TYPE, frame_key
from gear_wire.types import Handle, UniqueKey

OUT_OF_RANGE: Final = 1 << 63
_NUMBER: Final = re.compile(rb"\s*([+-]?)(\d+)")
_MOST_DIGITS: Final = 20
_LONGEST_NUMBER: Final = 64
_UNSIGNED: Final = 0xFFFFFFFF
"""gearmand keeps the progress of a job in unsigned 32-bit numbers."""
_UNKNOWN_JOB: Final = b"Job given in work result not found"
_NO_SUCH_JOB: Final = b"Job does not exist on server"
_NO_EXCEPTION: Final = b"An exception was received for a job that does not exist"


def _response(ptype: PacketType) -> int:
    return RESPONSE_MAGIC << 32 | ptype


_JOB_ASSIGN: Final = _response(PacketType.JOB_ASSIGN)
_JOB_ASSIGN_UNIQ: Final = _response(PacketType.JOB_ASSIGN_UNIQ)
_JOB_ASSIGN_ALL: Final = _response(PacketType.JOB_ASSIGN_ALL)
_WORK_EXCEPTION: Final = _response(PacketType.WORK_EXCEPTION)


def _refuse_count(engine: Engine, peer: Peer, frame: Frame) -> None:
    # gearmand reads on into the next packet; here the header's length is the end of a packet.
    info = BY_TYPE[frame.type]
    text = f"{info.number.name} takes {len(info.arguments)} arguments, separated by NUL"
    engine.send_error(peer, b"INVALID_COMMAND", text.encode())


# Clients


def _submit(precedence: Precedence, background: bool) -> Rule:
    def rule(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
        try:
            name, unique, arguments = frame.body.split(b"\0", 2)
        except ValueError:
            _refuse_count(engine, peer, frame)
            return
        job = engine.create(peer, name, unique, arguments, precedence, background, now)
        if job is not None:
            engine.accept(peer, job, now)

    return rule


def _submit_epoch(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    parts = frame.body.split(b"\0", 3)
    if len(parts) != 4:
        _refuse_count(engine, peer, frame)
        return
    name, unique, digits, arguments = parts
    when = leading_number(digits)
    if abs(when) == OUT_OF_RANGE:
        # gearmand neither takes the job nor says so.
        engine.send_error(peer, b"ARGUMENT_TOO_LARGE", b"Time too large")
        return
    job = engine.create(peer, name, unique, arguments, Precedence.NORMAL, True, now)
    if job is not None:
        job.when = when
        engine.accept(peer, job, now)


def _submit_reduce(background: bool) -> Rule:
    def rule(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
        parts = frame.body.split(b"\0", 4)
        if len(parts) != 5:
            _refuse_count(engine, peer, frame)
            return
        name, unique, reducer, _, arguments = parts
        if len(reducer) > UNIQUE_SIZE:
            engine.send_error(peer, b"ARGUMENT_TOO_LARGE", b"Unique value too large")
            return
        refusal = refused_function(reducer, UNIQUE_SIZE)
        if refusal is not None:
            engine.send_error(peer, refusal.code, refusal.text)
            return
        job = engine.create(peer, name, unique, arguments, Precedence.NORMAL, background, now)
        if job is not None:
            job.reducer = reducer or None
            engine.accept(peer, job, now)

    return rule


def leading_number(digits: bytes) -> int:
    """Return the number at the start of a text, 0 if there is none, as C's strtoll does.

    A number that does not fit 64 bits is plus or minus `OUT_OF_RANGE`.
    """
    found = _NUMBER.match(digits)
    if found is None:
        return 0
    if len(found[2]) > _MOST_DIGITS:
        return -OUT_OF_RANGE if found[1] == b"-" else OUT_OF_RANGE
    return max(-OUT_OF_RANGE, min(OUT_OF_RANGE, int(found[0])))


def _state(job: ServerJob | None) -> tuple[bytes, bytes, bytes, bytes]:
    if job is None:
        return b"0", b"0", b"0", b"0"
    numerator = leading_number(job.numerator) & _UNSIGNED
    denominator = leading_number(job.denominator) & _UNSIGNED
    running = b"0" if job.holder is None else b"1"
    return b"1", running, b"%d" % numerator, b"%d" % denominator


def _shown(engine: Engine, peer: Peer, job: ServerJob | None, now: float) -> ServerJob | None:
    """Return a job if a peer may see it; one that it may not see is not there for it."""
    if job is None or engine.access is None or engine.access.may_see(peer, job, now):
        return job
    return None


def _get_status(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    handle = frame.body.partition(b"\0")[0]
    job = _shown(engine, peer, engine.jobs.get(handle), now)
    engine.send_packet(peer, StatusRes(Handle(handle), *_state(job)))


def _get_status_unique(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    unique = frame.body.partition(b"\0")[0]
    job = _shown(engine, peer, engine.uniques.newest(unique), now)
    clients = b"%d" % (0 if job is None else sum(job.clients.values()))
    engine.send_packet(peer, StatusResUnique(UniqueKey(unique), *_state(job), clients))


# Both


def _echo(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    engine.send_payload(peer, _response(PacketType.ECHO_RES), b"", frame.body)


def _option(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    if frame.body.lower() != b"exceptions":
        engine.send_error(peer, b"UNKNOWN_OPTION", b"Server does not recognize given option")
        return
    peer.exceptions = True
    engine.send_payload(peer, _response(PacketType.OPTION_RES), b"", frame.body)


def _set_client_id(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    client_id = frame.body.partition(b"\0")[0][:CLIENT_ID_SIZE]
    refusal = refused_client_id(client_id)
    if refusal is None:
        peer.client_id = client_id
    else:
        engine.send_error(peer, refusal.code, refusal.text)


def _not_expected(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    engine.send_error(peer, b"INVALID_COMMAND", b"Command not expected")


def _wrong_magic(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    engine.send_error(peer, b"INVALID_MAGIC", b"Request magic expected")


# Workers


def _can_do(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    name = frame.body.partition(b"\0")[0]
    if engine.takes_function(peer, name):
        engine.register(peer, name, now)


def _can_do_timeout(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    name, separator, digits = frame.body.partition(b"\0")
    if not separator:
        _refuse_count(engine, peer, frame)
        return
    milliseconds = leading_number(digits)
    # gearmand raises what is less than a second to one.
    seconds = max(1.0, milliseconds / 1000) if milliseconds > 0 else 0.0
    if engine.takes_function(peer, name):
        engine.register(peer, name, now, seconds)


def _cant_do(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    # Its running jobs stay with it until it ends them or leaves: programs that stop unregister
    # first, and then finish what they have. gearmand gives those jobs to others as well.
    engine.scheduler.unregister(peer, frame.body.partition(b"\0")[0])


def _reset_abilities(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    engine.answer(peer, _unregister_all(engine, peer))


def _unregister_all(engine: Engine, peer: Peer) -> Iterator[bytes]:
    for done, name in enumerate(list(peer.abilities), 1):
        engine.scheduler.unregister(peer, name)
        if done % SLICE == 0:
            yield b""  # nothing is answered


def _pre_sleep(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    engine.scheduler.sleep(peer)


def _assign(job: ServerJob) -> tuple[int, bytes]:
    return _JOB_ASSIGN, b"%b\0%b\0" % (job.handle, job.function.name)


def assign_unique(job: ServerJob) -> tuple[int, bytes]:
    """Return JOB_ASSIGN_UNIQ for a job, without its payload."""
    name = job.function.name
    return _JOB_ASSIGN_UNIQ, b"\0".join((job.handle, name, job.unique or b"", b""))


def _assign_all(job: ServerJob) -> tuple[int, bytes]:
    if job.reducer is None:
        return assign_unique(job)
    name = job.function.name
    return _JOB_ASSIGN_ALL, b"\0".join((job.handle, name, job.unique or b"", job.reducer, b""))


def _grab(assign_packet: AssignPacket) -> Rule:
    def rule(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
        engine.scheduler.grab(peer, assign_packet, now)

    return rule


Act = Callable[[Engine, ServerJob, Frame], None]


def _work(text: bytes, act: Act, payload: bool = False) -> Rule:
    """Return the rule of a packet that only the worker that has the job may send.

    Args:
        text: What a worker is told that has no such job.
        act: What the packet does.
        payload: Whether the packet has a payload. Perl's workers leave out an empty one, and the
            NUL before it.
    """

    def rule(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
        body = frame.body
        end = body.find(b"\0")
        if end < 0:
            job = peer.assigned.get(body)
            if payload:
                frame = Frame(frame.key, body + b"\0")
        else:
            job = peer.assigned.get(body[:end])
        if job is None or job.holder is not peer:
            engine.send_error(peer, b"JOB_NOT_FOUND", text)
            return
        act(engine, job, frame)

    return rule


def _complete(engine: Engine, job: ServerJob, frame: Frame) -> None:
    engine.forward(job, frame)
    engine.remove(job, "completed", frame)


def _fail(engine: Engine, job: ServerJob, frame: Frame) -> None:
    engine.tallies.fail(job)
    engine.forward(job, frame)
    engine.remove(job, "failed")


def _exception(engine: Engine, job: ServerJob, frame: Frame) -> None:
    engine.tallies.fail(job)
    asked = {client: times for client, times in job.clients.items() if client.exceptions}
    others = {client: times for client, times in job.clients.items() if not client.exceptions}
    engine.send_to_all(asked, _WORK_EXCEPTION, frame.body)
    engine.send_to_all(others, WORK_FAIL, job.handle)
    if job.holder is not None:
        job.holder.last_exception_handle = job.handle
    engine.remove(job, "exception", frame)


def _status(engine: Engine, job: ServerJob, frame: Frame) -> None:
    _, numerator, denominator = frame.body.split(b"\0", 2)
    # Kept until the next one, whatever its length: no more than a number needs.
    job.numerator, job.denominator = numerator[:_LONGEST_NUMBER], denominator[:_LONGEST_NUMBER]
    engine.forward(job, frame)


def _work_status(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    if frame.body.count(b"\0") < 2:
        _refuse_count(engine, peer, frame)
    else:
        _WORK_STATUS(engine, peer, frame, now)


def _work_fail(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
    if peer.last_exception_handle and frame.body == peer.last_exception_handle:
        # Perl's workers send WORK_FAIL after WORK_EXCEPTION, and end at an ERROR.
        peer.last_exception_handle = b""
    else:
        _WORK_FAIL(engine, peer, frame, now)


_WORK_STATUS: Final = _work(_UNKNOWN_JOB, _status)
_WORK_FAIL: Final = _work(_UNKNOWN_JOB, _fail)


_SUBMITS: Final[dict[PacketType, Rule]] = {
    PacketType.SUBMIT_JOB: _submit(Precedence.NORMAL, background=False),
    PacketType.SUBMIT_JOB_HIGH: _submit(Precedence.HIGH, background=False),
    PacketType.SUBMIT_JOB_LOW: _submit(Precedence.LOW, background=False),
    PacketType.SUBMIT_JOB_BG: _submit(Precedence.NORMAL, True),
    PacketType.SUBMIT_JOB_HIGH_BG: _submit(Precedence.HIGH, background=True),
    PacketType.SUBMIT_JOB_LOW_BG: _submit(Precedence.LOW, background=True),
    PacketType.SUBMIT_JOB_EPOCH: _submit_epoch,
    PacketType.SUBMIT_REDUCE_JOB: _submit_reduce(background=False),
    PacketType.SUBMIT_REDUCE_JOB_BACKGROUND: _submit_reduce(background=True),
}
_WORK: Final[dict[PacketType, Rule]] = {
    PacketType.WORK_STATUS: _work_status,
    PacketType.WORK_COMPLETE: _work(_UNKNOWN_JOB, _complete, payload=True),
    PacketType.WORK_FAIL: _work_fail,
    PacketType.WORK_EXCEPTION: _work(_NO_EXCEPTION, _exception, payload=True),
    PacketType.WORK_DATA: _work(_NO_SUCH_JOB, Engine.forward, payload=True),
    PacketType.WORK_WARNING: _work(_NO_SUCH_JOB, Engine.forward, payload=True),
}
_RULES: Final[dict[PacketType, Rule]] = {
    **_SUBMITS,
    **_WORK,
    PacketType.CAN_DO: _can_do,
    PacketType.CAN_DO_TIMEOUT: _can_do_timeout,
    PacketType.CANT_DO: _cant_do,
    PacketType.RESET_ABILITIES: _reset_abilities,
    PacketType.PRE_SLEEP: _pre_sleep,
    PacketType.GRAB_JOB: _grab(_assign),
    PacketType.GRAB_JOB_UNIQ: _grab(assign_unique),
    PacketType.GRAB_JOB_ALL: _grab(_assign_all),
    PacketType.GET_STATUS: _get_status,
    PacketType.GET_STATUS_UNIQUE: _get_status_unique,
    PacketType.ECHO_REQ: _echo,
    PacketType.OPTION_REQ: _option,
    PacketType.SET_CLIENT_ID: _set_client_id,
}
_UNUSED_TYPE: Final = 5


def packet_rules() -> dict[int, Rule]:
    """Return the rules of all packets, by the first eight bytes of a frame."""
    known = [_UNUSED_TYPE, *PacketType]
    rules: dict[int, Rule] = {}
    rules.update({frame_key(Magic.RES, number): _wrong_magic for number in known})
    rules.update({frame_key(Magic.REQ, number): _not_expected for number in known})
    rules.update({frame_key(Magic.REQ, number): rule for number, rule in _RULES.items()})
    return rules
