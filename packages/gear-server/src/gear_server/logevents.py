"""The events that the server logs: the name of each, and what its fields are, by its message."""

from collections.abc import Mapping
from typing import Final

import msgspec

OTHER: Final = "other"
"""The event of lines that are not in the table: of libraries, and of programs' own handlers."""


class LogEvent(msgspec.Struct, frozen=True):
    """What a log line reports.

    Attributes:
        name: Its name, which stays when the message is worded anew.
        fields: The names of the message's arguments; empty for what another field says already. A
            `ServerJob` has several fields of its own, wherever it stands.
    """

    name: str
    fields: tuple[str, ...]


def _event(name: str, *fields: str) -> LogEvent:
    return LogEvent(name, fields)


# fmt: off
EVENTS: Final[Mapping[str, LogEvent]] = {
    # The server
    "geard %s listening on %s":
        _event("server.listening", "version", "addresses"),
    "Serving HTTP on %s":
        _event("server.listening_http", "address"),
    "Whoever reaches %s may see, submit and cancel jobs over HTTP: --http-token-file or --ssl lets "
    "in only those who should":
        _event("server.http_open", "address"),
    "%s":
        _event("server.option_ignored", "reason"),
    "Only about %d connections can be open, not %d (max_connections): the limit of open files is "
    "%d; raise it by --file-descriptors or in the system":
        _event("server.few_descriptors", "connections", "wanted", "limit"),
    "Received %s":
        _event("server.signal", "signal"),
    "Reloaded":
        _event("server.reloaded"),
    "Reload failed: %s; keeping the previous state":
        _event("server.reload_failed", "reason"),
    "No longer accepting connections and jobs; waiting for %d jobs for at most %g s":
        _event("server.draining", "jobs", "seconds"),
    "No longer accepting connections and jobs; waiting for %d jobs without a time limit":
        _event("server.draining_all", "jobs"),
    "Grace period of %g s is over (%d jobs running, %d bytes undelivered)":
        _event("server.grace_over", "seconds", "running", "undelivered"),
    "Exiting with %d jobs lost (%d running, %d queued)":
        _event("server.jobs_lost", "jobs", "running", "queued"),
    "geard stopped":
        _event("server.stopped"),
    "Cannot accept connections: %s; %d are open, and new ones wait until others are closed":
        _event("server.accept_paused", "reason", "connections"),
    "Accepting connections again":
        _event("server.accept_resumed"),
    "The certificate %s expires on %s, in %d days":
        _event("certificate.expires", "file", "date", "days"),
    "The certificate %s expired on %s: clients refuse it":
        _event("certificate.expired", "file", "date"),

    # Connections
    "Accepted %r":
        _event("connection.accepted", "peer"),
    "Refused connection from %s port %s: %d connections are open: max_connections":
        _event("connection.refused", "address", "port", "connections"),
    "Refused connection from %s port %s: it has %d connections: max_connections_per_address":
        _event("connection.refused_address", "address", "port", "connections"),
    "Refused TLS connection from %s port %s: %s":
        _event("connection.refused_tls", "address", "port", "reason"),
    "Dropping %r: it sent nothing in %g s":
        _event("connection.silent", "peer", "seconds"),
    "Dropping %r: %d bytes of a %s came, and then too little in %g s":
        _event("connection.unfinished", "peer", "bytes", "part", "seconds"),
    "Dropping %r: %d bytes of it have come, of all connections more than memory allows":
        _event("connection.too_large", "peer", "bytes"),
    "Dropping slow consumer %r: %d bytes unsent":
        _event("connection.slow", "peer", "bytes"),
    "Dropping slow consumer %r: %d bytes unsent when it was closed":
        _event("connection.slow_when_closed", "peer", "bytes"),
    "Dropping slow consumer %r at shutdown: %d bytes unsent":
        _event("connection.slow_at_shutdown", "peer", "bytes"),
    "%r: %s":
        _event("connection.malformed", "peer", "reason"),
    "%r sent a packet of unknown type %s":
        _event("connection.unknown_packet", "peer", "type"),
    "%r sent a command of %s words":
        _event("connection.long_command", "peer", "words"),
    "%r sent %d unknown commands in a row":
        _event("connection.unknown_commands", "peer", "commands"),
    "%r speaks HTTP":
        _event("connection.http", "peer"),
    "Received %s of %s bytes from %r":
        _event("packet.received", "packet", "bytes", "peer"),
    "Received %r from %r":
        _event("text.received", "text", "peer"),
    "Error for %r: %r %r":
        _event("error.sent", "peer", "code", "text"),
    "%s: refused one of %r":
        _event("limit.exceeded", "limit", "peer"),

    # Rights
    "Permission denied to %r, subject %s: may not %s %s":
        _event("access.denied", "peer", "", "right", "function"),
    "Permission denied to %r, subject %s: may not use the command %s":
        _event("access.command_denied", "peer", "", "command"),
    "Unregistered %s, which %r, subject %s, may no longer register":
        _event("access.unregistered", "function", "peer", ""),
    "%r, subject %s, cancels %r":
        _event("access.cancelled", "peer", "", "job"),
    "%r, subject %s: %s":
        _event("access.changed", "peer", "", "command"),
    "The access control list has now %r":
        _event("access.entry_read", "entry"),
    "The access control list has no longer %s":
        _event("access.entry_removed", "entry"),
    "Permission denied to %r, subject %s: may not ask for %s":
        _event("access.page_denied", "peer", "", "page"),
    "Refused HTTP request of %s: wrong token":
        _event("access.wrong_token", "address"),

    # Jobs
    "Requeued %r (attempt %d): %r was lost or too slow":
        _event("job.requeued", "job", "attempt", "worker"),
    "%r timed out on %r":
        _event("job.timed_out", "job", "worker"),
    "Failed %r: no attempts left after %d; %r was lost or too slow":
        _event("job.exhausted", "job", "attempts", "worker"),
    "Discarded %r: no client waits for it any more":
        _event("job.abandoned", "job"),

    # The log of jobs
    "Submitted %r: precedence %s, background %s, %d bytes, by %r":
        _event("job.submitted", "job", "precedence", "background", "bytes", "peer"),
    "Joined %r: background %s, by %r":
        _event("job.joined", "job", "background", "peer"),
    "Assigned %r: waited %s s, to %r":
        _event("job.assigned", "job", "waited", "worker"),
    "Ended %r: %s, precedence %s, background %s, %d bytes, result %d bytes, waited %s s, "
    "ran %s s, client %r, worker %r":
        _event(
            "job.ended", "job", "outcome", "precedence", "background", "bytes", "result_bytes",
            "waited", "ran", "peer", "worker",
        ),

    # The queue
    "Loaded %d jobs from %s so far":
        _event("queue.loading", "jobs", "queue"),
    "Loaded %d jobs from %s":
        _event("queue.loaded", "jobs", "queue"),
    "%d jobs are left in %s: no worker can register their names":
        _event("queue.unusable", "jobs", "queue"),
    "Refusing background jobs: %s":
        _event("queue.refusing", "reason"),
    "Accepting background jobs again":
        _event("queue.accepting"),
    "Holding back the jobs in %s: others may take this server for dead":
        _event("queue.holding", "queue"),
    "Giving out the jobs in %s again":
        _event("queue.giving", "queue"),
    "Ending the session of server %d, which seems frozen":
        _event("queue.session_ended", "server"),
    "Taking over the jobs of server %d, which is gone":
        _event("queue.taking_over", "server"),
    "Took over %d jobs":
        _event("queue.taken_over", "jobs"),
    "%s: forgot %d that waited here":
        _event("queue.moved", "reason", "jobs"),
    "The queue %s does not answer: not everything is written":
        _event("queue.silent", "queue"),
    "Not everything is written: %s":
        _event("queue.unwritten", "reason"),
    "%d jobs stay in %s":
        _event("queue.kept", "jobs", "queue"),
    "The writer of the queue died; ending":
        _event("queue.died"),

    # Faults in the server, or in a subclass of it
    "Exception while handling what %r sent":
        _event("fault.message", "peer"),
    "Exception while looking for a job for %r":
        _event("fault.assignment", "peer"),
    "Exception while answering %s %s":
        _event("fault.request", "method", "path"),
    "Exception while making events":
        _event("fault.events"),
    "Exception in %s":
        _event("fault.handler", "handler"),
    "Exception in handleDisconnect of %r":
        _event("fault.disconnect", "job"),
    "Exception in getJobForConnection":
        _event("fault.choice"),
    "Received packet of unknown type: %r":
        _event("fault.packet", "packet"),

    # The log itself
    "%s: %d more, not logged":
        _event("log.suppressed", "subject", "lines"),
    "Log lines lost: %d; %s":
        _event("log.lost", "lines", "reason"),
}
# fmt: on
"""Every event that the loggers ``gear.Server`` and below have, by the message of its lines."""
