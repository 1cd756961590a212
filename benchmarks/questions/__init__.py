"""The questions, one a file."""

from benchmarks.question import Question
from benchmarks.questions import (
    q01_foreground,
    q02_background,
    q03_drain,
    q04_latency,
    q05_sleepers,
)

QUESTIONS: tuple[Question, ...] = (
    q01_foreground.QUESTION,
    q02_background.QUESTION,
    q03_drain.QUESTION,
    q04_latency.QUESTION,
    q05_sleepers.QUESTION,
)
"""All of them, by number."""
