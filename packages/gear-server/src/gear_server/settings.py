"""What can be set of an engine; what the program takes from its user is in `cli`."""

from typing import Final

import msgspec

UNLIMITED: Final = -1
"""Of retries: as many as it takes."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set.

    Attributes:
        handle_prefix: What job handles begin with, before ``:`` and a number.
        job_retries: How often a job that comes back is given out; 0 for once, -1 for no limit.
        worker_wakeup: How many sleepers a new job wakes at first; 0 for all.
        exceptions: Whether every client hears of exceptions without asking.
        cancel_running: Whether ``cancel job`` takes jobs that workers have, as gearmand's does:
            their clients hear WORK_FAIL, and the worker's result goes nowhere. gear 0.16 does not
            know such jobs.
        version: What ``version`` says.
        verbose: What ``verbose`` says.
        pid: What ``getpid`` says.
    """

    handle_prefix: bytes = b"H:localhost"
    job_retries: int = UNLIMITED
    worker_wakeup: int = 1
    exceptions: bool = False
    cancel_running: bool = True
    version: bytes = b"1.0.0"
    verbose: bytes = b"ERROR"
    pid: int = 0
