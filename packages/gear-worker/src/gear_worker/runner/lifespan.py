"""A lifespan entered, whichever kind of context manager it is."""

import contextlib
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def entered(
    span: contextlib.AbstractContextManager[object]
    | contextlib.AbstractAsyncContextManager[object],
) -> AsyncIterator[object]:
    """Enter a context manager of either kind, and give its value.

    Args:
        span: The context manager.
    """
    if isinstance(span, contextlib.AbstractAsyncContextManager):
        async with span as state:
            yield state
    else:
        with span as state:
            yield state
