"""An administrator of a world, who asks servers by text command and sets limits."""

from typing import TYPE_CHECKING, Final

from gear_wire.text import parse_connection, parse_function_status, parse_job
from simulation.program import Link, Program

if TYPE_CHECKING:
    from simulation.world import World

_TABLES: Final = {
    b"status\n": parse_function_status,
    b"workers\n": parse_connection,
    b"show jobs\n": parse_job,
}
PAUSE: Final = 0.3


class Operator(Program):
    """Somebody who asks each server about everything, one question after the other."""

    kind = "operator"

    def __init__(self, world: "World", number: int) -> None:
        super().__init__(world, number)
        self._asked: dict[Link, bytes] = {}

    def new_session(self, link: Link) -> None:
        return None

    def connected(self, link: Link) -> None:
        self._ask(link)

    def _ask(self, link: Link) -> None:
        if not self.alive or link.line is None or link in self._asked:
            return
        chance, weather = self.world.chance, self.world.weather
        command = chance.pick(list(_TABLES))
        if "limits" in weather.faults and chance.happens(0.5):
            limit = 0 if weather.calm else chance.below(3)
            command = b"maxqueue %b %d\n" % (chance.pick(self.world.functions), limit)
        self._asked[link] = command
        link.send(command)

    def heard(self, link: Link, line: bytes) -> None:
        command = self._asked[link]
        parse = _TABLES.get(command)
        if parse is None:
            assert line == b"OK\r\n", line
        elif line != b".\n":
            parse(line.rstrip(b"\n"))
            return
        del self._asked[link]
        self.world.clock.after(self.world.chance.between(0.0, PAUSE), self._ask, link)

    def lost(self, link: Link) -> None:
        self._asked.pop(link, None)
