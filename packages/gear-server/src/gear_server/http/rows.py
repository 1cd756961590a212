r"""What the API shows, as JSON: times are in seconds, ages are relative, so no clocks are compared.

Names are text; bytes of them that are not UTF-8 are written as ``\xff``.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gear_server.engine.counters import Counters

State = Literal["queued", "running", "scheduled"]
PrecedenceName = Literal["high", "normal", "low"]
Kind = Literal["client", "worker", "both", "other"]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


class QueueLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many jobs a function may have when a job of a precedence is submitted; 0 for no limit.

    Attributes:
        high: For jobs of high precedence.
        normal: For jobs of normal precedence.
        low: For jobs of low precedence.
    """

    high: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
    normal: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
    low: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]


class FunctionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A function: its jobs, its workers, and what has happened since the start.

    Attributes:
        name: The function's name.
        queued: Jobs that wait for a worker.
        queued_high: Those of high precedence.
        queued_normal: Those of normal precedence.
        queued_low: Those of low precedence.
        scheduled: Jobs for later.
        running: Jobs that workers have.
        workers: Connections that can do the function's jobs.
        asleep: Those of them that sleep.
        oldest: For how long the oldest queued job has waited; null if none is queued.
        submitted: Jobs accepted, not counting submissions that joined one.
        joined: Submissions that joined a job with the same unique.
        ended: Jobs that have ended, in whatever way.
        completed: Jobs that ended with a result.
        failed: Jobs that failed: their workers said so, or the server stopped while they ran.
        exhausted: Jobs that failed because no attempts were left.
        requeued: How often a job was taken from a worker and queued again.
        cancelled: Jobs that were cancelled.
        refused: Submissions refused because of a limit, or since their job could not be stored.
        timed_out: How often a worker had a job for too long.
        abandoned: Jobs discarded because no client waited for them any more.
        rate: Jobs that ended in the last 5 seconds, per second.
        history: Jobs that ended in each 5 seconds of the last 5 minutes, the oldest first.
        waited: How long jobs waited on average; null if none has started.
        ran: How long jobs ran on average; null if none has left its worker.
        limits: The function's own limits of its queue; null if it has none.
        timeout: How long its jobs may run; 0 for no limit.
    """

    name: str
    queued: Count
    queued_high: Count
    queued_normal: Count
    queued_low: Count
    scheduled: Count
    running: Count
    workers: Count
    asleep: Count
    oldest: Seconds | None
    submitted: Count
    joined: Count
    ended: Count
    completed: Count
    failed: Count
    exhausted: Count
    requeued: Count
    cancelled: Count
    refused: Count
    timed_out: Count
    abandoned: Count
    rate: Seconds
    history: list[int]
    waited: Seconds | None
    ran: Seconds | None
    limits: QueueLimits | None
    timeout: Seconds


class WorkerRef(msgspec.Struct, frozen=True):
    """The worker that has a job.

    Attributes:
        client_id: The ID that it has set.
        address: Its address and port.
    """

    client_id: str
    address: str


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A job that has not ended.

    Attributes:
        handle: Its handle.
        function: The function to run.
        unique: Its unique; null if it has none.
        state: Whether it waits for a worker, runs, or is for later.
        precedence: Its precedence.
        background: Whether it runs even if no client waits for it.
        age: How long ago it was queued; null while it is for later.
        running_for: How long its worker has had it; null unless it runs.
        numerator: Its progress, as a part of `denominator`; null if its worker says no number.
        denominator: The total of which that is a part; 0 if its worker has said nothing.
        retries: How often it was taken from a worker.
        size: Bytes of its data.
        due: In how many seconds it may run; null unless it is for later.
        clients: How many connections wait for it.
        worker: The worker that has it; null unless it runs.
    """

    handle: str
    function: str
    unique: str | None
    state: State
    precedence: PrecedenceName
    background: bool
    age: Seconds | None
    running_for: Seconds | None
    numerator: float | None
    denominator: float | None
    retries: Count
    size: Count
    due: Seconds | None
    clients: Count
    worker: WorkerRef | None


class Assignment(msgspec.Struct, frozen=True):
    """A job that a worker has.

    Attributes:
        handle: The job's handle.
        function: Its function.
        seconds: How long the worker has had it.
    """

    handle: str
    function: str
    seconds: Seconds


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that has registered functions.

    Attributes:
        client_id: The ID that it has set.
        address: Its address and port.
        subject: The subject of its certificate; null without one.
        sleeping: Whether it waits to be woken.
        functions: The first of its functions.
        functions_total: How many functions it has.
        jobs: The first of the jobs that it has.
        jobs_total: How many jobs it has.
    """

    client_id: str
    address: str
    subject: str | None
    sleeping: bool
    functions: list[str]
    functions_total: Count
    jobs: list[Assignment]
    jobs_total: Count


class ConnectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A connection of the Gearman protocol.

    Attributes:
        client_id: The ID that it has set.
        address: Its address and port.
        subject: The subject of its certificate; null without one.
        kind: What it is: it waits for jobs, has registered functions, both, or neither.
        functions: How many functions it has registered.
        submitted: How many jobs it waits for.
        assigned: How many jobs it has to do.
        unsent: Bytes that wait to be sent to it.
        closing: Whether it is closed once they are.
    """

    client_id: str
    address: str
    subject: str | None
    kind: Kind
    functions: Count
    submitted: Count
    assigned: Count
    unsent: Count
    closing: bool


