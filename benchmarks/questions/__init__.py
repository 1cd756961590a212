"""The questions, one a file."""

from benchmarks.question import Question
from benchmarks.questions import (
    q01_foreground,
    q02_background,
    q03_drain,
    q04_latency,
    q05_sleepers,
    q06_growth,
    q07_million,
    q08_large,
    q09_unique,
    q10_libraries,
    q11_tls,
    q12_durable,
    q13_frameworks,
    q14_watched,
)

QUESTIONS: tuple[Question, ...] = (
    q01_foreground.QUESTION,
    q02_background.QUESTION,
    q03_drain.QUESTION,
    q04_latency.QUESTION,
    q05_sleepers.QUESTION,
    q06_growth.QUESTION,
    q07_million.QUESTION,
    q08_large.QUESTION,
    q09_unique.QUESTION,
    q10_libraries.QUESTION,
    q11_tls.QUESTION,
    q12_durable.QUESTION,
    q13_frameworks.QUESTION,
    q14_watched.QUESTION,
)
"""All of them, by number."""
