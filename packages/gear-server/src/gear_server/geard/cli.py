"""``geard``: the job server as a program; its life is in `program`."""

import os
import sys
from collections.abc import Mapping, Sequence

from gear_server.geard.configfile import read_tokens, read_toml
from gear_server.geard.daemon import daemonize
from gear_server.geard.options import Options, settle
from gear_server.geard.parser import parse
from gear_server.geard.program import check, rehearse, run
from gear_server.geard.systemd import Notifier, inherited_sockets
from gear_server.queue.schema import SCHEMA
from gear_wire.errors import GearmanError


def read_options(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[Options, list[str]]:
    """Combine the command line, the files that it names and the environment.

    The command line takes precedence, then geard's own file, then gearmand's, then the environment.

    Returns:
        The options, and a sentence for each that is ignored.

    Raises:
        ConfigurationError: Something in them is invalid.
    """
    line = parse(arguments)
    values, notes = line.values, line.notes
    toml, tokens = values.get("config"), values.get("config_file")
    if isinstance(toml, str):
        values = read_toml(toml) | values
    if isinstance(tokens, str):
        given = read_tokens(tokens)
        values, notes = given.values | values, given.notes + notes
    return settle(values, environ), notes


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: The command line without the program's name; by default, that of the process.

    Returns:
        Its exit code: 0, or 1 when it could not start.
    """
    try:
        options, notes = read_options(sys.argv[1:] if arguments is None else arguments, os.environ)
        if options.queue_schema:
            print(SCHEMA, end="")
            return 0
        if options.check_args:
            rehearse(options)
            return 0
        check(options)
        inherited = inherited_sockets(os.environ)
        ready = _nothing if options.foreground else daemonize()
        run(options, notes, inherited, Notifier(os.environ.get("NOTIFY_SOCKET")), ready)
    except (GearmanError, OSError) as error:
        print(f"geard: {_explain(error)}", file=sys.stderr)
        return 1
    return 0


def _nothing() -> None:
    """Do nothing once the server is listening: no parent process is waiting."""


if __name__ == "__main__":
    sys.exit(main())