class Connections(msgspec.Struct, kw_only=True):
    """How many connections of each kind there are.

    Attributes:
        client: Those that wait for jobs.
        worker: Those that have registered functions.
        both: Those that do both.
        other: Those that do neither at the moment.
    """

    client: Count = 0
    worker: Count = 0
    both: Count = 0
    other: Count = 0


class LimitRow(msgspec.Struct, frozen=True):
    """A limit of the server.

    Attributes:
        name: The name of the setting.
        limit: The limit.
        used: How much of it is used; null where that is counted for each function or connection.
        refused: How often something was refused, or dropped, because of it.
    """

    name: str
    limit: Count
    used: Count | None
    refused: Count


class Memory(msgspec.Struct, frozen=True):
    """Memory, in bytes.

    Attributes:
        limit: What jobs and connections may take.
        used: What jobs take.
        process: What the process has; 0 where the system does not tell.
    """

    limit: Count
    used: Count
    process: Count


class QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where background jobs are kept.

    Attributes:
        kind: In what they are kept.
        stored: Jobs that are in the store.
        backlog: Changes that wait to be written.
        batches: How often something was written.
        latency: How long that took on average; null if nothing was written.
        adopted: Jobs of other servers that were taken over.
        moved: Jobs that other servers have taken over.
        failure: Why nothing can be stored at the moment; null while all is well.
    """

    kind: Literal["memory", "sqlite", "postgresql"]
    stored: Count
    backlog: Count
    batches: Count
    latency: Seconds | None
    adopted: Count
    moved: Count
    failure: str | None


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """The server.

    Attributes:
        version: Its version.
        pid: Its process ID.
        uptime: How long it has served HTTP.
        draining: Whether it takes no more jobs, since it is about to end.
        functions: How many functions there are.
        jobs: How many jobs there are.
        queued: Those that wait for a worker.
        running: Those that workers have.
        scheduled: Those for later.
        oldest: For how long the oldest queued job has waited; null if none is queued.
        cancel_running: Whether running jobs can be cancelled, too.
        connections: The connections of the Gearman protocol, by kind.
        bytes_in: Bytes received.
        bytes_out: Bytes sent.
        packets: Packets received, by type.
        turns: How often the server has dealt with what had come.
        turn_time: How long that took in all.
        lag: How much too late a timer was at most in the last 5 seconds.
        memory: Its memory.
        limits: Its limits, and what they have refused.
        queue: Where background jobs are kept.
        counters: Counters since the start.
        rate: Jobs that ended in the last 5 seconds, per second.
        history: Jobs that ended in each 5 seconds of the last 5 minutes, the oldest first.
        log_dropped: Log lines that were dropped.
    """

    version: str
    pid: Count
    uptime: Seconds
    draining: bool
    functions: Count
    jobs: Count
    queued: Count
    running: Count
    scheduled: Count
    oldest: Seconds | None
    cancel_running: bool
    connections: Connections
    bytes_in: Count
    bytes_out: Count
    packets: dict[str, int]
    turns: Count
    turn_time: Seconds
    lag: Seconds
    memory: Memory
    limits: list[LimitRow]
    queue: QueueRow
    counters: Counters
    rate: Seconds
    history: list[int]
    log_dropped: Count


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list.

    Attributes:
        total: How many there are on all pages.
        page: The number of this page; the first is 1.
        size: How many there are on a page.
    """

    total: Count
    page: Count
    size: Count


class FunctionPage(Page, frozen=True, kw_only=True):
    """Functions, a page at a time.

    Attributes:
        functions: Those of this page.
        total: How many there are on all pages.
        page: The number of this page; the first is 1.
        size: How many there are on a page.
    """

    functions: list[FunctionRow]


class WorkerPage(Page, frozen=True, kw_only=True):
    """Workers, a page at a time.

    Attributes:
        workers: Those of this page.
        total: How many there are on all pages.
        page: The number of this page; the first is 1.
        size: How many there are on a page.
    """

    workers: list[WorkerRow]


class ConnectionPage(Page, frozen=True, kw_only=True):
    """Connections, a page at a time.

    Attributes:
        connections: Those of this page.
        total: How many there are on all pages.
        page: The number of this page; the first is 1.
        size: How many there are on a page.
    """

    connections: list[ConnectionRow]


class JobPage(Page, frozen=True, kw_only=True):
    """Jobs, a page at a time: those that run, then those that wait, then those for later.

    Attributes:
        jobs: Those of this page.
        total: How many there are on all pages.
        page: The number of this page; the first is 1.
        size: How many there are on a page.
    """

    jobs: list[JobRow]
