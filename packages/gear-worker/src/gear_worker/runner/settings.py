"""The settings of a runner, for `gear.run` and ``gear-worker`` alike, each written once."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gear_wire.cli.servers import server_addresses, split_servers
from gear_wire.link.address import ServerAddress
from gear_wire.option import Option, document, options_of

SERVERS, WORK, LIMITS = "Servers", "Work", "Limits"
YEAR: Final = 365 * 86400

Text = Annotated[str, Meta(min_length=1)]
Pool = Literal["threads", "processes", "tasks"]
Killed = Literal["fail", "return"]


# fmt: off
# One paragraph per setting, as a table.
class RunnerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an app is run: for which servers, how many jobs at a time, and where.

    Raises:
        TypeError: A value has the wrong type.
        ConfigurationError: A value is out of range.
    """

    servers: Annotated[tuple[Text, ...], Option(
        group=SERVERS, short="-s", long="server", metavar="HOST[:PORT]", env="GEARMAN_SERVERS",
        read=split_servers,
        help="job servers to take jobs from; localhost unless given",
        expected="servers as HOST, HOST:PORT or [IPV6]:PORT",
        example=["localhost:4730"],
    )] = ()
    ssl_key: Annotated[Text | None, Option(
        group=SERVERS, metavar="FILE", env="GEAR_WORKER_SSL_KEY",
        help="file with the worker's private key, for TLS",
        example="/etc/gear/key.pem",
    )] = None
    ssl_cert: Annotated[Text | None, Option(
        group=SERVERS, metavar="FILE", env="GEAR_WORKER_SSL_CERT",
        help="file with the worker's certificate",
        example="/etc/gear/cert.pem",
    )] = None
    ssl_ca: Annotated[Text | None, Option(
        group=SERVERS, metavar="FILE", env="GEAR_WORKER_SSL_CA",
        help="file with the certificates of the authority that the servers' are checked against",
        example="/etc/gear/ca.pem",
    )] = None
    client_id: Annotated[Text | None, Option(
        group=SERVERS, metavar="NAME", env="GEAR_WORKER_CLIENT_ID",
        help="name by which the servers list this worker; the name of the host unless given",
        example="worker-1",
    )] = None
    heartbeat: Annotated[float, Meta(ge=0, le=YEAR), Option(
        group=SERVERS, metavar="SECONDS", env="GEAR_WORKER_HEARTBEAT",
        help="time without traffic after which a server is asked for an echo; without an answer "
        "in as long again, the connection is made anew; 0 disables",
    )] = 60.0

    pool: Annotated[Pool, Option(
        group=WORK, metavar="KIND", env="GEAR_WORKER_POOL", read=str.lower,
        help="where functions that are not async run: threads, processes, or tasks for an app all "
        "of whose functions are async; async functions are always tasks of the worker itself",
    )] = "threads"
    concurrency: Annotated[int, Meta(ge=1, le=10_000), Option(
        group=WORK, short="-c", metavar="N", env="GEAR_WORKER_CONCURRENCY",
        help="how many jobs to run at a time, and so how many threads or processes there are",
    )] = 10
    grace: Annotated[float, Meta(ge=0, le=YEAR), Option(
        group=WORK, metavar="SECONDS", env="GEAR_WORKER_GRACE",
        help="how long running jobs may go on after SIGTERM or SIGINT; what still runs then is "
        "given back to its server; a second signal ends the wait",
    )] = 30.0
    killed: Annotated[Killed, Option(
        group=WORK, metavar="WHAT", env="GEAR_WORKER_KILLED", read=str.lower,
        help="what becomes of a job whose process died: fail reports an exception, return gives "
        "it back to its server, which has it run again",
    )] = "fail"

    max_jobs: Annotated[int, Meta(ge=0), Option(
        group=LIMITS, metavar="N", env="GEAR_WORKER_MAX_JOBS",
        help="how many jobs a process runs before it is replaced; without --pool processes, that "
        "is the worker itself, which ends for its supervisor to start it again; 0 means no limit",
    )] = 0
    max_memory: Annotated[int, Meta(ge=0), Option(
        group=LIMITS, metavar="MIB", env="GEAR_WORKER_MAX_MEMORY",
        help="how much memory a process may have in use after a job before it is replaced, as for "
        "--max-jobs; 0 means no limit",
    )] = 0
    # fmt: on

    def __post_init__(self) -> None:
        """Check every value."""
        for attribute, option in options_of(type(self)).items():
            value = getattr(self, attribute)
            checked = option.check(value)
            if checked is not value:
                msgspec.structs.force_setattr(self, attribute, checked)
        self.addresses()

    def addresses(self) -> list[ServerAddress]:
        """Return where the servers are, and how to talk to them.

        Raises:
            ConfigurationError: One is no server, or one of the three files of TLS is missing.
        """
        return server_addresses(self.servers, self.ssl_key, self.ssl_cert, self.ssl_ca)


document(RunnerSettings, "gear-worker")


def to_settings(given: object) -> RunnerSettings:
    """Return the settings that a program gave, or the defaults for None.

    Raises:
        TypeError: It gave something else.
    """
    if given is None:
        return RunnerSettings()
    if not isinstance(given, RunnerSettings):
        raise TypeError(
            "settings must be a RunnerSettings, such as RunnerSettings(servers=['localhost']), "
            f"not {given!r}"
        )
    return given
