"""What `geard` can be told: each option once, with type, default and help; `parser` reads them."""

import socket
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gear_server.engine.settings import UNLIMITED
from gear_server.geard.option import Option
from gear_server.network.listening import BACKLOG, MAX_PACKET_SIZE, MAX_SEND_QUEUE
from gear_wire.errors import ConfigurationError
from gear_wire.framing import MAX_LINE_SIZE
from gear_wire.link.address import DEFAULT_PORT
from gear_wire.link.spin import SPIN

MAX_PREFIX_SIZE: Final = 63
"""Bytes of what job handles begin with: gearmand's limit, without the NUL at the end."""
YEAR: Final = 365 * 86400

START, LISTEN, TLS, JOBS, LIMITS, LOG, STATSD = GROUPS = (
    "Start", "Listen", "TLS", "Jobs", "Limits", "Log", "Measurements",
)  # fmt: skip

Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=1, le=0xFFFFFFFF)]
Level = Literal["FATAL", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]


def read_port(text: str) -> int | str:
    """Return the number of a service that is given by name; anything else as it is."""
    try:
        return text if text.isdecimal() else socket.getservbyname(text, "tcp")
    except OSError:
        return text


def read_prefix(text: str) -> str:
    """Return what job handles may begin with; nothing for what they may not."""
    fits = len(text.encode(errors="surrogateescape")) <= MAX_PREFIX_SIZE
    return text if fits and text.isprintable() and " " not in text else ""


