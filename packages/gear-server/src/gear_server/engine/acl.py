"""Who may register, invoke and grant; the text commands for it are in `commands`."""

import weakref
from collections.abc import Callable, Iterable

from gear_server.engine.expressions import ExpressionError
from gear_server.engine.patterns import Pattern
from gear_wire.errors import GearmanError
from gear_wire.escape import escaped
from gear_wire.jobs import to_bytes


class ACLError(GearmanError):
    """An access control list, or a change to one, is invalid."""


def _text(name: str | bytes, what: str = "a name") -> str:
    return to_bytes(name, what).decode(errors="surrogateescape")


def _shown(pattern: str | None) -> str:
    return "None" if pattern is None else escaped(pattern)


def _printable(name: str | bytes, what: str) -> str:
    """Check what is shown in tables and logs."""
    text = _text(name, what)
    if any(character < " " or character == "\x7f" for character in text):
        raise ACLError(f"{what} must not contain control characters: {text!r}")
    return text


def _pattern(source: str | bytes | None) -> Pattern | None:
    if not source:
        return None
    text = _printable(source, "a pattern")
    try:
        return Pattern(text)
    except ExpressionError as error:
        raise ACLError(f"{text!r} is not a valid regular expression: {error}") from error


class ACLEntry:
    """What one subject may do.

    Patterns are regular expressions that must match the whole name of a function. They are read as
    `re` reads them, without what takes more than linear time: back-references, conditions,
    look-around, word boundaries, and repeats and groups that never give back.

    Args:
        subject: The subject of the certificate, as :doc:`/how-to/tls` defines it.
        register: A pattern of the functions that it may register; None for none.
        invoke: A pattern of the functions that it may submit jobs to, and whose jobs it may cancel;
            None for none.
        grant: Whether it may see and change the list.
        admin: Whether it may change the server's functions and limits, and cancel any job.
        see: Whether it may see others' jobs and connections.

    Raises:
        ACLError: A pattern is not valid, or something contains control characters.
    """

    def __init__(
        self,
        subject: str | bytes,
        register: str | bytes | None = None,
        invoke: str | bytes | None = None,
        grant: bool = False,
        admin: bool = False,
        see: bool = False,
    ) -> None:
        self.subject: str = _printable(subject, "a subject")
        self.grant: bool = bool(grant)
        self.admin: bool = bool(admin)
        self.see: bool = bool(see)
        self._register = _pattern(register)
        self._invoke = _pattern(invoke)
        self._lists: list[ACL] = []

    def __repr__(self) -> str:
        return (
            f"<ACLEntry for {escaped(self.subject)} register={_shown(self.register)} "
            f"invoke={_shown(self.invoke)} grant={self.grant} admin={self.admin} see={self.see}>"
        )

    @property
    def register(self) -> str | None:
        """The pattern of the functions that it may register; None for none."""
        return None if self._register is None else self._register.source

    @property
    def invoke(self) -> str | None:
        """The pattern of the functions that it may submit jobs to; None for none."""
        return None if self._invoke is None else self._invoke.source

    def isEmpty(self) -> bool:
        """Return whether the subject may do nothing."""
        return not (self._register or self._invoke or self.grant or self.admin or self.see)

    def canRegister(self, name: str | bytes) -> bool:
        """Return whether the subject may register a function."""
        return self._register is not None and self._register.matches(_text(name))

    def canInvoke(self, name: str | bytes) -> bool:
        """Return whether the subject may submit jobs to a function."""
        return self._invoke is not None and self._invoke.matches(_text(name))

    def setRegister(self, register: str | bytes | None) -> None:
        """Set the pattern of the functions it may register; raises ACLError for a bad one.

        Workers lose the functions that they may no longer register; what they run, they may end.
        """
        self._register = _pattern(register)
        for acl in list(self._lists):
            acl.note_change()

    def join(self, acl: "ACL") -> None:
        """Tell a list of changes from now on."""
        self._lists.append(acl)

    def leave(self, acl: "ACL") -> None:
        """Tell a list of no more changes."""
        self._lists.remove(acl)

    def setInvoke(self, invoke: str | bytes | None) -> None:
        """Set the pattern of the functions it may invoke; raises ACLError for a bad one."""
        self._invoke = _pattern(invoke)

    def setGrant(self, grant: bool) -> None:
        """Set whether it may see and change the list."""
        self.grant = bool(grant)

    def setAdmin(self, admin: bool) -> None:
        """Set whether it may change functions and limits, and cancel any job."""
        self.admin = bool(admin)

    def setSee(self, see: bool) -> None:
        """Set whether it may see others' jobs and connections."""
        self.see = bool(see)


