"""Lines of text: each is a text command, or shows that the peer speaks another protocol."""

import logging
import re
from collections.abc import Callable, Container
from typing import Final

from gear_server.engine.names import CONTROL, has_control
from gear_server.engine.state import Peer
from gear_wire.loglimit import LogLimit

MAX_WORDS: Final = 5
"""Maximum words of a text command, as in gearmand."""
MOST_UNKNOWN: Final = 16
"""Unknown text commands in a row after which a connection is closed: it speaks something else."""
_HTTP: Final = re.compile(rb"[!-~]+ .*HTTP/[0-9]|host:", re.IGNORECASE)


class Lines:
    """Reads the text commands of connections.

    Args:
        commands: The first words of those that there are.
        send: Queues an answer.
        close: Closes a connection.
        offences: Logs why.
    """

    def __init__(
        self,
        commands: Container[bytes],
        send: Callable[[Peer, bytes], None],
        close: Callable[[Peer], None],
        offences: LogLimit,
    ) -> None:
        self._commands = commands
        self._send = send
        self._close = close
        self._offences = offences

    def read(self, peer: Peer, line: bytes, now: float) -> list[bytes] | None:
        """Return the words of a command; None if it is none, and was dealt with."""
        line = line.rstrip(b"\r\n")
        words = line.split(b" ")
        if words[0].lower() not in self._commands:
            self._refuse(peer, line, words[0], now)
            return None
        peer.unknown_commands = 0
        if has_control(line):
            self._send(peer, CONTROL.line())
            return None
        words = [word for word in words if word]
        if len(words) > MAX_WORDS:
            self._offences.log(
                now, logging.WARNING, "%r sent a command of %s words", peer, len(words)
            )
            self._close(peer)
            return None
        return words

    def _refuse(self, peer: Peer, line: bytes, word: bytes, now: float) -> None:
        """Answer a text command that there is not, or close the connection of another protocol.

        Any web page can have a browser send a request to a server on its machine. The first lines
        of the request are HTTP's; but the rest, the page's own, would be obeyed.
        """
        peer.unknown_commands += 1
        if _HTTP.match(line) is not None:
            self._offences.log(now, logging.WARNING, "%r speaks HTTP", peer)
        elif peer.unknown_commands == MOST_UNKNOWN:
            self._offences.log(
                now, logging.WARNING, "%r sent %d unknown commands in a row", peer, MOST_UNKNOWN
            )
        else:
            self._send(peer, b"ERR UNKNOWN_COMMAND Unknown+server+command%b\r\n" % word)
            return
        self._close(peer)
