"""The command line: ``hatch run bench --help``."""

import argparse
import json
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.certificates import make_certificates
from benchmarks.chart import draw
from benchmarks.contest import Contest, Result
from benchmarks.entrants import Entrants
from benchmarks.environments import SetupError, default_python
from benchmarks.generator import compile_load
from benchmarks.machine import (
    describe_gearmand,
    describe_machine,
    describe_python,
    describe_redis,
)
from benchmarks.postgresql import Cluster, running_cluster
from benchmarks.question import Question, Scale, placements
from benchmarks.questions import QUESTIONS
from benchmarks.report import as_json, as_lines, as_table, read_floors
from benchmarks.servers import ServerError

DESCRIPTORS = 16_384
QUICK_SECONDS = 0.2
QUICK_DIVISOR = 20


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S",
        help="measured time of a run that time ends (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--only", default="", metavar="1,4", help="numbers of questions")
    parser.add_argument(
        "--entrants", default="", metavar="NAMES",
        help="of gear, memory, gearmand, gearmand-1, gear016, python3-gearman, bare, celery, rq, "
        "dramatiq, taskiq (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="short runs of small counts: shows that all works"
    )
    parser.add_argument(
        "--python", default=default_python(), metavar="PATH",
        help="the interpreter that the Python servers run on (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--installed", action="append", default=[], metavar="NAME=PATH",
        help="an interpreter that has gear already: gear=PATH instead of building this checkout, "
        "another name for one more entrant beside it",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the ratios there")
    return parser


def chosen_questions(only: str) -> list[Question]:
    """Return the questions of a list of numbers; all for an empty one.

    Raises:
        SetupError: There is no such question.
    """
    by_number = {str(question.number): question for question in QUESTIONS}
    numbers = [number.strip() for number in only.split(",") if number.strip()]
    for number in numbers:
        if number not in by_number:
            raise SetupError(f"there is no question {number}")
    return [by_number[number] for number in numbers] or list(QUESTIONS)


def tell(line: str) -> None:
    """Say how far the run is."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def measure(options: argparse.Namespace, entrants: Entrants, folder: Path) -> list[Result]:
    """Run what the options ask for and return what was found.

    Args:
        options: Of the command line.
        entrants: Who takes part.
        folder: For files that are needed only now.

    Raises:
        SetupError: Something that a question needs is not here.
        ServerError: A server that takes part is not here.
    """
    cases = [
        (question, case) for question in chosen_questions(options.only) for case in question.cases
    ]
    # All of them first: what is missing is said at once, and not after half an hour.
    entered = [entrants.of(case) for _, case in cases]
    all_placements = placements()
    results = []
    with ExitStack() as stack:
        cluster: Cluster | None = None
        if any(case.postgresql for _, case in cases):
            cluster = stack.enter_context(running_cluster())
        contest = Contest(
            rounds=1 if options.quick else options.rounds,
            scale=Scale(QUICK_SECONDS, QUICK_DIVISOR) if options.quick else Scale(options.seconds),
            placements=all_placements[:1] if options.quick else all_placements,
            program=compile_load(),
            tls=make_certificates(folder) if any(case.tls for _, case in cases) else None,
            cluster=cluster,
            tell=tell,
        )
        for (question, case), taking_part in zip(cases, entered, strict=True):
            results += contest.run(question, case, taking_part)
    return results


def describe(options: argparse.Namespace, entrants: Entrants) -> dict[str, object]:
    """Return what was measured, on what, and how."""
    pythons = {
        name: describe_python(interpreter) for name, interpreter in entrants.interpreters.items()
    }
    keys = ("rounds", "seconds", "quick", "only")
    return {
        "machine": describe_machine(),
        "gearmand": describe_gearmand(),
        "redis": describe_redis(),
        "pythons": pythons,
        "options": {key: vars(options)[key] for key in keys},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; returns the exit code."""
    options = make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started, too
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    names = frozenset(name for name in options.entrants.split(",") if name)
    installed = dict(item.split("=", 1) for item in options.installed)
    entrants = Entrants(
        options.python, {name: Path(path) for name, path in installed.items()}, names
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = measure(options, entrants, Path(folder))
        found = describe(options, entrants)
    except KeyboardInterrupt:
        return 130
    except (SetupError, ServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return report(options, found, results)


def report(options: argparse.Namespace, found: dict[str, object], results: list[Result]) -> int:
    """Print and write what was found; returns the exit code: 1 when ours failed."""
    floors = read_floors()
    sys.stdout.write(f"{as_lines(found)}\n\n{as_table(results, floors)}\n")
    if options.json is not None:
        text = json.dumps(found | {"results": as_json(results, floors)}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.svg is not None:
        options.svg.write_text(draw(results), encoding="utf-8")
    return int(any(result.failures(result.ours) for result in results))


if __name__ == "__main__":
    sys.exit(main())
