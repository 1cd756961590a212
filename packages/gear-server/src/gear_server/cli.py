"""``geard``: the job server as a program; what it serves is in `engine`."""

import argparse
import logging
import logging.config
import os
import signal
import sys
import threading
from collections.abc import Sequence

from gear_server.__about__ import __version__
from gear_server.config import BACKLOG, MAX_PACKET_SIZE, read_acl
from gear_server.daemon import PidFile, daemonize
from gear_server.engine import UNLIMITED
from gear_server.server import Server
from gear_wire.errors import GearmanError
from gear_wire.link.address import DEFAULT_PORT

GRACE = 10.0
"""Seconds that running jobs have to end when the server is told to stop."""
LEVELS = ["FATAL", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]
_LOGGING_LEVELS = dict.fromkeys(LEVELS[:3], logging.CRITICAL) | {
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "NOTICE": logging.INFO,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="geard",
        description="A Gearman job server.",
        epilog="The environment variables STATSD_HOST, STATSD_PORT and STATSD_PREFIX name a "
        "statsd server that gets measurements.",
    )
    parser.add_argument("-d", dest="foreground", action="store_true", help="do not run as a daemon")
    parser.add_argument(
        "-p", "--port", default=str(DEFAULT_PORT), help="port to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--listen-address",
        "--listen",
        dest="host",
        metavar="ADDRESS",
        help="address or name to listen on (default: all)",
    )
    parser.add_argument("--log-config", metavar="PATH", help="logging configuration file")
    parser.add_argument("--pidfile", metavar="PATH", help="file to write the process number to")
    tls = parser.add_argument_group("TLS", "the three files go together")
    tls.add_argument("--ssl-ca", metavar="PATH", help="certificates of the authority")
    tls.add_argument("--ssl-cert", metavar="PATH", help="certificate of the server")
    tls.add_argument("--ssl-key", metavar="PATH", help="private key of the server")
    tls.add_argument("--acl", metavar="PATH", help="access control list; needs TLS")
    tcp = parser.add_argument_group("TCP")
    tcp.add_argument("--keepalive", action="store_true", help="switch TCP keepalive on")
    for name, default, text in (
        ("idle", 7200, "seconds without traffic before the first probe"),
        ("interval", 75, "seconds between probes"),
        ("count", 9, "probes without answer before a connection is given up"),
    ):
        tcp.add_argument(
            f"--keepalive-{name}",
            type=int,
            default=default,
            metavar="N",
            help=f"{text} (default: %(default)s)",
        )
    tcp.add_argument(
        "--backlog",
        type=int,
        default=BACKLOG,
        metavar="N",
        help="connections that may wait to be accepted (default: %(default)s)",
    )
    _add_job_options(parser.add_argument_group("Jobs"))
    parser.add_argument("--version", action="version", version=f"geard {__version__}")
    return parser


def _add_job_options(jobs: argparse._ArgumentGroup) -> None:
    jobs.add_argument(
        "--job-retries",
        type=int,
        default=UNLIMITED,
        metavar="N",
        help="how often a job that its worker lost is given out again; 0 for never, -1 for no "
        "limit (default: %(default)s)",
    )
    jobs.add_argument(
        "--job-handle-prefix",
        metavar="TEXT",
        help="what job handles begin with (default: H: and the name of the host)",
    )
    jobs.add_argument(
        "--worker-wakeup",
        type=int,
        default=1,
        metavar="N",
        help="sleeping workers that a job wakes at first; 0 for all (default: %(default)s)",
    )
    jobs.add_argument(
        "--exceptions", action="store_true", help="send exceptions to clients that did not ask"
    )
    jobs.add_argument(
        "--max-packet-size",
        type=int,
        default=MAX_PACKET_SIZE,
        metavar="BYTES",
        help="the largest packet taken (default: %(default)s)",
    )
    jobs.add_argument(
        "--grace",
        type=float,
        default=GRACE,
        metavar="SECONDS",
        help="how long running jobs may go on after SIGTERM (default: %(default)s)",
    )
    jobs.add_argument(
        "--verbose",
        type=str.upper,
        choices=LEVELS,
        default="INFO",
        metavar="LEVEL",
        help=f"what to log: {', '.join(LEVELS)} (default: %(default)s)",
    )


def _start_logging(config: str | None, level: str) -> None:
    if config is not None:
        logging.config.fileConfig(config, disable_existing_loggers=False)
        return
    logging.basicConfig(
        level=_LOGGING_LEVELS[level], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def _start_server(options: argparse.Namespace) -> Server:
    if options.acl is not None and options.ssl_key is None:
        raise GearmanError("--acl names the subjects of certificates: it needs the --ssl options")
    return Server(
        options.port,
        options.ssl_key,
        options.ssl_cert,
        options.ssl_ca,
        os.environ.get("STATSD_HOST"),
        os.environ.get("STATSD_PORT", "8125"),
        os.environ.get("STATSD_PREFIX"),
        acl=None if options.acl is None else read_acl(options.acl),
        host=options.host,
        keepalive=options.keepalive,
        tcp_keepidle=options.keepalive_idle,
        tcp_keepintvl=options.keepalive_interval,
        tcp_keepcnt=options.keepalive_count,
        job_retries=options.job_retries,
        job_handle_prefix=options.job_handle_prefix,
        worker_wakeup=options.worker_wakeup,
        exceptions=options.exceptions,
        max_packet_size=options.max_packet_size,
        backlog=options.backlog,
        verbose=options.verbose,
        cancel_running=True,
    )


_STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}


def _serve(server: Server, grace: float) -> None:
    """Wait for a signal; then let running jobs end, unless a second signal comes."""
    first = signal.sigwait(_STOPPING)
    if first == signal.SIGINT:
        return
    # SIGUSR1 waits for the last job, as gearmand; SIGTERM only so long.
    limit = None if first == signal.SIGUSR1 else grace
    waiting = threading.get_ident()

    def drain() -> None:
        server.drain(limit)
        signal.pthread_kill(waiting, signal.SIGTERM)

    threading.Thread(target=drain, name="geard drain", daemon=True).start()
    signal.sigwait(_STOPPING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    options = make_parser().parse_args(arguments)
    # Before any thread starts: all of them must leave these to the main thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    ready = None if options.foreground else daemonize()
    server = None
    try:
        _start_logging(options.log_config, options.verbose)
        with PidFile(options.pidfile):
            server = _start_server(options)
            logging.getLogger("gear.Server").info(
                "geard %s listens on %s port %s", __version__, server.host or "*", server.port
            )
            if ready is not None:
                ready()
            _serve(server, options.grace)
    except (GearmanError, OSError, KeyError, ValueError) as error:
        print(f"geard: {error}", file=sys.stderr)
        return 1
    finally:
        if server is not None:
            server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
