"""What happens in a world, a line each, for who looks into one that failed."""

from collections.abc import Callable

from simulation.clock import Clock

Print = Callable[[str], object]


class Trace:
    """Writes down what happens; nothing unless somebody wants to read it.

    Args:
        clock: The clock of the world.
        print_line: Takes each line; None if nobody reads them.
    """

    def __init__(self, clock: Clock, print_line: Print | None) -> None:
        self._clock = clock
        self._print = print_line
        self.wanted = print_line is not None

    def __call__(self, who: object, what: str, detail: object = "") -> None:
        if self._print is not None:
            self._print(f"{self._clock.now:11.6f} {who!s:<12} {what} {detail}".rstrip())
