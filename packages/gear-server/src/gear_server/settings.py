"""The settings of a server, for `gear.Server` and `geard` alike, each written once.

The options of the program `geard` alone are in `geard.options`.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gear_server.queue.store import Sync
from gear_server.queue.url import MEMORY, read_queue
from gear_wire.errors import ConfigurationError
from gear_wire.framing import MAX_LINE_SIZE
from gear_wire.link.address import DEFAULT_PORT, Keepalive, check_host, check_port
from gear_wire.link.listen import Listen, find_listen
from gear_wire.link.spin import SPIN
from gear_wire.link.tls import TLSFiles, check_tls_files
from gear_wire.option import Option, document, options_of

UNLIMITED: Final = -1
"""The number of retries that means no limit."""
MAX_PREFIX_SIZE: Final = 63
"""Bytes at the start of a job handle: gearmand's limit, without the NUL at the end."""
MAX_CONNECTIONS: Final = 16_384
"""Connections that may be open: far more than the largest installations have, and 60 MB of memory.
Redis stops at 10,000; gearmand where the system does."""
MAX_PACKET_SIZE: Final = 128 << 20
"""Bytes of data in a packet: twice the largest payloads seen, 64 MiB, and little enough that a few
peers that send so much at once do not bring a small machine down. gearmand has no limit, and
allocates whatever a header announces."""
MAX_SEND_QUEUE: Final = 256 << 20
"""Bytes that may wait for a connection before it is dropped when more comes: four results of 64 MiB
may be on their way to a slow reader. gearmand and gear 0.16 have no limit."""
MAX_NAME_SIZE: Final = 512
"""Bytes of a function's name: the limit of libgearman. gearmand takes up to 8 KiB."""
MAX_MEMORY: Final = 512 << 20
"""Bytes that jobs may take: over a million small ones, or half a million of 600 bytes. gearmand
queues until the system ends it."""
MAX_JOBS: Final = 10_000_000
MAX_QUEUE: Final = MAX_JOBS
"""Jobs of one function: unless it is set, memory alone limits them."""
MAX_FUNCTIONS: Final = 100_000
MAX_FUNCTIONS_PER_WORKER: Final = 50_000
"""Zuul 2 registered each of its jobs for each kind of machine: some ten thousand functions."""
MAX_REGISTRATIONS: Final = 500_000
"""The functions of all workers, each counting its own: 115 MB."""
YEAR: Final = 365 * 86400
LISTEN, TLS, JOBS, QUEUE = "Listen", "TLS", "Jobs", "Queue"
LIMITS, HTTP, METRICS = "Limits", "HTTP", "Metrics"
LOOPBACK: Final = "127.0.0.1"
PROMISE: Final = (
    "With a queue in a file, the promise is at least once. When JOB_CREATED has come for a "
    "background job, it is given out until a worker has ended it: after kill -9 of geard, and with "
    "--queue-sync full (the default) after a loss of power. What ended in the last moments before "
    "a crash may run again. What is not promised: foreground jobs, results, the order among jobs "
    "that came back."
)
"""What a durable queue promises, in these words everywhere."""
NOT_IN_GEARD: Final = ""
"""The group of settings that are fixed in `geard`."""

Text = Annotated[str, Meta(min_length=1)]
Level = Literal["FATAL", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]


def read_port(text: str) -> int | str:
    """Return the number of a service that is given by name; anything else as it is."""
    import socket

    try:
        return text if text.isdecimal() else socket.getservbyname(text, "tcp")
    except OSError:
        return text


def to_http(text: str) -> Listen:
    """Return where to listen for HTTP; a port alone is that of this machine itself.

    Raises:
        ConfigurationError: It is no address to listen on.
    """
    if text.isdecimal():
        return Listen(LOOPBACK, check_port(text, least=0))
    where = find_listen(text)
    if where is None:
        raise ConfigurationError(f"an address for HTTP is [HOST:]PORT, not {text!r}")
    return where


def read_http(text: str) -> str:
    """Return where to listen for HTTP as it is, if it is right.

    Raises:
        ConfigurationError: It is no address to listen on.
    """
    to_http(text)
    return text


def read_prefix(text: str) -> str:
    """Return a prefix for job handles; an empty one for what cannot be one."""
    fits = len(text.encode(errors="surrogateescape")) <= MAX_PREFIX_SIZE
    return text if fits and text.isprintable() and " " not in text else ""


