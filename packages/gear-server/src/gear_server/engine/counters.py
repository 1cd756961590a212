"""The counters of a server."""

import msgspec


class Counters(msgspec.Struct):
    """How often something has happened since the start.

    Attributes:
        submitted: Jobs accepted, not counting submissions that joined one.
        joined: Submissions that joined a job with the same unique.
        completed: Jobs that ended with a result; set by `Tallies.read`.
        failed: Jobs that failed: their workers said so, or the server stopped while they ran.
        requeued: How often a job was taken from a worker and queued again.
        exhausted: Jobs that failed because no attempts were left.
        cancelled: Jobs cancelled by a text command.
        timed_out: How often a worker had a job for too long.
        abandoned: Jobs discarded because no client waited for them any more.
        over_max_jobs: Submissions refused since there were too many jobs.
        over_max_memory: Submissions refused since jobs took too much memory.
        over_max_queue: Submissions refused since their function had too many jobs.
        over_max_functions: Submissions and functions refused since there were too many functions.
        over_max_functions_per_worker: Functions refused since their worker had too many.
        over_max_registrations: Functions refused since all workers together had too many.
        connections_refused: Connections refused since too many were open.
        connections_overdue: Connections dropped since their peers took too long: to send something,
            to finish a packet, or to take what was left when they were closed.
        senders_dropped: Connections dropped since what had come of all took too much memory.
        consumers_dropped: Connections dropped since they did not read what they were sent.
        accept_pauses: How often accepting paused since the system had no descriptors left.
        handshakes_refused: TLS connections refused in their handshake.
        stored: Jobs written to the store of the queue.
        confirmed: Background submissions that were answered once their job was stored.
        refused: Background submissions that were refused because their job could not be stored.
        restored: Jobs that were in the store at the start, or came from it since.
        adopted: Jobs of other servers on the same store that were taken over since the start.
        moved: Stored jobs that other servers on the same store have taken over from this one.
        batches: How often something was written to the store.
        store_time: Microseconds that writing took in all.
    """

    submitted: int = 0
    joined: int = 0
    completed: int = 0
    failed: int = 0
    requeued: int = 0
    exhausted: int = 0
    cancelled: int = 0
    timed_out: int = 0
    abandoned: int = 0
    over_max_jobs: int = 0
    over_max_memory: int = 0
    over_max_queue: int = 0
    over_max_functions: int = 0
    over_max_functions_per_worker: int = 0
    over_max_registrations: int = 0
    connections_refused: int = 0
    connections_overdue: int = 0
    senders_dropped: int = 0
    consumers_dropped: int = 0
    accept_pauses: int = 0
    handshakes_refused: int = 0
    stored: int = 0
    confirmed: int = 0
    refused: int = 0
    restored: int = 0
    adopted: int = 0
    moved: int = 0
    batches: int = 0
    store_time: int = 0
