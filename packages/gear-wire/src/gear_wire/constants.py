"""The documented constants: packet numbers, magic codes and precedences as plain values."""

from typing import Final

from gear_wire.enums import Magic, PacketType, Precedence

REQ: Final[bytes] = Magic.REQ.value
RES: Final[bytes] = Magic.RES.value

PRECEDENCE_NORMAL: Final = Precedence.NORMAL
PRECEDENCE_LOW: Final = Precedence.LOW
PRECEDENCE_HIGH: Final = Precedence.HIGH

types: Final[dict[int, str]] = {int(member): member.name for member in PacketType}
"""Packet number to name, as in ``types[7] == "SUBMIT_JOB"``."""

CAN_DO: Final[int] = PacketType.CAN_DO.value
CANT_DO: Final[int] = PacketType.CANT_DO.value
RESET_ABILITIES: Final[int] = PacketType.RESET_ABILITIES.value
PRE_SLEEP: Final[int] = PacketType.PRE_SLEEP.value
NOOP: Final[int] = PacketType.NOOP.value
SUBMIT_JOB: Final[int] = PacketType.SUBMIT_JOB.value
JOB_CREATED: Final[int] = PacketType.JOB_CREATED.value
GRAB_JOB: Final[int] = PacketType.GRAB_JOB.value
NO_JOB: Final[int] = PacketType.NO_JOB.value
JOB_ASSIGN: Final[int] = PacketType.JOB_ASSIGN.value
WORK_STATUS: Final[int] = PacketType.WORK_STATUS.value
WORK_COMPLETE: Final[int] = PacketType.WORK_COMPLETE.value
WORK_FAIL: Final[int] = PacketType.WORK_FAIL.value
GET_STATUS: Final[int] = PacketType.GET_STATUS.value
ECHO_REQ: Final[int] = PacketType.ECHO_REQ.value
ECHO_RES: Final[int] = PacketType.ECHO_RES.value
SUBMIT_JOB_BG: Final[int] = PacketType.SUBMIT_JOB_BG.value
ERROR: Final[int] = PacketType.ERROR.value
STATUS_RES: Final[int] = PacketType.STATUS_RES.value
SUBMIT_JOB_HIGH: Final[int] = PacketType.SUBMIT_JOB_HIGH.value
SET_CLIENT_ID: Final[int] = PacketType.SET_CLIENT_ID.value
CAN_DO_TIMEOUT: Final[int] = PacketType.CAN_DO_TIMEOUT.value
ALL_YOURS: Final[int] = PacketType.ALL_YOURS.value
WORK_EXCEPTION: Final[int] = PacketType.WORK_EXCEPTION.value
OPTION_REQ: Final[int] = PacketType.OPTION_REQ.value
OPTION_RES: Final[int] = PacketType.OPTION_RES.value
WORK_DATA: Final[int] = PacketType.WORK_DATA.value
WORK_WARNING: Final[int] = PacketType.WORK_WARNING.value
GRAB_JOB_UNIQ: Final[int] = PacketType.GRAB_JOB_UNIQ.value
JOB_ASSIGN_UNIQ: Final[int] = PacketType.JOB_ASSIGN_UNIQ.value
SUBMIT_JOB_HIGH_BG: Final[int] = PacketType.SUBMIT_JOB_HIGH_BG.value
SUBMIT_JOB_LOW: Final[int] = PacketType.SUBMIT_JOB_LOW.value
SUBMIT_JOB_LOW_BG: Final[int] = PacketType.SUBMIT_JOB_LOW_BG.value
SUBMIT_JOB_SCHED: Final[int] = PacketType.SUBMIT_JOB_SCHED.value
SUBMIT_JOB_EPOCH: Final[int] = PacketType.SUBMIT_JOB_EPOCH.value
SUBMIT_REDUCE_JOB: Final[int] = PacketType.SUBMIT_REDUCE_JOB.value
SUBMIT_REDUCE_JOB_BACKGROUND: Final[int] = PacketType.SUBMIT_REDUCE_JOB_BACKGROUND.value
GRAB_JOB_ALL: Final[int] = PacketType.GRAB_JOB_ALL.value
JOB_ASSIGN_ALL: Final[int] = PacketType.JOB_ASSIGN_ALL.value
GET_STATUS_UNIQUE: Final[int] = PacketType.GET_STATUS_UNIQUE.value
STATUS_RES_UNIQUE: Final[int] = PacketType.STATUS_RES_UNIQUE.value

__all__ = [
    "ALL_YOURS",
    "CANT_DO",
    "CAN_DO",
    "CAN_DO_TIMEOUT",
    "ECHO_REQ",
    "ECHO_RES",
    "ERROR",
    "GET_STATUS",
    "GET_STATUS_UNIQUE",
    "GRAB_JOB",
    "GRAB_JOB_ALL",
    "GRAB_JOB_UNIQ",
    "JOB_ASSIGN",
    "JOB_ASSIGN_ALL",
    "JOB_ASSIGN_UNIQ",
    "JOB_CREATED",
    "NOOP",
    "NO_JOB",
    "OPTION_REQ",
    "OPTION_RES",
    "PRECEDENCE_HIGH",
    "PRECEDENCE_LOW",
    "PRECEDENCE_NORMAL",
    "PRE_SLEEP",
    "REQ",
    "RES",
    "RESET_ABILITIES",
    "SET_CLIENT_ID",
    "STATUS_RES",
    "STATUS_RES_UNIQUE",
    "SUBMIT_JOB",
    "SUBMIT_JOB_BG",
    "SUBMIT_JOB_EPOCH",
    "SUBMIT_JOB_HIGH",
    "SUBMIT_JOB_HIGH_BG",
    "SUBMIT_JOB_LOW",
    "SUBMIT_JOB_LOW_BG",
    "SUBMIT_JOB_SCHED",
    "SUBMIT_REDUCE_JOB",
    "SUBMIT_REDUCE_JOB_BACKGROUND",
    "WORK_COMPLETE",
    "WORK_DATA",
    "WORK_EXCEPTION",
    "WORK_FAIL",
    "WORK_STATUS",
    "WORK_WARNING",
    "types",
]
