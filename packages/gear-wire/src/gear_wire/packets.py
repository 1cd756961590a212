"""One frozen struct per packet; reading and writing them is in `codec`.

The order of the fields is the order of the arguments on the wire. Only a last field called
``payload`` takes the rest of the packet, NULs and all; every other argument ends at a NUL.
"""

import typing

import msgspec

from gear_wire.enums import PacketType
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey


@typing.dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class BasePacket(msgspec.Struct, frozen=True, gc=False, tag_field="type"):
    """What all packets share: they are values, compared by their arguments."""


class CanDo(BasePacket, tag=1):
    """A worker registers a function."""

    function: FunctionName


class CantDo(BasePacket, tag=2):
    """A worker takes a registration back."""

    function: FunctionName


class ResetAbilities(BasePacket, tag=3):
    """A worker takes all its registrations back."""


class PreSleep(BasePacket, tag=4):
    """A worker is about to wait for a NOOP."""


class Noop(BasePacket, tag=6):
    """The server wakes a sleeping worker."""


class SubmitJob(BasePacket, tag=7):
    """A client submits a foreground job of normal precedence."""

    function: FunctionName
    unique: UniqueKey
    payload: bytes


class JobCreated(BasePacket, tag=8):
    """The server took a job; the answer to the oldest unanswered submission."""

    handle: Handle


class GrabJob(BasePacket, tag=9):
    """A worker asks for a job."""


class NoJob(BasePacket, tag=10):
    """There is nothing to do for the worker that asked."""


class JobAssign(BasePacket, tag=11):
    """The server gives a job to a worker."""

    handle: Handle
    function: FunctionName
    payload: bytes


class WorkStatus(BasePacket, tag=12):
    """How far a job has come, as two decimal numbers."""

    handle: Handle
    numerator: bytes
    denominator: bytes


class WorkComplete(BasePacket, tag=13):
    """A job ended well; the payload is its result."""

    handle: Handle
    payload: bytes


class WorkFail(BasePacket, tag=14):
    """A job failed."""

    handle: Handle


class GetStatus(BasePacket, tag=15):
    """A client asks for the state of a job."""

    handle: Handle


class EchoReq(BasePacket, tag=16):
    """Asks the server to send the payload back."""

    payload: bytes


class EchoRes(BasePacket, tag=17):
    """The payload of an ECHO_REQ."""

    payload: bytes


class SubmitJobBg(BasePacket, tag=18):
    """A client submits a background job of normal precedence."""

    function: FunctionName
    unique: UniqueKey
    payload: bytes


class Error(BasePacket, tag=19):
    """The server refuses a request."""

    code: bytes
    text: bytes


class StatusRes(BasePacket, tag=20):
    """The answer to GET_STATUS; `known` and `running` are ``b"0"`` or ``b"1"``."""

    handle: Handle
    known: bytes
    running: bytes
    numerator: bytes
    denominator: bytes


class SubmitJobHigh(BasePacket, tag=21):
    """A client submits a foreground job of high precedence."""

    function: FunctionName
    unique: UniqueKey
    payload: bytes


class SetClientID(BasePacket, tag=22):
    """A connection introduces itself."""

    client_id: ClientID


class CanDoTimeout(BasePacket, tag=23):
    """A worker registers a function whose jobs may run for so many milliseconds."""

    function: FunctionName
    timeout: bytes


class AllYours(BasePacket, tag=24):
    """A worker belongs to one server alone; gearmand refuses it."""


class WorkException(BasePacket, tag=25):
    """A job ended with an exception, described by the payload."""

    handle: Handle
    payload: bytes


class OptionReq(BasePacket, tag=26):
    """Sets an option of the connection; ``exceptions`` is the only one there is."""

    option: bytes


class OptionRes(BasePacket, tag=27):
    """The option is set."""

    option: bytes


class WorkData(BasePacket, tag=28):
    """A part of a job's result, or news from it."""

    handle: Handle
    payload: bytes


class WorkWarning(BasePacket, tag=29):
    """A warning from a job that goes on."""

    handle: Handle
    payload: bytes


class GrabJobUniq(BasePacket, tag=30):
    """A worker asks for a job and wants to know its unique."""


class JobAssignUnique(BasePacket, tag=31):
    """The server gives a job, with its unique, to a worker."""

    handle: Handle
    function: FunctionName
    unique: UniqueKey
    payload: bytes


class SubmitJobHighBg(BasePacket, tag=32):
    """A client submits a background job of high precedence."""

    function: FunctionName
    unique: UniqueKey
    payload: bytes


class SubmitJobLow(BasePacket, tag=33):
    """A client submits a foreground job of low precedence."""

    function: FunctionName
    unique: UniqueKey
    payload: bytes


class SubmitJobLowBg(BasePacket, tag=34):
    """A client submits a background job of low precedence."""

    function: FunctionName
    unique: UniqueKey
    payload: bytes


class SubmitJobSched(BasePacket, tag=35):
    """A client submits a job by calendar; no server ever took one."""

    function: FunctionName
    unique: UniqueKey
    minute: bytes
    hour: bytes
    day_of_month: bytes
    month: bytes
    day_of_week: bytes
    payload: bytes


class SubmitJobEpoch(BasePacket, tag=36):
    """A client submits a background job to run at a time in seconds since 1970."""

    function: FunctionName
    unique: UniqueKey
    when: bytes
    payload: bytes


class SubmitReduceJob(BasePacket, tag=37):
    """A client submits a foreground job whose parts a reducer combines."""

    function: FunctionName
    unique: UniqueKey
    reducer: FunctionName
    aggregate: bytes
    payload: bytes


class SubmitReduceJobBackground(BasePacket, tag=38):
    """A client submits a background job whose parts a reducer combines."""

    function: FunctionName
    unique: UniqueKey
    reducer: FunctionName
    aggregate: bytes
    payload: bytes


class GrabJobAll(BasePacket, tag=39):
    """A worker asks for a job and wants to know its unique and its reducer."""


class JobAssignAll(BasePacket, tag=40):
    """The server gives a job, with its unique and its reducer, to a worker."""

    handle: Handle
    function: FunctionName
    unique: UniqueKey
    reducer: FunctionName
    payload: bytes


class GetStatusUnique(BasePacket, tag=41):
    """A client asks for the state of a job by its unique."""

    unique: UniqueKey


class StatusResUnique(BasePacket, tag=42):
    """The answer to GET_STATUS_UNIQUE, with the number of clients that wait for the job."""

    unique: UniqueKey
    known: bytes
    running: bytes
    numerator: bytes
    denominator: bytes
    client_count: bytes


def packet_type(struct: type[BasePacket]) -> PacketType:
    """Return the number of a packet's struct."""
    tag = struct.__struct_config__.tag
    assert isinstance(tag, int)
    return PacketType(tag)
