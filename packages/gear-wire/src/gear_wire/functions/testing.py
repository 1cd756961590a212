"""What `App.testing` returns: a client that needs no server, for threads or for asyncio."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType

from gear_wire.errors import GearmanError
from gear_wire.functions.async_local import AsyncLocalClient, async_local_client
from gear_wire.functions.execution import Middleware
from gear_wire.functions.function import AnyFunction
from gear_wire.functions.lifespan import Lifespan
from gear_wire.functions.local import LocalClient, local_client
from gear_wire.functions.stage import Stage


class Testing(AbstractContextManager[LocalClient], AbstractAsyncContextManager[AsyncLocalClient]):
    """A context manager that gives a client for tests, with the app's lifespan entered.

    ``with`` gives a `LocalClient`, and ``async with`` an `AsyncLocalClient`.

    Args:
        functions: The functions that can be run, by name.
        middlewares: What is entered around each call.
        span: The lifespan; None for none.
    """

    def __init__(
        self,
        functions: Mapping[str, AnyFunction],
        middlewares: Sequence[Middleware],
        span: Lifespan[object] | None,
    ) -> None:
        stage = Stage(functions, middlewares, span, time.monotonic)
        self._local = local_client(stage)
        self._async_local = async_local_client(stage)

    def __enter__(self) -> LocalClient:
        """Enter the lifespan, and return the client.

        Raises:
            GearmanError: An event loop runs here.
        """
        if _loop_runs():
            raise GearmanError("an event loop runs here: write `async with app.testing()`")
        return self._local.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Leave the lifespan."""
        return self._local.__exit__(kind, error, traceback)

    async def __aenter__(self) -> AsyncLocalClient:
        """Enter the lifespan, and return the client."""
        return await self._async_local.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Leave the lifespan."""
        return await self._async_local.__aexit__(kind, error, traceback)


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
