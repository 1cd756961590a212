"""What an app holds open while a worker runs, such as a pool of connections."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Generic, TypeVar, cast

from gear_wire.functions.current import current_job

State = TypeVar("State")


class Lifespan(Generic[State]):
    """What `App.lifespan` makes of a function that returns a context manager.

    Args:
        function: The function. Called, this does what it does.
    """

    def __init__(
        self,
        function: Callable[[], AbstractContextManager[State] | AbstractAsyncContextManager[State]],
    ) -> None:
        self._function = function

    def __call__(self) -> AbstractContextManager[State] | AbstractAsyncContextManager[State]:
        """Return the context manager to enter; a worker enters it once a process."""
        return self._function()

    @property
    def state(self) -> State:
        """What the context manager yielded, for the function that runs.

        Raises:
            GearmanError: No job runs here: the function was called directly.
        """
        return cast(State, current_job().state)
