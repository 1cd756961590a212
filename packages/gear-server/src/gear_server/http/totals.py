"""The metrics of the server as a whole: their names, what they say, and which numbers they show."""

import platform
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from gear_server.http.families import ENDS
from gear_server.http.history import History
from gear_server.http.rows import Server

_Read = Callable[[Server], float]
_ReadBy = Callable[[Server], dict[str, float]]

_GAUGES: Final[tuple[tuple[str, str, _Read], ...]] = (
    ("geard_draining", "Whether the server takes no more jobs, since it is about to end.",
        lambda server: server.draining),
    ("geard_functions", "Functions that the server knows.", lambda server: server.functions),
    ("geard_memory_limit_bytes", "Memory that jobs and connections may take.",
        lambda server: server.memory.limit),
    ("geard_memory_used_bytes", "Memory that jobs take.", lambda server: server.memory.used),
    ("process_resident_memory_bytes", "Memory that the process has; 0 where this is not known.",
        lambda server: server.memory.process),
    ("geard_store_jobs", "Jobs that are in the store of the queue.",
        lambda server: server.queue.stored),
    ("geard_store_backlog_changes", "Changes of jobs that wait to be written to the store.",
        lambda server: server.queue.backlog),
    ("geard_store_failing", "Whether the store takes no jobs at the moment.",
        lambda server: server.queue.failure is not None),
)  # fmt: skip
_COUNTERS: Final[tuple[tuple[str, str, _Read], ...]] = (
    ("process_cpu_seconds", "Time for which the process has kept a processor busy.",
        lambda server: time.process_time()),
    ("geard_received_bytes", "Bytes received, without those of TLS itself.",
        lambda server: server.bytes_in),
    ("geard_sent_bytes", "Bytes sent, without those of TLS itself.",
        lambda server: server.bytes_out),
    ("geard_handshakes_refused", "TLS connections refused in their handshake.",
        lambda server: server.counters.handshakes_refused),
    ("geard_accept_pauses",
        "How often accepting paused since the system had no descriptors left.",
        lambda server: server.counters.accept_pauses),
    ("geard_log_lines_dropped", "Log lines that could not be written.",
        lambda server: server.log_dropped),
    ("geard_store_jobs_written", "Jobs written to the store.",
        lambda server: server.counters.stored),
    ("geard_store_refusals", "Jobs refused because they could not be stored.",
        lambda server: server.counters.refused),
    ("geard_jobs_adopted", "Jobs of other servers on the same store that were taken over.",
        lambda server: server.queue.adopted),
)  # fmt: skip
_GAUGES_BY: Final[tuple[tuple[str, str, str, _ReadBy], ...]] = (
    ("geard_connections", "kind",
        "Connections of the Gearman protocol: they wait for jobs (client), have registered "
        "functions (worker), both, or neither (other).",
        lambda server: {
            "client": server.connections.client, "worker": server.connections.worker,
            "both": server.connections.both, "other": server.connections.other,
        }),
    ("geard_limit", "limit", "The limits of the server, by the names of their settings.",
        lambda server: {row.name: row.limit for row in server.limits}),
    ("geard_limit_used", "limit", "How much of a limit is used.",
        lambda server: {row.name: row.used for row in server.limits if row.used is not None}),
)  # fmt: skip
_COUNTERS_BY: Final[tuple[tuple[str, str, str, _ReadBy], ...]] = (
    ("geard_limit_refusals", "limit",
        "How often something was refused, or a connection dropped, because of a limit.",
        lambda server: {row.name: row.refused for row in server.limits}),
    ("geard_connections_dropped", "reason",
        "Connections dropped: they took too long (overdue), sent more than fits into the memory "
        "(sender), or did not read what they were sent (consumer).",
        lambda server: {
            "overdue": server.counters.connections_overdue,
            "sender": server.counters.senders_dropped,
            "consumer": server.counters.consumers_dropped,
        }),
    ("geard_packets_received", "type", "Packets received.",
        lambda server: dict(server.packets)),
)  # fmt: skip
_SUMMARIES: Final[tuple[tuple[str, str, _Read, _Read], ...]] = (
    ("geard_turn_seconds", "How long the server dealt with what had come at one time.",
        lambda server: server.turns, lambda server: server.turn_time),
    ("geard_store_commit_seconds", "How long it took to write a batch to the store.",
        lambda server: server.counters.batches, lambda server: server.counters.store_time / 1e6),
)  # fmt: skip


def totals(server: Server, history: History, started: float) -> Iterator[Metric]:
    """Yield all metrics of the server.

    Args:
        server: Its numbers.
        history: How late its loop was.
        started: When it began to serve HTTP, in seconds since 1970.
    """
    build = {"version": server.version, "python": platform.python_version()}
    yield InfoMetricFamily("geard_build", "The version of the server and of its Python.", build)
    yield GaugeMetricFamily(
        "geard_start_time_seconds", "When the server began to serve HTTP, since 1970.", started
    )
    for name, text, read in _GAUGES:
        yield GaugeMetricFamily(name, text, read(server))
    for name, text, read in _COUNTERS:
        yield CounterMetricFamily(name, text, read(server))
    for name, label, text, values in _GAUGES_BY:
        gauge = GaugeMetricFamily(name, text, labels=[label])
        for key, value in values(server).items():
            gauge.add_metric([key], value)
        yield gauge
    for name, label, text, values in _COUNTERS_BY:
        counter = CounterMetricFamily(name, text, labels=[label])
        for key, value in values(server).items():
            counter.add_metric([key], value)
        yield counter
    for name, text, count, seconds in _SUMMARIES:
        yield SummaryMetricFamily(name, text, int(count(server)), seconds(server))
    yield HistogramMetricFamily(
        "geard_loop_lag_seconds", "By how much the loop was late, four times a second.",
        [*zip(ENDS, accumulate(history.lags), strict=True)], history.lag_time,
    )  # fmt: skip
