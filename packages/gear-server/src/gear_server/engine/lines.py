"""Lines of text: each is a text command, or shows that the peer speaks another protocol."""

import logging
import re
from typing import TYPE_CHECKING, Final

from gear_server.engine.names import CONTROL, has_control
from gear_server.engine.state import Peer

if TYPE_CHECKING:
    from gear_server.engine.engine import Engine

MAX_WORDS: Final = 5
"""Maximum words of a text command, as in gearmand."""
MOST_UNKNOWN: Final = 16
"""Unknown text commands in a row after which a connection is closed: it speaks something else."""
_HTTP: Final = re.compile(rb"[!-~]+ .*HTTP/[0-9]|host:", re.IGNORECASE)


def handle_line(engine: "Engine", peer: Peer, line: bytes, now: float) -> None:
    """Handle a text command, and queue the answer."""
    line = line.rstrip(b"\r\n")
    words = line.split(b" ")
    rule = engine.text_rules.get(words[0].lower())
    if rule is None:
        _unknown_command(engine, peer, line, words[0], now)
        return
    peer.unknown_commands = 0
    if has_control(line):
        engine.send(peer, CONTROL.line())
        return
    words = [word for word in words if word]
    if len(words) > MAX_WORDS:
        engine.offences.log(now, logging.WARNING, "%r sent a command of %s words", peer, len(words))
        engine.close(peer)
        return
    engine.answer(peer, engine.obey(peer, rule, words, now))


def _unknown_command(engine: "Engine", peer: Peer, line: bytes, word: bytes, now: float) -> None:
    """Answer a text command that there is not, or close the connection of another protocol.

    Any web page can have a browser send a request to a server on its machine. The first lines
    of the request are HTTP's; but the rest, the page's own, would be obeyed.
    """
    peer.unknown_commands += 1
    if _HTTP.match(line) is not None:
        reason = "speaks HTTP"
    elif peer.unknown_commands == MOST_UNKNOWN:
        reason = f"sent {MOST_UNKNOWN} unknown commands in a row"
    else:
        engine.send(peer, b"ERR UNKNOWN_COMMAND Unknown+server+command%b\r\n" % word)
        return
    engine.offences.log(now, logging.WARNING, "%r %s", peer, reason)
    engine.close(peer)
