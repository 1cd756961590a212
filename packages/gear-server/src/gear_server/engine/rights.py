"""Which right each packet and each text command needs, if the server has an access control list.

Without an entry, a subject may do what needs no right: that changes nothing but its own connection,
and shows nothing but the server's version.
"""

import enum
from typing import Final

from gear_wire.enums import PacketType


class Right(enum.Enum):
    """What a subject must be allowed to do.

    Attributes:
        NONE: Nothing.
        OWN: To have the job that the packet names, which only the worker of a job has.
        ENTRY: To be on the list.
        REGISTER: To register the function.
        INVOKE: To submit jobs to the function.
        SUBMITTED: To have submitted the job, or `SEE`; it is not there for others.
        SEE: To see others' jobs and connections.
        CANCEL: To invoke the job's function, or `ADMIN`.
        ADMIN: To change the server's functions and limits, and others' jobs.
        GRANT: To see and change the list.
    """

    NONE = "nothing"
    OWN = "own"
    ENTRY = "entry"
    REGISTER = "register"
    INVOKE = "invoke"
    SUBMITTED = "submitted"
    SEE = "see"
    CANCEL = "cancel"
    ADMIN = "admin"
    GRANT = "grant"


PACKETS: Final = {
    PacketType.ECHO_REQ: Right.NONE,
    PacketType.OPTION_REQ: Right.NONE,
    PacketType.SET_CLIENT_ID: Right.NONE,
    # For a worker without functions, there is never a job.
    PacketType.PRE_SLEEP: Right.NONE,
    PacketType.GRAB_JOB: Right.NONE,
    PacketType.GRAB_JOB_UNIQ: Right.NONE,
    PacketType.GRAB_JOB_ALL: Right.NONE,
    PacketType.CANT_DO: Right.NONE,
    PacketType.RESET_ABILITIES: Right.NONE,
    PacketType.CAN_DO: Right.REGISTER,
    PacketType.CAN_DO_TIMEOUT: Right.REGISTER,
    PacketType.WORK_DATA: Right.OWN,
    PacketType.WORK_WARNING: Right.OWN,
    PacketType.WORK_STATUS: Right.OWN,
    PacketType.WORK_COMPLETE: Right.OWN,
    PacketType.WORK_FAIL: Right.OWN,
    PacketType.WORK_EXCEPTION: Right.OWN,
    PacketType.SUBMIT_JOB: Right.INVOKE,
    PacketType.SUBMIT_JOB_BG: Right.INVOKE,
    PacketType.SUBMIT_JOB_HIGH: Right.INVOKE,
    PacketType.SUBMIT_JOB_HIGH_BG: Right.INVOKE,
    PacketType.SUBMIT_JOB_LOW: Right.INVOKE,
    PacketType.SUBMIT_JOB_LOW_BG: Right.INVOKE,
    PacketType.SUBMIT_JOB_EPOCH: Right.INVOKE,
    PacketType.SUBMIT_REDUCE_JOB: Right.INVOKE,
    PacketType.SUBMIT_REDUCE_JOB_BACKGROUND: Right.INVOKE,
    PacketType.GET_STATUS: Right.SUBMITTED,
    PacketType.GET_STATUS_UNIQUE: Right.SUBMITTED,
}
"""The right that each packet needs."""

COMMANDS: Final = {
    b"version": Right.NONE,
    b"getpid": Right.SEE,
    b"verbose": Right.SEE,
    b"status": Right.SEE,
    b"prioritystatus": Right.SEE,
    b"workers": Right.SEE,
    b"show": Right.SEE,
    b"cancel": Right.CANCEL,
    b"create": Right.ADMIN,
    b"drop": Right.ADMIN,
    b"maxqueue": Right.ADMIN,
    b"jobtimeout": Right.ADMIN,
    b"joblog": Right.ADMIN,
    b"acl": Right.ENTRY,
    b"acl list": Right.GRANT,
    b"acl grant": Right.GRANT,
    b"acl revoke": Right.GRANT,
    b"acl self-revoke": Right.ENTRY,
}
"""The right that each text command needs, by its first word, or its first two."""


def right_for(words: list[bytes]) -> Right:
    """Return the right that a text command needs; one that is not in the table needs ADMIN."""
    first = words[0].lower()
    return COMMANDS.get(b" ".join([first, *words[1:2]]).lower()) or COMMANDS.get(first, Right.ADMIN)
