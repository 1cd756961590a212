"""The function that the demonstration's workers run and its client calls."""

import collections
import os
import re
from collections.abc import Iterator

import msgspec

import gear

app = gear.App()

LONG_WORD = 5
PIECE_SIZE = 1 << 16
_WORD = re.compile(r"[^\W\d_]+")


class Words(msgspec.Struct):
    """What is found in a text.

    Attributes:
        total: How many words there are.
        distinct: How many different ones.
        frequent: The most frequent long word; empty when there is none.
        times: How often that one occurs.
        counted_by: The process ID of the worker.
    """

    total: int
    distinct: int
    frequent: str
    times: int
    counted_by: int


def pieces_of(text: bytes) -> Iterator[bytes]:
    """Cut a text between lines, so that there is progress to tell of."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + PIECE_SIZE) + 1 or len(text)
        yield text[start:end]
        start = end


@app.function()
def count_words(text: bytes) -> Words:
    """Count the words of a text."""
    job = gear.current_job()
    words = collections.Counter[str]()
    done = 0
    for piece in pieces_of(text):
        words.update(_WORD.findall(piece.decode(errors="replace").lower()))
        done += len(piece)
        job.status(done, len(text))
    long_words = ((times, word) for word, times in words.items() if len(word) >= LONG_WORD)
    times, frequent = max(long_words, key=lambda found: found[0], default=(0, ""))
    return Words(words.total(), len(words), frequent, times, os.getpid())
