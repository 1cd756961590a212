"""The methods by which a subclass of `Server` takes part in what the engine does."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from gear_server.engine.commands import text_rules
from gear_server.engine.engine import Answer, Engine, Rule, TextRule
from gear_server.engine.state import Peer, ServerJob
from gear_server.face.connections import ServerAdminRequest, ServerConnection, as_connection
from gear_server.network.statsd import Statsd
from gear_wire.enums import Magic
from gear_wire.framing import Frame
from gear_wire.handlers import PacketHandlers
from gear_wire.packet import Packet
from gear_wire.table import BY_TYPE, frame_key

_HANDLER_FAILED: Final = b"ERR UNKNOWN_ERROR\r\n"
"""The answer to a text command whose handler raised: the client waits for one."""
_TEXT_HANDLERS: Final = {
    "handleStatus": [b"status"],
    "handleWorkers": [b"workers"],
    "handleCancelJob": [b"cancel", b"job"],
    "handleACLList": [b"acl", b"list"],
    "handleACLGrant": [b"acl", b"grant"],
    "handleACLRevoke": [b"acl", b"revoke"],
    "handleACLSelfRevoke": [b"acl", b"self-revoke"],
}

_PACKET_KEYS: Final = {number: f"packet.{info.number.name}" for number, info in BY_TYPE.items()}


class ServerHandlers(PacketHandlers):
    """Calls the engine's rules, or the methods of a subclass that override them.

    A method that is not overridden is never called: the engine's own rule runs, and no `Packet` is
    made. A method that is overridden replaces the rule, once, when the server starts.

    Attributes:
        log: The logger of the server.
        lock: Held while anything is handled; hold it to look at several things as one.
    """

    log: logging.Logger
    lock: threading.RLock
    _engine: Engine
    _defaults: dict[int, Rule]
    _statsd: Statsd | None

    def _flush_soon(self) -> None:
        raise NotImplementedError

    def getJobForConnection(
        self, connection: ServerConnection, peek: bool = False
    ) -> ServerJob | None:
        """Return the next job for a worker; override it to hold jobs back.

        Args:
            connection: The worker's connection.
            peek: Whether the job stays queued.

        Returns:
            The job; None if there is none for this worker.
        """
        with self.lock:
            return self._engine.scheduler.next_job(connection, peek)

    def _overrides(self, name: str) -> bool:
        """Return whether a subclass of `Server` overrides a method."""
        return getattr(type(self), name) is not getattr(ServerHandlers, name)

    def _install_overrides(self) -> None:
        """Replace the engine's rules by the handlers that a subclass overrides."""
        rules = self._engine.rules
        if self._overrides("handlePacket"):
            rules.update(dict.fromkeys(rules, self._packet_rule("handlePacket")))
            self._engine.unknown = self._packet_rule("handlePacket")
        else:
            for number, info in BY_TYPE.items():
                if self._overrides(info.handler):
                    rules[frame_key(Magic.REQ, number)] = self._packet_rule(info.handler)
        for name, words in _TEXT_HANDLERS.items():
            if self._overrides(name):
                self._engine.text_rules[words[0]] = self._text_rule(name, words)
        if self._overrides("getJobForConnection"):
            self._engine.scheduler.choose = self._choose
        if self._overrides("handleAdminRequest"):
            self._engine.on_line = self._line
        if self._statsd is not None or self._overrides("reportTimingStats"):
            rules.update({key: self._timed(rule) for key, rule in rules.items()})
            self._engine.unknown = self._timed(self._engine.unknown)

    def _timed(self, rule: Rule) -> Rule:
        report = self.reportTimingStats
        if self._overrides("reportTimingStats"):

            def report(ptype: int, duration: float) -> None:
                self._guarded(lambda: self.reportTimingStats(ptype, duration), "reportTimingStats")

        def timed(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
            start = time.monotonic()
            rule(engine, peer, frame, now)
            report(frame.type, time.monotonic() - start)

        return timed

    def _guarded(self, handler: Callable[[], object], name: str) -> bool:
        """Call an override; log what it raises, and return whether it raised nothing.

        That includes SystemExit, which would end the server's thread.
        """
        try:
            handler()
        except BaseException:
            self.log.exception("Exception in %s", name)
            return False
        return True

    def _line(self, peer: Peer, line: bytes, now: float) -> None:
        request = ServerAdminRequest(as_connection(peer), line)
        if not self._guarded(lambda: self.handleAdminRequest(request), "handleAdminRequest"):
            self._engine.send(peer, _HANDLER_FAILED)

    def _packet_rule(self, name: str) -> Rule:
        handler = getattr(self, name)

        def rule(engine: Engine, peer: Peer, frame: Frame, now: float) -> None:
            packet = Packet.from_frame(frame, as_connection(peer))
            self._guarded(lambda: handler(packet), name)

        return rule

    def _text_rule(self, name: str, words: list[bytes]) -> TextRule:
        handler = getattr(self, name)
        default = self._engine.text_rules[words[0]]

        def rule(engine: Engine, peer: Peer, given: list[bytes], now: float) -> Answer:
            if [word.lower() for word in given[: len(words)]] != words:
                return default(engine, peer, given, now)
            request = ServerAdminRequest(as_connection(peer), b" ".join(given) + b"\n")
            return b"" if self._guarded(lambda: handler(request), name) else _HANDLER_FAILED

        return rule

    def _choose(self, peer: Peer, peek: bool) -> ServerJob | None:
        try:
            return self.getJobForConnection(as_connection(peer), peek)
        except BaseException:
            self.log.exception("Exception in getJobForConnection")
            return None

    def _defaultPacketHandler(self, packet: Packet) -> object:
        """Handle a packet as a server without overrides does."""
        frame = Frame(int.from_bytes(packet.code) << 32 | packet.ptype, packet.data)
        peer = packet.connection
        rule = self._defaults.get(frame.key)
        if rule is None or not isinstance(peer, ServerConnection):
            self.log.error("Received packet of unknown type: %r", packet)
            return None
        with self.lock:
            rule(self._engine, peer, frame, time.monotonic())
        self._flush_soon()
        return None

    def handleAdminRequest(self, request: ServerAdminRequest) -> None:
        """Handle and answer a text command; override it for commands of your own."""
        with self.lock:
            self._engine.text(request.connection, request.line, time.monotonic())
        self._flush_soon()

    def _answer(self, request: ServerAdminRequest) -> None:
        words = request.command.split()
        with self.lock:
            rule = text_rules()[words[0].lower()]
            answer = self._engine.obey(request.connection, rule, words, time.monotonic())
            self._engine.answer(request.connection, answer)
        self._flush_soon()

    def handleStatus(self, request: ServerAdminRequest) -> None:
        """Handle ``status``."""
        self._answer(request)

    def handleWorkers(self, request: ServerAdminRequest) -> None:
        """Handle ``workers``."""
        self._answer(request)

    def handleCancelJob(self, request: ServerAdminRequest) -> None:
        """Handle ``cancel job``."""
        self._answer(request)

    def handleACLList(self, request: ServerAdminRequest) -> None:
        """Handle ``acl list``."""
        self._answer(request)

    def handleACLGrant(self, request: ServerAdminRequest) -> None:
        """Handle ``acl grant``."""
        self._answer(request)

    def handleACLRevoke(self, request: ServerAdminRequest) -> None:
        """Handle ``acl revoke``."""
        self._answer(request)

    def handleACLSelfRevoke(self, request: ServerAdminRequest) -> None:
        """Handle ``acl self-revoke``."""
        self._answer(request)

    def handleDisconnect(self, job: ServerJob) -> None:
        """Called for each job of a lost worker; does nothing unless it is overridden."""

    def reportTimingStats(self, ptype: int, duration: float) -> None:
        """Report to statsd how long a packet took; override it to report it elsewhere.

        Args:
            ptype: The packet's number.
            duration: Seconds.
        """
        if self._statsd is not None:
            key = _PACKET_KEYS.get(ptype) or f"packet.{ptype}"
            self._statsd.timing(key, duration * 1000)
            self._statsd.incr(key)
