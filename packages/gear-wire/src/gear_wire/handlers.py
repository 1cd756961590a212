"""The overridable methods, one a packet, behind every face; what they do is in the sessions."""

import logging
from typing import Final

from gear_wire.packet import Packet
from gear_wire.table import BY_TYPE

_HANDLERS: Final = {number: info.handler for number, info in BY_TYPE.items()}
HANDLERS: Final = frozenset({"handlePacket", "_defaultPacketHandler", *_HANDLERS.values()})
"""The names of the methods that may be overridden."""


class PacketHandlers:
    """Calls the method of a packet's type; each may be overridden, and may call super.

    Attributes:
        log: The logger of this object.
    """

    log: logging.Logger

    def handlePacket(self, packet: Packet) -> object:
        """Handle any packet: calls the method of its type and returns what that returns.

        Override it for packet types that are not in the protocol.
        """
        name = _HANDLERS.get(packet.ptype)
        if name is None:
            self._unknown_packet(packet)
            return None
        handler = getattr(self, name)
        result: object = handler(packet)
        return result

    def _unknown_packet(self, packet: Packet) -> None:
        self.log.error("Received packet of unknown type %s: %r", packet.ptype, packet)

    def _defaultPacketHandler(self, packet: Packet) -> object:
        self.log.info("Received unhandled packet: %s", packet)
        return None

    def handleCanDo(self, packet: Packet) -> object:
        """Handle CAN_DO: a worker registers a function."""
        return self._defaultPacketHandler(packet)

    def handleCantDo(self, packet: Packet) -> object:
        """Handle CANT_DO: a worker takes a registration back."""
        return self._defaultPacketHandler(packet)

    def handleResetAbilities(self, packet: Packet) -> object:
        """Handle RESET_ABILITIES: a worker takes all its registrations back."""
        return self._defaultPacketHandler(packet)

    def handlePreSleep(self, packet: Packet) -> object:
        """Handle PRE_SLEEP: a worker is about to wait for a NOOP."""
        return self._defaultPacketHandler(packet)

    def handleNoop(self, packet: Packet) -> object:
        """Handle NOOP: the server wakes a sleeping worker."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJob(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB: a client submits a foreground job of normal precedence."""
        return self._defaultPacketHandler(packet)

    def handleJobCreated(self, packet: Packet) -> object:
        """Handle JOB_CREATED."""
        return self._defaultPacketHandler(packet)

    def handleGrabJob(self, packet: Packet) -> object:
        """Handle GRAB_JOB: a worker asks for a job."""
        return self._defaultPacketHandler(packet)

    def handleNoJob(self, packet: Packet) -> object:
        """Handle NO_JOB: there is nothing to do for the worker that asked."""
        return self._defaultPacketHandler(packet)

    def handleJobAssign(self, packet: Packet) -> object:
        """Handle JOB_ASSIGN: the server gives a job to a worker."""
        return self._defaultPacketHandler(packet)

    def handleWorkStatus(self, packet: Packet) -> object:
        """Handle WORK_STATUS: how far a job has come, as two decimal numbers."""
        return self._defaultPacketHandler(packet)

    def handleWorkComplete(self, packet: Packet) -> object:
        """Handle WORK_COMPLETE: a job ended well; the payload is its result."""
        return self._defaultPacketHandler(packet)

    def handleWorkFail(self, packet: Packet) -> object:
        """Handle WORK_FAIL: a job failed."""
        return self._defaultPacketHandler(packet)

    def handleGetStatus(self, packet: Packet) -> object:
        """Handle GET_STATUS: a client asks for the state of a job."""
        return self._defaultPacketHandler(packet)

    def handleEchoReq(self, packet: Packet) -> object:
        """Handle ECHO_REQ: asks the server to send the payload back."""
        return self._defaultPacketHandler(packet)

    def handleEchoRes(self, packet: Packet) -> object:
        """Handle ECHO_RES: the payload of an ECHO_REQ."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJobBg(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB_BG: a client submits a background job of normal precedence."""
        return self._defaultPacketHandler(packet)

    def handleError(self, packet: Packet) -> object:
        """Handle ERROR: the server refuses a request."""
        return self._defaultPacketHandler(packet)

    def handleStatusRes(self, packet: Packet) -> object:
        """Handle STATUS_RES."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJobHigh(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB_HIGH: a client submits a foreground job of high precedence."""
        return self._defaultPacketHandler(packet)

    def handleSetClientID(self, packet: Packet) -> object:
        """Handle SET_CLIENT_ID: a connection introduces itself."""
        return self._defaultPacketHandler(packet)

    def handleCanDoTimeout(self, packet: Packet) -> object:
        """Handle CAN_DO_TIMEOUT."""
        return self._defaultPacketHandler(packet)

    def handleAllYours(self, packet: Packet) -> object:
        """Handle ALL_YOURS: a worker belongs to one server alone; gearmand refuses it."""
        return self._defaultPacketHandler(packet)

    def handleWorkException(self, packet: Packet) -> object:
        """Handle WORK_EXCEPTION: a job ended with an exception, described by the payload."""
        return self._defaultPacketHandler(packet)

    def handleOptionReq(self, packet: Packet) -> object:
        """Handle OPTION_REQ."""
        return self._defaultPacketHandler(packet)

    def handleOptionRes(self, packet: Packet) -> object:
        """Handle OPTION_RES: the option is set."""
        return self._defaultPacketHandler(packet)

    def handleWorkData(self, packet: Packet) -> object:
        """Handle WORK_DATA: a part of a job's result, or news from it."""
        return self._defaultPacketHandler(packet)

    def handleWorkWarning(self, packet: Packet) -> object:
        """Handle WORK_WARNING: a warning from a job that goes on."""
        return self._defaultPacketHandler(packet)

    def handleGrabJobUniq(self, packet: Packet) -> object:
        """Handle GRAB_JOB_UNIQ: a worker asks for a job and wants to know its unique."""
        return self._defaultPacketHandler(packet)

    def handleJobAssignUnique(self, packet: Packet) -> object:
        """Handle JOB_ASSIGN_UNIQ: the server gives a job, with its unique, to a worker."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJobHighBg(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB_HIGH_BG: a client submits a background job of high precedence."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJobLow(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB_LOW: a client submits a foreground job of low precedence."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJobLowBg(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB_LOW_BG: a client submits a background job of low precedence."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJobSched(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB_SCHED: a client submits a job by calendar; no server ever took one."""
        return self._defaultPacketHandler(packet)

    def handleSubmitJobEpoch(self, packet: Packet) -> object:
        """Handle SUBMIT_JOB_EPOCH."""
        return self._defaultPacketHandler(packet)

    def handleSubmitReduceJob(self, packet: Packet) -> object:
        """Handle SUBMIT_REDUCE_JOB."""
        return self._defaultPacketHandler(packet)

    def handleSubmitReduceJobBackground(self, packet: Packet) -> object:
        """Handle SUBMIT_REDUCE_JOB_BACKGROUND."""
        return self._defaultPacketHandler(packet)

    def handleGrabJobAll(self, packet: Packet) -> object:
        """Handle GRAB_JOB_ALL."""
        return self._defaultPacketHandler(packet)

    def handleJobAssignAll(self, packet: Packet) -> object:
        """Handle JOB_ASSIGN_ALL."""
        return self._defaultPacketHandler(packet)

    def handleGetStatusUnique(self, packet: Packet) -> object:
        """Handle GET_STATUS_UNIQUE: a client asks for the state of a job by its unique."""
        return self._defaultPacketHandler(packet)

    def handleStatusResUnique(self, packet: Packet) -> object:
        """Handle STATUS_RES_UNIQUE: the answer to GET_STATUS_UNIQUE."""
        return self._defaultPacketHandler(packet)