# fmt: off
# One paragraph per setting, as a table.
class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a server listens, what it does with jobs and what it limits.

    Raises:
        TypeError: A value has the wrong type.
        ConfigurationError: A value is out of range.
    """

    port: Annotated[int, Meta(ge=0, le=65535), Option(
        group=LISTEN, short="-p", metavar="PORT", env="GEARMAND_PORT", read=read_port,
        help="port number or service name; 0 picks a free port",
        expected="a number from 0 to 65535 or the name of a service",
    )] = DEFAULT_PORT
    host: Annotated[Text | None, Option(
        group=LISTEN, short="-L", long="listen", aliases=("listen-address",), metavar="ADDRESS",
        read=check_host,
        help="address or host name to listen on; all addresses unless given",
        example="127.0.0.1",
    )] = None
    backlog: Annotated[int, Meta(ge=1, le=65535), Option(
        group=LISTEN, short="-b", metavar="N",
        help="number of connections that may wait to be accepted",
    )] = 1024
    busy_poll: Annotated[int, Meta(ge=0, le=1_000_000), Option(
        group=LISTEN, metavar="MICROSECONDS",
        help="keep polling this long after activity before sleeping, which halves the latency of "
        "jobs that come one at a time but keeps a CPU busy meanwhile; 0 disables",
        program=round(SPIN * 1e6),
    )] = 0
    keepalive: Annotated[bool, Option(
        group=LISTEN,
        help="enable TCP keepalive, to detect peers that vanished; also enabled by the three "
        "options below",
    )] = False
    keepalive_idle: Annotated[int, Meta(ge=1, le=32767), Option(
        group=LISTEN, metavar="SECONDS", implies="keepalive",
        help="idle time before the first keepalive probe",
    )] = 7200
    keepalive_interval: Annotated[int, Meta(ge=1, le=32767), Option(
        group=LISTEN, metavar="SECONDS", implies="keepalive",
        help="time between keepalive probes",
    )] = 75
    keepalive_count: Annotated[int, Meta(ge=1, le=127), Option(
        group=LISTEN, metavar="N", implies="keepalive",
        help="number of unanswered probes before the connection is dropped",
    )] = 9

    ssl_ca: Annotated[Text | None, Option(
        group=TLS, aliases=("ssl-ca-file",), metavar="PATH", env="GEARMAND_CA_CERTIFICATE",
        implies="ssl",
        help="file with the certificates of the authority that clients must present one of; reread "
        "on SIGHUP",
        example="/etc/geard/ca.pem",
    )] = None
    ssl_cert: Annotated[Text | None, Option(
        group=TLS, aliases=("ssl-certificate",), metavar="PATH", env="GEARMAND_SERVER_PEM",
        implies="ssl",
        help="file with the server's certificate; reread on SIGHUP",
        example="/etc/geard/cert.pem",
    )] = None
    ssl_key: Annotated[Text | None, Option(
        group=TLS, metavar="PATH", env="GEARMAND_SERVER_KEY", implies="ssl",
        help="file with the server's private key; reread on SIGHUP",
        example="/etc/geard/key.pem",
    )] = None

    job_retries: Annotated[int, Meta(ge=UNLIMITED, le=255), Option(
        group=JOBS, short="-j", metavar="N",
        help="how many times to try a job whose workers are lost before it fails; 0 and 1 mean "
        "once, -1 means no limit",
        expected="-1 (no limit), 0 (no retries), or between 1 and 255",
        program=UNLIMITED,
    )] = 0
    job_handle_prefix: Annotated[Text | None, Option(
        group=JOBS, metavar="TEXT", read=read_prefix,
        help="prefix of job handles; H: and the host name unless given",
        expected=f"a string of 1 to {MAX_PREFIX_SIZE} bytes without spaces",
        example="H:name",
    )] = None
    worker_wakeup: Annotated[int, Meta(ge=0), Option(
        group=JOBS, short="-w", metavar="N",
        help="how many sleeping workers to wake at first for each new job; 0 wakes all",
    )] = 1
    job_timeout: Annotated[float, Meta(ge=0, le=YEAR), Option(
        group=JOBS, metavar="SECONDS",
        help="how long a worker may have a job before it is requeued, as if the worker were lost; "
        "workers may set less; the text command `jobtimeout` overrides it for one function; 0 "
        "means no limit",
    )] = 0.0
    exceptions: Annotated[bool, Option(
        group=JOBS,
        help="send workers' exceptions to all clients, not just to those that asked for them",
    )] = False
    cancel_running: Annotated[bool, Option(
        group=NOT_IN_GEARD,
        help="whether the text command `cancel job` takes jobs that are running, as gearmand's "
        "does; their clients hear WORK_FAIL, and the worker's result goes nowhere",
        program=True,
    )] = False
    tell_abandoned: Annotated[bool, Option(
        group=NOT_IN_GEARD,
        help="whether the clients of jobs that are running when the server stops hear WORK_FAIL "
        "before their connections are closed",
        program=True,
    )] = False
    tell_cancelled: Annotated[bool, Option(
        group=NOT_IN_GEARD,
        help="whether clients hear WORK_FAIL when a queued job of theirs is cancelled, as from "
        "gearmand",
        program=True,
    )] = False

    queue: Annotated[Text, Option(
        group=QUEUE, metavar="QUEUE", read=read_queue,
        help="where background jobs are kept: memory, or sqlite:PATH for a file, with which they "
        "survive the server, or postgresql://... for a database that several servers share, which "
        "take over the jobs of one that is lost",
        expected="memory, sqlite:PATH or postgresql://...",
    )] = MEMORY
    queue_sync: Annotated[Sync, Option(
        group=QUEUE, metavar="WHEN", read=str.lower,
        help="when JOB_CREATED is sent for a background job that is kept in a file: full, once the "
        "disk has it, or normal, once the operating system has it, so that a loss of power may "
        "lose the last ones",
    )] = "full"
    queue_lease: Annotated[float, Meta(ge=2, le=YEAR), Option(
        group=QUEUE, metavar="SECONDS",
        help="how long a server that shares a database may seem frozen before the others take over "
        "its jobs; the same for all of them",
    )] = 10.0
    queue_patience: Annotated[float, Meta(ge=1, le=YEAR), Option(
        group=QUEUE, metavar="SECONDS",
        help="how long background submissions wait for a database that is away before they are "
        "refused",
    )] = 10.0

    max_connections: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="N",
        help="how many connections may be open; more are closed at once",
    )] = MAX_CONNECTIONS
    max_connections_per_address: Annotated[int, Meta(ge=0), Option(
        group=LIMITS, metavar="N",
        help="how many connections one address may have; more are closed at once; 0 leaves a "
        "quarter of all connections to other addresses, and does not limit this machine itself",
    )] = 0
    first_byte_timeout: Annotated[float, Meta(ge=0, le=YEAR), Option(
        group=LIMITS, metavar="SECONDS",
        help="how long a new connection may be silent before it is closed; 0 means no limit",
    )] = 0.0
    packet_timeout: Annotated[float, Meta(ge=0, le=YEAR), Option(
        group=LIMITS, metavar="SECONDS",
        help="how long a packet or line that has begun may take before its peer is disconnected, "
        "and again for each 256 KiB of it that come; 0 means no limit",
    )] = 60.0
    max_packet_size: Annotated[int, Meta(ge=1, le=0xFFFFFFFF), Option(
        group=LIMITS, metavar="BYTES",
        help="largest packet to accept, in bytes of data; a peer that sends more is disconnected",
    )] = MAX_PACKET_SIZE
    max_jobs: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="N",
        help="how many jobs there may be, queued or running; more are refused",
    )] = MAX_JOBS
    max_queue: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="N",
        help="how many jobs one function may have, unless the text command `maxqueue` sets its own "
        "limit; more are refused",
    )] = MAX_QUEUE
    max_memory: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="BYTES",
        help="how much memory jobs and connections may take: jobs beyond it are refused, and of "
        "the peers, the one that reads too slowly or sends too much is disconnected",
    )] = MAX_MEMORY
    max_functions: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="N",
        help="how many functions there may be; more are refused",
    )] = MAX_FUNCTIONS
    max_functions_per_worker: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="N",
        help="how many functions one worker may register; more are refused",
    )] = MAX_FUNCTIONS_PER_WORKER
    max_registrations: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="N",
        help="how many functions all workers together may register, each counting its own; more "
        "are refused",
    )] = MAX_REGISTRATIONS
    max_send_queue: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="BYTES",
        help="how much may wait to be sent to a peer; a slow reader for which more is waiting is "
        "disconnected",
    )] = MAX_SEND_QUEUE
    max_name_size: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="BYTES",
        help="longest name of a function to accept; an ERROR answers longer ones",
    )] = MAX_NAME_SIZE
    max_line_size: Annotated[int, Meta(ge=1), Option(
        group=LIMITS, metavar="BYTES",
        help="longest text command to accept; a peer that sends more is disconnected",
    )] = MAX_LINE_SIZE

    verbose: Annotated[Level, Option(
        group="Log", metavar="LEVEL", read=str.upper,
        help="minimum level to log, which the text command `verbose` reports: FATAL, ALERT, "
        "CRITICAL, ERROR, WARNING, NOTICE, INFO or DEBUG",
        program="NOTICE",
    )] = "ERROR"

    http: Annotated[Text | None, Option(
        group=HTTP, metavar="[HOST:]PORT", read=read_http,
        help="serve metrics, health checks, a live page, an API and jobs over HTTP; a port alone "
        "is for this machine itself, :PORT for all addresses; with --ssl, over TLS like the other "
        "port; needs gear-server[http]",
        expected="[HOST:]PORT",
        example="127.0.0.1:4731",
    )] = None
    http_token_file: Annotated[Text | None, Option(
        group=HTTP, metavar="PATH",
        help="file with a token that whoever asks over HTTP must send (Authorization: Bearer ...); "
        "reread on SIGHUP",
        example="/etc/geard/http-token",
    )] = None
    gearmand_http: Annotated[Annotated[int, Meta(ge=0, le=65535)] | None, Option(
        group=HTTP, metavar="PORT", read=read_port,
        help="take jobs over HTTP as gearmand does with --protocol http --http-port PORT, on the "
        "addresses of the Gearman port; 0 picks a free port; needs gear-server[http]",
        expected="a number from 0 to 65535 or the name of a service",
        example=8080,
    )] = None

    log_jobs: Annotated[Text | None, Option(
        group="Log", metavar="PATTERNS",
        help="functions whose jobs are logged when they are submitted, assigned and ended: names, "
        "or the beginnings of names with a * at the end, separated by blanks; the text command "
        "`joblog` switches it",
        example="resize image-*",
    )] = None

    metrics_functions: Annotated[int, Meta(ge=0, le=MAX_FUNCTIONS), Option(
        group=METRICS, metavar="N",
        help="functions that /metrics of --http and statsd show by name, those that they have seen "
        "first; the others are shown together as \"other\"",
    )] = 200
    statsd_host: Annotated[Text | None, Option(
        group=METRICS, metavar="HOST", env="STATSD_HOST",
        help="statsd server to send metrics to; none unless given",
        example="127.0.0.1",
    )] = None
    statsd_port: Annotated[int, Meta(ge=1, le=65535), Option(
        group=METRICS, metavar="PORT", env="STATSD_PORT",
        help="UDP port of the statsd server",
    )] = 8125
    statsd_prefix: Annotated[Text | None, Option(
        group=METRICS, metavar="TEXT", env="STATSD_PREFIX",
        help="prefix of all metric names",
        example="geard",
    )] = None
    # fmt: on

    def __post_init__(self) -> None:
        """Check every value."""
        for attribute, option in options_of(type(self)).items():
            value = getattr(self, attribute)
            checked = option.check(value)
            if checked is not value:
                msgspec.structs.force_setattr(self, attribute, checked)

    def tls(self) -> TLSFiles | None:
        """Return the three files of TLS; None if none is given.

        Raises:
            ConfigurationError: One or two of them are missing, or a file does not exist.
        """
        return check_tls_files(self.ssl_key, self.ssl_cert, self.ssl_ca)

    def listen(self) -> Listen:
        """Return where to listen."""
        return Listen(self.host, self.port)

    @property
    def serves_http(self) -> bool:
        """Whether it listens for HTTP, in whichever form."""
        return self.http is not None or self.gearmand_http is not None

    def listen_http(self) -> Listen | None:
        """Return where to listen for HTTP; None if it is off."""
        return None if self.http is None else to_http(self.http)

    def listen_gearmand_http(self) -> Listen | None:
        """Return where to listen for jobs over HTTP in gearmand's form; None if it is off."""
        return None if self.gearmand_http is None else Listen(self.host, self.gearmand_http)

    def probes(self) -> Keepalive:
        """Return the keepalive of connections."""
        return Keepalive(
            self.keepalive, self.keepalive_idle, self.keepalive_interval, self.keepalive_count
        )


document(ServerSettings, "geard")
