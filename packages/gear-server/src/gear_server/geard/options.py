"""The options of `geard`: the settings of a server, and those of the program alone."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gear_server.settings import (
    HTTP,
    JOBS,
    LIMITS,
    LISTEN,
    METRICS,
    PROMISE,
    QUEUE,
    TLS,
    YEAR,
    ServerSettings,
    Text,
)
from gear_wire.errors import ConfigurationError
from gear_wire.option import Option, options_of

START, LOG = "Start", "Log"
GROUPS: Final = (START, LISTEN, TLS, JOBS, QUEUE, LIMITS, LOG, HTTP, METRICS)
NOTES: Final = {QUEUE: PROMISE}
"""What the help says of a group."""
LogFormat = Literal["text", "json"]


# fmt: off
# One paragraph per option, as a table.
class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `geard`.

    Attributes:
        settings: Those of the server.
    """

    foreground: Annotated[bool, Option(
        group=START, short="-d",
        help="do not run as a daemon; note that gearmand's -d means the opposite",
    )] = False
    config: Annotated[Text | None, Option(
        group=START, metavar="PATH", in_files=False,
        help="TOML configuration file: a table [geard] whose keys are the long options without "
        "the dashes; the command line takes precedence",
    )] = None
    config_file: Annotated[Text | None, Option(
        group=START, metavar="PATH", in_files=False,
        help="gearmand configuration file: command-line options separated by spaces or newlines",
    )] = None
    pid_file: Annotated[Text | None, Option(
        group=START, short="-P", aliases=("pidfile",), metavar="PATH",
        help="file to write the process ID to; removed on exit",
        example="/run/geard.pid",
    )] = None
    port_file: Annotated[Text | None, Option(
        group=START, metavar="PATH",
        help="file to write the port to once the server is listening, for use with -p 0; removed "
        "on exit",
        example="/run/geard.port",
    )] = None
    user: Annotated[Text | None, Option(
        group=START, short="-u", metavar="NAME",
        help="switch to this user after binding the port; files are opened as this user",
        example="gearman",
    )] = None
    file_descriptors: Annotated[Annotated[int, Meta(ge=1, le=1 << 30)] | None, Option(
        group=START, short="-f", metavar="N",
        help="maximum number of open files and connections; what --max-connections needs, as far "
        "as the system allows, unless given",
        expected=f"a whole number from 1 to {1 << 30}",
        example=65536,
    )] = None
    check_args: Annotated[bool, Option(
        group=START, in_files=False,
        help="check the options and the files that they name, and exit: with code 0 if the server "
        "could start, else 1",
    )] = False

    ssl: Annotated[bool, Option(
        group=TLS,
        help="accept only TLS connections from clients that present a certificate; requires "
        "--ssl-ca, --ssl-cert and --ssl-key, each of which implies it",
    )] = False
    acl: Annotated[Text | None, Option(
        group=TLS, metavar="PATH",
        help="access control list, by the subjects of client certificates; reread on SIGHUP",
        example="/etc/geard/acl.ini",
    )] = None

    grace: Annotated[float, Meta(ge=0, le=YEAR), Option(
        group=JOBS, metavar="SECONDS",
        help="how long after SIGTERM running jobs may continue and their results be delivered",
    )] = 10.0

    queue_schema: Annotated[bool, Option(
        group=QUEUE, in_files=False,
        help="print the statements that make the tables of a queue in PostgreSQL, and exit",
    )] = False

    log_file: Annotated[Text | None, Option(
        group=LOG, short="-l", metavar="PATH",
        help="log file, reopened on SIGHUP; or stderr, or none (default: stderr with -d; without, "
        "/var/log/geard/geard.log if that directory exists, else syslog)",
        example="stderr",
    )] = None
    log_format: Annotated[LogFormat, Option(
        group=LOG, metavar="FORMAT", read=str.lower,
        help="text, or json: one object a line, with the name of the event and its fields",
    )] = "text"
    log_config: Annotated[Text | None, Option(
        group=LOG, metavar="PATH",
        help="logging configuration file in the format of Python's logging.config.fileConfig, "
        "which replaces the other log options; reread on SIGHUP",
        example="/etc/geard/logging.ini",
    )] = None
    syslog: Annotated[bool, Option(
        group=LOG,
        help="log to syslog as well",
    )] = False

    settings: ServerSettings = msgspec.structs.replace(ServerSettings(), **{
        attribute: option.program_default
        for attribute, option in options_of(ServerSettings).items()
    })
# fmt: on


OPTIONS: Final[Mapping[str, Option]] = {
    **options_of(Options),
    **{name: option for name, option in options_of(ServerSettings).items() if option.group},
}
"""Every option by the name of its attribute."""
BY_KEY: Final[Mapping[str, str]] = {
    name: attribute
    for attribute, option in OPTIONS.items()
    for name in (option.name, *option.aliases)
}
"""The attribute for every long name."""


def settle(given: Mapping[str, object], environ: Mapping[str, str]) -> Options:
    """Return all options, given some of them by the names of their attributes.

    Args:
        given: Those of the command line and the files.
        environ: The environment, for those that are not given.

    Raises:
        ConfigurationError: An environment variable has an invalid value.
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
                raise ConfigurationError(f"environment variable {option.env}: {error}") from error
    if not values.get("ssl"):
        for attribute in ("ssl_ca", "ssl_cert", "ssl_key"):
            values.pop(attribute, None)
    program = {name: values.pop(name) for name in options_of(Options) if name in values}
    defaults = msgspec.structs.asdict(Options().settings)
    settings = msgspec.convert(defaults | values, ServerSettings)
    return msgspec.convert(program | {"settings": settings}, Options)
