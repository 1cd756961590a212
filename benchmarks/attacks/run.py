"""The command line: ``hatch run attacks --help``."""

import argparse
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.kinds import ATTACKS
from benchmarks.attacks.report import HEAD, Row, as_line, as_table
from benchmarks.attacks.trial import Trial
from benchmarks.certificates import make_certificates
from benchmarks.environments import SetupError, build_ours, default_python
from benchmarks.machine import describe_gearmand, describe_machine, describe_python
from benchmarks.question import placements
from benchmarks.run import DESCRIPTORS, tell
from benchmarks.servers import ServerError, TLSFiles, geard, gearmand

ALL = "all"
ALL_TITLE = "all of them that need no TLS, at once"
ALL_TIMES = 3
"""How much longer all at once take than one."""
PREPARING = 40.0
QUICK_SECONDS = 0.3
QUICK_DIVISOR = 100


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="hatch run attacks", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="NAMES",
        help=f"attacks, separated by commas: {', '.join(ATTACKS)}, or {ALL} for the last row",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S",
        help="measured time of each part of a row (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--gearmand", action="store_true", help="attack gearmand, too")
    parser.add_argument(
        "--quick", action="store_true",
        help="short attacks of small counts: shows that all works, measures no rates",
    )  # fmt: skip
    parser.add_argument(
        "--python", default=default_python(), metavar="PATH",
        help="the interpreter that geard runs on (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--installed", type=Path, metavar="PATH",
        help="an interpreter that has gear already, instead of building this checkout",
    )  # fmt: skip
    return parser


def chosen_rows(only: str) -> list[tuple[str, str, list[Attack]]]:
    """Return name, title and attacks of each row that is asked for; of all for an empty list.

    Raises:
        SetupError: There is no such attack.
    """
    rows = [(attack.name, attack.title, [attack]) for attack in ATTACKS.values()]
    rows.append((ALL, ALL_TITLE, [attack for attack in ATTACKS.values() if not attack.tls]))
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in (ALL, *ATTACKS):
            raise SetupError(f"there is no attack {name}")
    return [row for row in rows if not names or row[0] in names]


def attack(options: argparse.Namespace, python: Path, tls: TLSFiles) -> list[Row]:
    """Run the rows and return them.

    Raises:
        SetupError: There is no such attack.
        ServerError: A server does not start.
    """
    placement = placements()[0]
    if placement.load_core is not None:
        os.sched_setaffinity(0, {placement.load_core})
    rows = []
    tell(HEAD)
    for name, title, attacks in chosen_rows(options.only):
        seconds = QUICK_SECONDS if options.quick else options.seconds
        divisor = QUICK_DIVISOR if options.quick else 1
        times = ALL_TIMES if name == ALL else 1
        rest = (seconds * times, PREPARING, divisor, placement.server_core, tls)
        ours = Trial(geard(python), *rest).run(attacks)
        compared = options.gearmand and not any(attack.tls for attack in attacks)
        theirs = Trial(gearmand(), *rest).run(attacks) if compared else None
        judged = not options.quick and name != ALL
        rows.append(Row(name, title, judged, ours, theirs))
        tell(as_line(rows[-1]))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the attacks; returns the exit code: 1 when a floor is not met."""
    options = make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started, too
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    machine = ", ".join(str(value) for value in describe_machine().values())
    try:
        chosen_rows(options.only)
        python = options.installed or build_ours(options.python)
        with tempfile.TemporaryDirectory() as folder:
            rows = attack(options, python, make_certificates(Path(folder)))
        on = describe_python(python)
    except KeyboardInterrupt:
        return 130
    except (SetupError, ServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{machine}; {on['python']}; {on['versions']}")
    sys.stdout.write(f"; {describe_gearmand()}\n" if options.gearmand else "\n")
    sys.stdout.write(f"{as_table(rows)}\n")
    return int(any(row.faults() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
