"""What a loss of power may leave of files, by the system calls that a program made.

`trace` runs a program under strace; `read_trace` returns what it did to files and what it told its
clients, in order. Any prefix of that is a moment in which the power may go: what was synced is on
the disk, and of the rest each write is there, missing, there in part, or torn within.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
CALLS = (
    "pwrite64", "write", "writev", "sendto", "sendmsg", "fdatasync", "fsync", "ftruncate", "unlink",
    "unlinkat", "rename", "renameat", "openat",
)  # fmt: skip
_CREATED = b"\0RES\0\0\0\x08"


@dataclass
class Write:
    """Bytes written to a file, which may not be on the disk yet."""

    path: str
    offset: int
    data: bytes


@dataclass
class Truncate:
    path: str
    size: int


@dataclass
class Unlink:
    path: str


@dataclass
class Sync:
    """Everything that was done to a file, or to the names in a folder, is on the disk."""

    path: str


@dataclass
class Told:
    """Bytes that a client may have seen: the handles of jobs that it believes to be kept."""

    handles: list[bytes]


Event = Write | Truncate | Unlink | Sync | Told


def strace(log: Path) -> list[str]:
    """Return the command line before that of a program to be traced."""
    calls = ",".join(CALLS)
    return ["strace", "-f", "-y", "-xx", "-qq", "-s", "100000000", "-e", f"trace={calls}",
            "-o", str(log)]  # fmt: skip


_LINE = re.compile(
    r"(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\()(?P<rest>.*)"
)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PATH = re.compile(r"\d+<([^>]*)>")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def read_trace(log: Path, folder: Path) -> Iterator[Event]:
    """Yield what a traced program did to the files of a folder, and told its clients."""
    begun: dict[str, tuple[str, str]] = {}
    with log.open() as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                continue  # a signal, or the end of a thread
            pid, call, rest = found["pid"], found["call"], found["rest"]
            if call is None:
                # What is done counts from when it began, a sync from when it has returned.
                call, arguments = begun.pop(pid)
                if call in ("fdatasync", "fsync") and rest.rstrip().endswith("= 0"):
                    yield from _sync(arguments, folder)
                continue
            if rest.rstrip().endswith("<unfinished ...>"):
                begun[pid] = call, rest
                if call not in ("fdatasync", "fsync"):
                    yield from _event(call, rest, folder)
            elif call in ("fdatasync", "fsync"):
                if rest.rstrip().endswith("= ?"):
                    continue  # the program was killed before it returned: nothing counts on it
                assert rest.rstrip().endswith("= 0"), line
                yield from _sync(rest, folder)
            else:
                yield from _event(call, rest, folder)


def _within(path: str, folder: Path) -> bool:
    return path == str(folder) or path.startswith(f"{folder}/")


def _descriptor(rest: str) -> str:
    """Return the path of a call's first argument; an empty one if that is no file."""
    found = _PATH.match(rest)
    if found is None:
        return ""
    return _bytes(found[1]).decode() if found[1].startswith("\\x") else found[1]


def _sync(rest: str, folder: Path) -> Iterator[Event]:
    path = _descriptor(rest)
    if _within(path, folder):
        yield Sync(path)


def _event(call: str, rest: str, folder: Path) -> Iterator[Event]:
    data = b"".join(_bytes(text) for text in _STRING.findall(rest))
    if call in ("unlink", "unlinkat"):
        if _within(data.decode(), folder):
            yield Unlink(data.decode())
        return
    path = _descriptor(rest)
    if call == "pwrite64" and _within(path, folder):
        offset = re.search(r'", \d+, (\d+)', rest)
        assert offset is not None, rest[-100:]
        yield Write(path, int(offset[1]), data)
    elif call == "ftruncate" and _within(path, folder):
        size = re.search(r">, (\d+)", rest)
        assert size is not None, rest
        yield Truncate(path, int(size[1]))
    elif call in ("write", "writev", "sendto", "sendmsg") and not path.startswith("/"):
        handles = [part[4:].split(b"\0", 1)[0] for part in data.split(_CREATED)[1:]]
        if handles:
            yield Told(handles)


@dataclass
class Disk:
    """The files of a folder, and what may be missing of them.

    Attributes:
        synced: What is on the disk for sure, by path.
        pending: What was done since.
        told: What clients may have seen.
        unlinked: Files whose name may still be there.
    """

    synced: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Write | Truncate]] = field(default_factory=dict)
    unlinked: dict[str, bytearray] = field(default_factory=dict)
    told: set[bytes] = field(default_factory=set)

    def apply(self, event: Event) -> None:
        """Do what an event says."""
        match event:
            case Told(handles):
                self.told.update(handles)
            case Sync(path):
                if path in self.synced or path in self.pending:
                    content = self.synced.setdefault(path, bytearray())
                    for change in self.pending.pop(path, []):
                        _change(content, change)
                else:
                    self.unlinked.clear()  # it is the folder
            case Unlink(path):
                self.unlinked[path] = self.synced.pop(path, bytearray())
                self.pending.pop(path, None)
            case Write(path) | Truncate(path):
                self.synced.setdefault(path, bytearray())
                self.pending.setdefault(path, []).append(event)

    def after_a_cut(self, chance: random.Random) -> dict[str, bytes]:
        """Return files that a loss of power may leave."""
        left = {path: bytearray(content) for path, content in self.synced.items()}
        left |= {
            path: content
            for path, content in self.unlinked.items()
            if path not in left and chance.random() < 0.5
        }
        for path, changes in self.pending.items():
            for change in changes:
                part = _part(change, chance)
                if part is not None:
                    _change(left[path], part)
        return {path: bytes(content) for path, content in left.items()}


def _part(change: Write | Truncate, chance: random.Random) -> Write | Truncate | None:
    fate = chance.random()
    if fate < 0.4:
        return None
    if isinstance(change, Truncate) or fate < 0.7:
        return change
    sectors = max(1, len(change.data) // SECTOR)
    if fate < 0.85:
        return Write(change.path, change.offset, change.data[: chance.randrange(sectors) * SECTOR])
    begin = chance.randrange(sectors) * SECTOR
    return Write(change.path, change.offset + begin, change.data[begin:])


def _change(content: bytearray, change: Write | Truncate) -> None:
    if isinstance(change, Truncate):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
        return
    if len(content) < change.offset:
        content.extend(bytes(change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data
