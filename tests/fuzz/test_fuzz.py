"""The fuzzers' targets hold for the corpus, and for what hypothesis finds; atheris tries longer."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.engine import MOST_LINES, Counter, engine
from fuzz.targets import TARGETS, Target
from support.wire_strategies import repeatable

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(CORPUS.glob("*/*"))
some = settings(
    repeatable, max_examples=300, suppress_health_check=[HealthCheck.too_slow], print_blob=False
)


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == TARGETS.keys()


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_corpus_holds(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_any_bytes_hold(target: Target) -> None:
    @some
    @given(st.binary(max_size=300))
    def holds(data: bytes) -> None:
        target(data)

    holds()


@pytest.mark.parametrize("path", sorted(CORPUS.glob("engine/*")), ids=lambda path: path.name)
def test_a_change_of_the_corpus_holds(path: Path) -> None:
    """An input that makes sense, with other bytes in some places."""
    data = path.read_bytes()
    places = st.integers(0, len(data) - 1)
    changes = st.lists(st.tuples(places, st.integers(0, 255)), max_size=12)

    @settings(some, max_examples=60)
    @given(changes)
    def holds(changed: list[tuple[int, int]]) -> None:
        mutant = bytearray(data)
        for place, value in changed:
            mutant[place] = value
        engine(bytes(mutant))

    holds()


@pytest.mark.parametrize("path", sorted(CORPUS.glob("engine/*")), ids=lambda path: path.name)
def test_a_step_is_short(path: Path) -> None:
    counter = Counter()
    engine(path.read_bytes(), counter)
    assert 0 < counter.most <= MOST_LINES


@settings(some, max_examples=60)
@given(st.binary(max_size=300))
def test_no_step_of_any_bytes_is_long(data: bytes) -> None:
    counter = Counter()
    engine(data, counter)
    assert counter.most <= MOST_LINES
