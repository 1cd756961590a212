"""A program as a function: ``gear-worker --exec``, as ``gearman -w``.

The payload is the program's standard input, and its standard output the result. What it writes on
standard error are warnings, and an exit code other than 0 is a failure.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Final

from gear_wire.functions.app import App
from gear_wire.functions.arguments import Bound
from gear_wire.functions.coding import Codec, Kind
from gear_wire.functions.current import current_job
from gear_wire.functions.function import FunctionOptions, StreamFunction

CHUNK: Final = 64 * 1024
"""How much of the output is sent at a time, in bytes, and the longest warning."""
PATIENCE: Final = 5.0
"""Seconds between SIGTERM and SIGKILL for a program that is to end."""


class ProgramFailed(Exception):
    """A program ended with an exit code other than 0, or by a signal."""


EXPECTED: Final = (ProgramFailed, OSError)
"""What is logged in a line, without a traceback: the program's fault, or that of its name."""


class _Bytes:
    """Payload and results as they are: for a stream too, which the usual functions encode."""

    raw: bool = True
    arguments_type: object = bytes
    result_type: object = bytes
    kind: Kind = "stream"

    def encode_arguments(
        self,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        beside: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the payload of a call."""
        (payload,) = args
        assert isinstance(payload, bytes)
        return payload

    def decode_arguments(self, payload: bytes) -> Bound:
        """Return what to call the function with."""
        return [payload], {}

    def decode_beside(self, payload: bytes) -> Mapping[str, object]:
        """Return nothing: the program is given all that there is."""
        return {}

    def encode_result(self, value: object) -> bytes:
        """Return a part of the output."""
        assert isinstance(value, bytes)
        return value

    def decode_result(self, data: bytes) -> object:
        """Return a part of the output."""
        return data


class _Streaming(StreamFunction[[bytes], AsyncIterator[bytes], bytes]):
    """A stream of bytes as they are."""

    @property
    def codec(self) -> Codec:
        """What leaves payload and output alone."""
        return _Bytes()


def program_app(
    name: str, command: Sequence[str], *, stream: bool = False, timeout: float | None = None
) -> App:
    """Return an app whose one function runs a program.

    Args:
        name: The function's name.
        command: The program and its arguments.
        stream: Whether the output is sent as it comes, instead of whole at the end.
        timeout: Seconds that the program may take; None for no limit.
    """
    app = App()
    if stream:

        async def run_streaming(payload: bytes) -> AsyncIterator[bytes]:
            async with contextlib.aclosing(run_program(command, payload)) as parts:
                async for part in parts:
                    yield part

        options = FunctionOptions(timeout=timeout, raises=EXPECTED)
        app.functions[name] = _Streaming(name, run_streaming, options)
        return app

    @app.function(name, timeout=timeout, raises=EXPECTED)
    async def run_whole(payload: bytes) -> bytes:
        async with contextlib.aclosing(run_program(command, payload)) as parts:
            return b"".join([part async for part in parts])

    return app


async def run_program(command: Sequence[str], payload: bytes) -> AsyncGenerator[bytes]:
    """Run a program and give its output as it comes.

    The program has a process group of its own, which ends with this: Ctrl-C at a terminal is the
    worker's business, not the program's.

    Args:
        command: The program and its arguments.
        payload: Its standard input.

    Raises:
        ProgramFailed: Its exit code was not 0.
        OSError: It could not be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, limit=CHUNK,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    beside = [
        asyncio.create_task(_feed(process.stdin, payload)),
        asyncio.create_task(_warn(process.stderr)),
    ]
    try:
        while part := await process.stdout.read(CHUNK):
            yield part
        await asyncio.gather(*beside)
        code = await process.wait()
    finally:
        for task in beside:
            task.cancel()
        await _end(process)
        await asyncio.gather(*beside, return_exceptions=True)
    if code:
        raise ProgramFailed(_describe(command[0], code))


def _describe(program: str, code: int) -> str:
    if code > 0:
        return f"{program} ended with exit code {code}"
    try:
        return f"{program} was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"{program} was ended by signal {-code}"


async def _feed(stream: asyncio.StreamWriter, payload: bytes) -> None:
    # A program need not read what it is given.
    with contextlib.suppress(OSError):
        stream.write(payload)
        await stream.drain()
    stream.close()
    with contextlib.suppress(OSError):
        await stream.wait_closed()


async def _warn(stream: asyncio.StreamReader) -> None:
    """Send each line as a warning."""
    job = current_job()
    while line := await _line(stream):
        job.warning(line.rstrip(b"\r\n"))


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program that still runs, with all that it has started."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    # The program, if it ignored that; and what it had started, which may have.
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
