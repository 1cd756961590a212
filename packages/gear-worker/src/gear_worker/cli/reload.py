"""Runs the worker in a child process, and restarts it when source changes; for development."""

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

from gear_worker.cli.logs import start_logging
from gear_worker.cli.options import Options

LOOK: Final = 0.2
"""Seconds between two looks at the child, when no file changes."""
log: Final = logging.getLogger("gear.Worker.reload")


def child_command(arguments: Sequence[str]) -> list[str]:
    """Return the command line of the worker itself: that of this process without ``--reload``."""
    kept = [word for word in arguments if word != "--reload"]
    return [sys.executable, "-m", "gear_worker.cli", *kept]


class Child:
    """The worker's process, as often as it is started.

    Args:
        command: Its command line.
        grace: Seconds that it may take to end.
    """

    def __init__(self, command: Sequence[str], grace: float) -> None:
        self._command = command
        self._grace = grace
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. In a process group of its own: Ctrl-C at a terminal is for its parent."""
        environment = os.environ | {"GEAR_WORKER_RELOAD": ""}
        self._process = subprocess.Popen(self._command, env=environment, process_group=0)

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def ended(self) -> int | None:
        """Return its exit code once, when it has ended; None otherwise."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            self._process = None
        return code

    def stop(self) -> int:
        """Have it end, and return its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            # It keeps to its grace by itself; what hangs longer is ended.
            return self._process.wait(self._grace + 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._process = None


def _watch(found: "queue.SimpleQueue[set[str]]", stopping: threading.Event) -> None:
    """Tell of each change of source below the current directory."""
    import watchfiles

    # Without a time limit: watchfiles forgets what comes just when one is over.
    for changes in watchfiles.watch(
        ".", watch_filter=watchfiles.PythonFilter(), stop_event=stopping, rust_timeout=0
    ):
        found.put({os.path.relpath(path) for _, path in changes})


def run_reloading(options: Options, arguments: Sequence[str] | None = None) -> int:
    """Run the worker until a signal comes; returns its exit code.

    Args:
        options: How it logs, and how long its jobs may take to end.
        arguments: The command line without the program's name; by default, that of the process.
    """
    start_logging(options.log_level, options.log_format)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    command = child_command(sys.argv[1:] if arguments is None else arguments)
    child = Child(command, options.settings.grace)
    found: queue.SimpleQueue[set[str]] = queue.SimpleQueue()
    stopping = threading.Event()

    def stop(number: int, frame: object) -> None:
        if stopping.is_set():
            child.signal(number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    watcher = threading.Thread(target=_watch, args=(found, stopping), daemon=True)
    watcher.start()
    child.start()
    while not stopping.is_set():
        try:
            files = found.get(timeout=LOOK)
        except queue.Empty:
            code = child.ended()
            if code is not None:
                log.warning("The worker ended with exit code %d; the next change starts it", code)
        else:
            log.info("Restarting: %s changed", ", ".join(sorted(files)))
            child.stop()
            child.start()
    code = child.stop()
    watcher.join()
    return code
