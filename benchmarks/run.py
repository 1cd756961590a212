"""The command line: ``hatch run bench --help``."""

import argparse
import json
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest import Contest, Result
from benchmarks.entrants import Entrants
from benchmarks.environments import SetupError, default_python
from benchmarks.generator import compile_load
from benchmarks.machine import describe_machine
from benchmarks.question import Question, Scale, placements
from benchmarks.questions import QUESTIONS
from benchmarks.report import as_json, as_table, read_floors
from benchmarks.servers import ServerError

DESCRIPTORS = 16_384


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="hatch run bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S",
        help="measured time of a run that time ends (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--only", default="", metavar="1,4", help="numbers of questions")
    parser.add_argument("--entrants", default="", metavar="NAMES", help="geard,gearmand,gear016")
    parser.add_argument(
        "--quick", action="store_true", help="short runs of small counts: shows that all works"
    )
    parser.add_argument(
        "--python", default=default_python(), metavar="PATH",
        help="the interpreter that the Python servers run on (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--installed", action="append", default=[], metavar="NAME=PATH",
        help="an interpreter that has gear already: geard=PATH instead of building this checkout, "
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


def measure(options: argparse.Namespace) -> list[Result]:
    """Run what the options ask for and return what was found."""
    names = frozenset(name for name in options.entrants.split(",") if name) or None
    installed = dict(item.split("=", 1) for item in options.installed)
    entrants = Entrants(
        options.python, {name: Path(path) for name, path in installed.items()}, names
    )
    all_placements = placements()
    contest = Contest(
        rounds=1 if options.quick else options.rounds,
        scale=Scale(0.2, 20) if options.quick else Scale(options.seconds),
        placements=all_placements[:1] if options.quick else all_placements,
        program=compile_load(),
        tls=None,
        tell=tell,
    )
    results = []
    for question in chosen_questions(options.only):
        for case in question.cases:
            results += contest.run(question.number, case, entrants.of(case))
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; returns the exit code."""
    options = make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started, too
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    try:
        results = measure(options)
    except (SetupError, ServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    floors = read_floors()
    sys.stdout.write(as_table(results, floors) + "\n")
    if options.json is not None:
        found = {"machine": describe_machine(), "results": as_json(results, floors)}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
