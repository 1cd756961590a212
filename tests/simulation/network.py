"""The connections of a world: bytes in their order, but late, in other pieces, and cut off."""

from collections.abc import Callable

from simulation.clock import Clock
from simulation.weather import Weather


class Pipe:
    """One direction of a connection.

    Args:
        clock: The clock of the world.
        weather: Says how long bytes travel.
        readable: Called when bytes have come, or the end.

    Attributes:
        unread: How many bytes were sent and are not read.
        ended: Whether all has come, and nothing more will.
    """

    def __init__(self, clock: Clock, weather: Weather, readable: Callable[[], object]) -> None:
        self.unread = 0
        self.ended = False
        self._clock = clock
        self._weather = weather
        self._readable = readable
        self._come = b""
        self._last = 0.0
        self._broken = False

    def send(self, data: bytes) -> None:
        self.unread += len(data)
        chance = self._weather.chance
        if len(data) > 1 and chance.happens(0.2):
            place = 1 + chance.below(len(data) - 1)
            self._travel(self._arrive, data[:place])
            data = data[place:]
        self._travel(self._arrive, data)

    def end(self) -> None:
        """Send the end, after all that was sent before."""
        self._travel(self._arrive, b"")

    def _travel(self, arrive: Callable[[bytes], object], data: bytes) -> None:
        self._last = max(self._last, self._clock.now + self._weather.latency())
        self._clock.at(self._last, arrive, data)

    def _arrive(self, data: bytes) -> None:
        if self._broken:
            return
        self._come += data
        self.ended = not data
        self._readable()

    def break_(self) -> None:
        """Lose what is on its way, and all that is still sent."""
        self._broken = True

    @property
    def has_more(self) -> bool:
        """Whether there is something to read."""
        return bool(self._come)

    def read(self, size: int) -> bytes:
        """Return what has come, but not more than so many bytes."""
        data, self._come = self._come[:size], self._come[size:]
        self.unread -= len(data)
        return data


class Cable:
    """A connection between a program and a server.

    Args:
        clock: The clock of the world.
        weather: Says how long bytes travel.
        at_server: Called when the server can read.
        at_program: Called when the program can read.

    Attributes:
        up: What goes to the server.
        down: What comes from it.
    """

    def __init__(
        self,
        clock: Clock,
        weather: Weather,
        at_server: Callable[[], object],
        at_program: Callable[[], object],
    ) -> None:
        self.up = Pipe(clock, weather, at_server)
        self.down = Pipe(clock, weather, at_program)

    def break_(self) -> None:
        """Carry nothing any more; the ends find out in their own time."""
        self.up.break_()
        self.down.break_()