class ACL:
    """An access control list.

    Without an entry, a subject may do what needs no right, such as ``version`` and echo, and
    nothing else. Servers that have the list follow its changes, from whatever thread they come.

    Attributes:
        subjects: The entries by subject; use the methods to change it.
        version: Another object after each change of entries, or of what they may register.
    """

    def __init__(self) -> None:
        self.subjects: dict[str, ACLEntry] = {}
        self.version: object = object()
        self._watchers: list[weakref.WeakMethod[Callable[[], None]]] = []

    def __getstate__(self) -> dict[str, object]:
        # No server watches a copy.
        return {**self.__dict__, "_watchers": []}

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have a bound method called after each change, as long as its object lives.

        It is called in the thread that makes the change, and must not wait for others.
        """
        self._watchers.append(weakref.WeakMethod(watcher))

    def note_change(self) -> None:
        """Tell those that watch the list that it has changed."""
        self.version = object()
        for reference in list(self._watchers):
            watcher = reference()
            if watcher is None:
                self._watchers.remove(reference)
            else:
                watcher()

    def add(self, entry: ACLEntry) -> None:
        """Add an entry.

        Raises:
            ACLError: The subject has one already.
            TypeError: It is not an ACLEntry.
        """
        if not isinstance(entry, ACLEntry):
            raise TypeError(f"add takes a gear.ACLEntry, not {type(entry).__name__}")
        if entry.subject in self.subjects:
            raise ACLError(f"there is an entry for {entry.subject} already")
        self.subjects[entry.subject] = entry
        entry.join(self)
        self.note_change()

    def remove(self, subject: str) -> None:
        """Remove the entry of a subject.

        Raises:
            ACLError: There is none.
        """
        self._drop(self._listed(subject))

    def getEntries(self) -> list[ACLEntry]:
        """Return the entries, sorted by subject."""
        return sorted(self.subjects.values(), key=lambda entry: entry.subject)

    def setEntries(self, entries: Iterable[ACLEntry]) -> None:
        """Replace all entries at once.

        Raises:
            ACLError: A subject has two; the list is unchanged then.
        """
        fresh: dict[str, ACLEntry] = {}
        for entry in entries:
            if fresh.setdefault(entry.subject, entry) is not entry:
                raise ACLError(f"there are two entries for {entry.subject}")
        before, self.subjects = self.subjects, fresh
        for entry in before.values():
            entry.leave(self)
        for entry in fresh.values():
            entry.join(self)
        self.note_change()

    def _find(self, subject: str | None) -> ACLEntry | None:
        # Who presents no name has no entry, not even one for the empty name.
        return self.subjects.get(subject) if subject else None

    def isListed(self, subject: str | None) -> bool:
        """Return whether a subject has an entry."""
        return self._find(subject) is not None

    def canRegister(self, subject: str | None, name: str | bytes) -> bool:
        """Return whether a subject may register a function."""
        entry = self._find(subject)
        return entry is not None and entry.canRegister(name)

    def canInvoke(self, subject: str | None, name: str | bytes) -> bool:
        """Return whether a subject may submit jobs to a function."""
        entry = self._find(subject)
        return entry is not None and entry.canInvoke(name)

    def canGrant(self, subject: str | None) -> bool:
        """Return whether a subject may see and change the list."""
        entry = self._find(subject)
        return entry is not None and entry.grant

    def canAdmin(self, subject: str | None) -> bool:
        """Return whether a subject may change functions and limits, and cancel any job."""
        entry = self._find(subject)
        return entry is not None and entry.admin

    def canSee(self, subject: str | None) -> bool:
        """Return whether a subject may see others' jobs and connections."""
        entry = self._find(subject)
        return entry is not None and entry.see

    def _entry(self, subject: str) -> ACLEntry:
        entry = self.subjects.get(subject)
        if entry is None:
            entry = ACLEntry(subject)
            self.add(entry)
        return entry

    def _listed(self, subject: str) -> ACLEntry:
        entry = self.subjects.get(subject)
        if entry is None:
            raise ACLError(f"there is no entry for {subject}")
        return entry

    def _prune(self, entry: ACLEntry) -> None:
        if entry.isEmpty():
            self._drop(entry)

    def _drop(self, entry: ACLEntry) -> None:
        del self.subjects[entry.subject]
        entry.leave(self)
        self.note_change()

    def grantInvoke(self, subject: str, invoke: str) -> None:
        """Let a subject invoke functions; raises ACLError for a bad pattern."""
        ACLEntry(subject, invoke=invoke)
        self._entry(subject).setInvoke(invoke)

    def grantRegister(self, subject: str, register: str) -> None:
        """Let a subject register functions; raises ACLError for a bad pattern."""
        ACLEntry(subject, register=register)
        self._entry(subject).setRegister(register)

    def grantGrant(self, subject: str) -> None:
        """Let a subject see and change the list."""
        self._entry(subject).setGrant(True)

    def grantAdmin(self, subject: str) -> None:
        """Let a subject change functions and limits, and cancel any job."""
        self._entry(subject).setAdmin(True)

    def grantSee(self, subject: str) -> None:
        """Let a subject see others' jobs and connections."""
        self._entry(subject).setSee(True)

    def revokeInvoke(self, subject: str) -> None:
        """Let a subject invoke nothing; raises ACLError when it is not on the list.

        The jobs that it has submitted stay.
        """
        entry = self._listed(subject)
        entry.setInvoke(None)
        self._prune(entry)

    def revokeRegister(self, subject: str) -> None:
        """Let a subject register nothing; raises ACLError when it is not on the list."""
        entry = self._listed(subject)
        entry.setRegister(None)
        self._prune(entry)

    def revokeGrant(self, subject: str) -> None:
        """Let a subject change nothing; raises ACLError when it is not on the list."""
        entry = self._listed(subject)
        entry.setGrant(False)
        self._prune(entry)

    def revokeAdmin(self, subject: str) -> None:
        """Let a subject administer nothing; raises ACLError when it is not on the list."""
        entry = self._listed(subject)
        entry.setAdmin(False)
        self._prune(entry)

    def revokeSee(self, subject: str) -> None:
        """Let a subject see only its own jobs; raises ACLError when it is not on the list."""
        entry = self._listed(subject)
        entry.setSee(False)
        self._prune(entry)
