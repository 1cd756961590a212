"""A conversation with a server over several connections, byte for byte; its steps are in `script`.

What is sent and expected may hold names in braces. In what is sent, a name that is new becomes a
word that no other conversation uses; in what is expected, it takes whatever the server sent there
(a job handle, a descriptor). From then on it stands for that same word, and no other name does.
``{_}`` takes any word and forgets it. ``{+2}`` is the time two seconds from now, in seconds since
1970.
"""

from __future__ import annotations

import itertools
import re
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gear_wire.enums import PacketType

if TYPE_CHECKING:
    from .daemons import Server

WAIT: Final = 10.0
HEADER: Final = struct.Struct(">4sII")
_NAME: Final = re.compile(rb"\{(\+?\w+)\}")
_WORD: Final = rb"[^\0\t\r\n ]+"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Packet:
    """A packet whose arguments may hold names: its length is not known before they are."""

    magic: bytes
    type: int
    body: bytes

    def __repr__(self) -> str:
        known = self.type in list(PacketType)
        return f"{PacketType(self.type).name if known else self.type} {self.body!r}"


Message = bytes | Packet


def req(ptype: int, *arguments: bytes) -> Packet:
    """A packet as clients and workers send it."""
    return Packet(b"\0REQ", ptype, b"\0".join(arguments))


def res(ptype: int, *arguments: bytes) -> Packet:
    """A packet as servers send it."""
    return Packet(b"\0RES", ptype, b"\0".join(arguments))


def encode(packet: Packet) -> bytes:
    return HEADER.pack(packet.magic, packet.type, len(packet.body)) + packet.body


def measure(data: bytes | bytearray) -> int:
    """Return the size of the first message; 0 when it is not whole."""
    if data[:1] != b"\0":
        return data.find(b"\n") + 1
    if len(data) < HEADER.size:
        return 0
    size = HEADER.size + int.from_bytes(data[8:12])
    return size if size <= len(data) else 0


def cut(data: bytes) -> list[bytes]:
    """Cut bytes into the messages that they are."""
    messages = []
    while data:
        size = measure(data)
        assert size, f"{data!r} is no whole message"
        messages.append(data[:size])
        data = data[size:]
    return messages


def decode(message: bytes) -> Message:
    """Return a message in the form in which it is shown."""
    if message[0] or len(message) < HEADER.size:
        return message
    magic, ptype, _ = HEADER.unpack_from(message)
    return Packet(magic, ptype, message[HEADER.size :])


def flatten(expected: tuple[Message, ...]) -> list[Message]:
    """Return one item a message, where literal bytes may hold several."""
    flat: list[Message] = []
    for message in expected:
        if isinstance(message, Packet):
            flat.append(message)
            continue
        flat.extend(map(decode, cut(message)))
    return flat


class Closed(AssertionError):
    """The server closed a connection, after it had sent these messages."""

    def __init__(self, heard: list[bytes]) -> None:
        super().__init__(f"closed by the server after {list(map(decode, heard))}")
        self.heard = heard


class Line:
    """One connection to the server, read message by message."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), WAIT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._came = bytearray()

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            raise Closed([]) from None

    def receive(self) -> bytes:
        """Return the next message, whenever it comes."""
        while not (size := measure(self._came)):
            try:
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                raise AssertionError(f"nothing came after {bytes(self._came)!r}") from None
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed([bytes(self._came)] if self._came else [])
            self._came += data
        message = bytes(self._came[:size])
        del self._came[:size]
        return message

    def exchange(self, data: bytes) -> list[bytes]:
        """Send something and an echo in one go; return all that comes before the echo is back."""
        token = b"echo %d" % next(_numbers)
        end = encode(res(PacketType.ECHO_RES, token))
        heard: list[bytes] = []
        try:
            self.send(data + encode(req(PacketType.ECHO_REQ, token)))
            while (message := self.receive()) != end:
                heard.append(message)
        except Closed as closed:
            raise Closed(heard + closed.heard) from None
        return heard

    def close(self) -> None:
        self._socket.close()


class Conversation:
    """Named connections to one server, and the names that came up so far."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.names: dict[str, bytes] = {}
        self._lines: dict[str, Line] = {}

    def line(self, who: str) -> Line:
        """Return a connection, made when it is first needed."""
        if who not in self._lines:
            self._lines[who] = Line(self.server.host, self.server.port)
        return self._lines[who]

    def hang_up(self, who: str) -> None:
        self._lines.pop(who).close()

    def end(self) -> None:
        """See that nothing unexpected is left to hear."""
        for who, line in self._lines.items():
            assert [decode(message) for message in line.exchange(b"")] == [], who

    def close(self) -> None:
        for who in list(self._lines):
            self.hang_up(who)

    def fill(self, message: Message | tuple[Message, ...]) -> bytes:
        """Return the bytes to send."""
        if isinstance(message, tuple):
            return b"".join(map(self.fill, message))
        if isinstance(message, bytes):
            return _NAME.sub(self._word, message)
        return encode(Packet(message.magic, message.type, _NAME.sub(self._word, message.body)))

    def _word(self, match: re.Match[bytes]) -> bytes:
        name = match[1].decode()
        if name.startswith("+"):
            return b"%d" % (time.time() + int(name))
        return self.names.setdefault(name, b"%b.%d" % (match[1], next(_numbers)))

    def matches(self, expected: Message, message: bytes) -> bool:
        """Compare a message with what is expected, and learn its new names."""
        came = decode(message)
        if isinstance(expected, bytes) or isinstance(came, bytes):
            return (
                isinstance(expected, bytes)
                and isinstance(came, bytes)
                and self._learn(expected, came)
            )
        same = (expected.magic, expected.type) == (came.magic, came.type)
        return same and self._learn(expected.body, came.body)

    def _learn(self, template: bytes, came: bytes) -> bool:
        pattern = b""
        end = 0
        seen: set[str] = set()
        for match in _NAME.finditer(template):
            pattern += re.escape(template[end : match.start()])
            end = match.end()
            name = match[1].decode()
            if name in self.names:
                pattern += re.escape(self.names[name])
            elif name == "_":
                pattern += _WORD
            elif name in seen:
                pattern += b"(?P=%b)" % match[1]
            else:
                pattern += b"(?P<%b>%b)" % (match[1], _WORD)
                seen.add(name)
        # What follows the last name may be large: too large for a pattern.
        head, tail = came[: len(came) - len(template) + end], template[end:]
        found = re.fullmatch(pattern, head)
        if found is None or head + tail != came:
            return False
        names = self.names | found.groupdict()
        if len(set(names.values())) < len(names):
            return False
        self.names = names
        return True

    def check(self, who: str, expected: tuple[Message, ...], messages: list[bytes]) -> None:
        """Compare all messages with those expected, one by one."""
        wanted = flatten(expected)
        same = len(wanted) == len(messages) and all(map(self.matches, wanted, messages))
        came = [decode(message) for message in messages]
        assert same, f"{who} expected {wanted} and heard {came}, where {self.names}"