# fmt: off
# One paragraph per option, as a table.
class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `geard` is told; the text beside each attribute is its help."""

    foreground: Annotated[bool, Option(
        START, "do not run as a daemon; beware: gearmand's -d says the opposite", "-d",
    )] = False
    config: Annotated[Text | None, Option(
        START, "configuration file in TOML: a table [geard], its keys the long options without "
        "the dashes; what the command line says wins", metavar="PATH", in_files=False,
    )] = None
    config_file: Annotated[Text | None, Option(
        START, "configuration file of gearmand: options as on the command line, between spaces "
        "and line ends", metavar="PATH", in_files=False,
    )] = None
    pid_file: Annotated[Text | None, Option(
        START, "file that holds the process number while the server runs", "-P", ("pidfile",),
        metavar="PATH",
    )] = None
    port_file: Annotated[Text | None, Option(
        START, "file that holds the port while the server listens; for -p 0", metavar="PATH",
    )] = None
    user: Annotated[Text | None, Option(
        START, "become this user after binding; all files are opened as that user", "-u",
        metavar="NAME",
    )] = None
    file_descriptors: Annotated[Annotated[int, Meta(ge=1, le=1 << 30)] | None, Option(
        START, "how many files and connections may be open at a time (default: as it is)", "-f",
        metavar="N", expected=f"a whole number from 1 to {1 << 30}",
    )] = None
    check_args: Annotated[bool, Option(
        START, "check what was given, and the files that it names, and end: code 0 or 1",
        in_files=False,
    )] = False

    port: Annotated[int, Meta(ge=0, le=65535), Option(
        LISTEN, "port to listen on, or its name; 0 for a free one", "-p", metavar="PORT",
        env="GEARMAND_PORT", read=read_port,
        expected="a number from 0 to 65535 or the name of a service",
    )] = DEFAULT_PORT
    listen: Annotated[Text | None, Option(
        LISTEN, "address or name to listen on (default: all addresses)", "-L", ("listen-address",),
        metavar="ADDRESS",
    )] = None
    backlog: Annotated[int, Meta(ge=1, le=65535), Option(
        LISTEN, "connections that may wait to be accepted", "-b", metavar="N",
    )] = BACKLOG
    busy_poll: Annotated[int, Meta(ge=0, le=1_000_000), Option(
        LISTEN, "look for more for so long after something came, before sleeping; 0 for not at "
        "all", metavar="MICROSECONDS",
    )] = round(SPIN * 1e6)
    keepalive: Annotated[bool, Option(
        LISTEN, "switch TCP keepalive on; the three numbers below do it too",
    )] = False
    keepalive_idle: Annotated[int, Meta(ge=1, le=32767), Option(
        LISTEN, "without traffic for so long, the first probe is sent", metavar="SECONDS",
        implies="keepalive",
    )] = 7200
    keepalive_interval: Annotated[int, Meta(ge=1, le=32767), Option(
        LISTEN, "between probes", metavar="SECONDS", implies="keepalive",
    )] = 75
    keepalive_count: Annotated[int, Meta(ge=1, le=127), Option(
        LISTEN, "probes without an answer before a connection is given up", metavar="N",
        implies="keepalive",
    )] = 9

    ssl: Annotated[bool, Option(
        TLS, "speak TLS, and only with clients that show a certificate; needs the next three, "
        "and each of them implies it",
    )] = False
    ssl_ca: Annotated[Text | None, Option(
        TLS, "certificates of the authority", aliases=("ssl-ca-file",), metavar="PATH",
        env="GEARMAND_CA_CERTIFICATE", implies="ssl",
    )] = None
    ssl_cert: Annotated[Text | None, Option(
        TLS, "certificate of the server", aliases=("ssl-certificate",), metavar="PATH",
        env="GEARMAND_SERVER_PEM", implies="ssl",
    )] = None
    ssl_key: Annotated[Text | None, Option(
        TLS, "private key of the server", metavar="PATH", env="GEARMAND_SERVER_KEY",
        implies="ssl",
    )] = None
    acl: Annotated[Text | None, Option(
        TLS, "access control list, by the names in the clients' certificates; read again on "
        "SIGHUP", metavar="PATH",
    )] = None

    job_retries: Annotated[int, Meta(ge=UNLIMITED, le=255), Option(
        JOBS, "how often a job is tried in all when its workers are lost; 0 as 1, -1 for no limit",
        "-j", metavar="N", expected="-1 (no limit), 0 (no retries), or between 1 and 255",
    )] = UNLIMITED
    job_handle_prefix: Annotated[Text | None, Option(
        JOBS, "what job handles begin with (default: H: and the name of the host)",
        metavar="TEXT", read=read_prefix,
        expected=f"a text of 1 to {MAX_PREFIX_SIZE} bytes without spaces",
    )] = None
    worker_wakeup: Annotated[Count, Option(
        JOBS, "sleeping workers that a new job wakes at first; 0 for all", "-w", metavar="N",
    )] = 1
    exceptions: Annotated[bool, Option(
        JOBS, "send workers' exceptions to clients that did not ask for them too",
    )] = False
    grace: Annotated[float, Meta(ge=0, le=YEAR), Option(
        JOBS, "how long running jobs may go on after SIGTERM", metavar="SECONDS",
    )] = 10.0

    max_packet_size: Annotated[Size, Option(
        LIMITS, "data of the largest packet taken", metavar="BYTES",
    )] = MAX_PACKET_SIZE
    max_send_queue: Annotated[Size, Option(
        LIMITS, "a peer that does not read is cut off when more than this waits for it",
        metavar="BYTES",
    )] = MAX_SEND_QUEUE
    max_line_size: Annotated[Size, Option(
        LIMITS, "the longest text command taken", metavar="BYTES",
    )] = MAX_LINE_SIZE

    log_file: Annotated[Text | None, Option(
        LOG, "where to log: a file, opened again on SIGHUP, or stderr, or none (default: stderr "
        "with -d; else /var/log/geard/geard.log if there is that directory, else syslog)", "-l",
        metavar="PATH",
    )] = None
    log_config: Annotated[Text | None, Option(
        LOG, "logging configuration in the form of Python's logging.config, in the place of the "
        "others here; read again on SIGHUP", metavar="PATH",
    )] = None
    syslog: Annotated[bool, Option(LOG, "log to syslog as well")] = False
    verbose: Annotated[Level, Option(
        LOG, "log this and what is worse: FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO "
        "or DEBUG", metavar="LEVEL", read=str.upper,
    )] = "NOTICE"

    statsd_host: Annotated[Text | None, Option(
        STATSD, "statsd server to send measurements to (default: none)", metavar="HOST",
        env="STATSD_HOST",
    )] = None
    statsd_port: Annotated[int, Meta(ge=1, le=65535), Option(
        STATSD, "its port", metavar="PORT", env="STATSD_PORT",
    )] = 8125
    statsd_prefix: Annotated[Text | None, Option(
        STATSD, "what the names of all measurements begin with", metavar="TEXT",
        env="STATSD_PREFIX",
    )] = None
# fmt: on


def _options() -> dict[str, Option]:
    options = {}
    for field in msgspec.structs.fields(Options):
        option = next(note for note in field.type.__metadata__ if isinstance(note, Option))
        options[field.name] = msgspec.structs.replace(
            option, name=field.name.replace("_", "-"), type=field.type, default=field.default
        )
    return options


OPTIONS: Final[Mapping[str, Option]] = _options()
"""Every option by the name of its attribute."""
BY_KEY: Final[Mapping[str, str]] = {
    name: attribute
    for attribute, option in OPTIONS.items()
    for name in (option.name, *option.aliases)
}
"""The attribute for every long name."""


def settle(given: Mapping[str, object], environ: Mapping[str, str]) -> Options:
    """Return all options, of which some are given by their attributes' names.

    Args:
        given: What the command line and the files say.
        environ: The environment, which gives what they leave open.

    Raises:
        ConfigurationError: A variable of the environment has a value that makes no sense.
    """
    values = dict(given)
    for attribute in given:
        implied = OPTIONS[attribute].implies
        if implied:
            values.setdefault(implied, True)
    for attribute, option in OPTIONS.items():
        text = environ.get(option.env) if option.env else None
        if text and attribute not in values and (not option.implies or values.get(option.implies)):
            try:
                values[attribute] = option.from_text(text)
            except ConfigurationError as error:
                raise ConfigurationError(f"{option.env} of the environment: {error}") from error
    return msgspec.convert(values, Options)
