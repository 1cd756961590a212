"""Who may register, invoke and grant; the text commands for it are in `commands`."""

import re

from gear_wire.errors import GearmanError
from gear_wire.jobs import to_bytes


class ACLError(GearmanError):
    """An access control list, or a change to one, is invalid."""


def _text(name: str | bytes, what: str = "a name") -> str:
    return to_bytes(name, what).decode(errors="surrogateescape")


def _compile(pattern: str | bytes | None) -> re.Pattern[str] | None:
    if not pattern:
        return None
    try:
        return re.compile(_text(pattern, "a pattern"))
    except re.error as error:
        raise ACLError(f"{_text(pattern)!r} is not a valid regular expression: {error}") from error


class ACLEntry:
    """What one subject may do.

    Args:
        subject: The common name in the certificate.
        register: A regular expression of the functions that it may register; None for none.
        invoke: A regular expression of the functions that it may submit jobs to; None for none.
        grant: Whether it may change the list.

    Raises:
        ACLError: A pattern is not a valid regular expression.
    """

    def __init__(
        self,
        subject: str | bytes,
        register: str | bytes | None = None,
        invoke: str | bytes | None = None,
        grant: bool = False,
    ) -> None:
        self.subject: str = _text(subject, "a subject")
        self.register: str | None = None
        self.invoke: str | None = None
        self._register: re.Pattern[str] | None = None
        self._invoke: re.Pattern[str] | None = None
        self.grant: bool = False
        self.setRegister(register)
        self.setInvoke(invoke)
        self.setGrant(grant)

    def __repr__(self) -> str:
        return (
            f"<ACLEntry for {self.subject} register={self.register} invoke={self.invoke} "
            f"grant={self.grant}>"
        )

    def isEmpty(self) -> bool:
        """Return whether the subject may do nothing."""
        return self.register is None and self.invoke is None and not self.grant

    def canRegister(self, name: str | bytes) -> bool:
        """Return whether the subject may register a function."""
        return self._register is not None and self._register.match(_text(name)) is not None

    def canInvoke(self, name: str | bytes) -> bool:
        """Return whether the subject may submit jobs to a function."""
        return self._invoke is not None and self._invoke.match(_text(name)) is not None

    def setRegister(self, register: str | bytes | None) -> None:
        """Set the pattern of the functions it may register; raises ACLError for a bad one."""
        self._register = _compile(register)
        self.register = _text(register) if register else None

    def setInvoke(self, invoke: str | bytes | None) -> None:
        """Set the pattern of the functions it may invoke; raises ACLError for a bad one."""
        self._invoke = _compile(invoke)
        self.invoke = _text(invoke) if invoke else None

    def setGrant(self, grant: bool) -> None:
        """Set whether it may change the list."""
        self.grant = bool(grant)


class ACL:
    """An access control list; subjects without an entry may do nothing."""

    def __init__(self) -> None:
        self.subjects: dict[str, ACLEntry] = {}

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

    def remove(self, subject: str) -> None:
        """Remove the entry of a subject.

        Raises:
            ACLError: There is none.
        """
        if subject not in self.subjects:
            raise ACLError(f"there is no entry for {subject}")
        del self.subjects[subject]

    def getEntries(self) -> list[ACLEntry]:
        """Return the entries, sorted by subject."""
        return [self.subjects[subject] for subject in sorted(self.subjects)]

    def canRegister(self, subject: str | None, name: str | bytes) -> bool:
        """Return whether a subject may register a function."""
        entry = self.subjects.get(subject or "")
        return entry is not None and entry.canRegister(name)

    def canInvoke(self, subject: str | None, name: str | bytes) -> bool:
        """Return whether a subject may submit jobs to a function."""
        entry = self.subjects.get(subject or "")
        return entry is not None and entry.canInvoke(name)

    def canGrant(self, subject: str | None) -> bool:
        """Return whether a subject may change the list."""
        entry = self.subjects.get(subject or "")
        return entry is not None and entry.grant

    def _entry(self, subject: str) -> ACLEntry:
        return self.subjects.setdefault(subject, ACLEntry(subject))

    def _revoke(self, subject: str) -> ACLEntry:
        if subject not in self.subjects:
            raise ACLError(f"there is no entry for {subject}")
        return self.subjects[subject]

    def _prune(self, entry: ACLEntry) -> None:
        if entry.isEmpty():
            del self.subjects[entry.subject]

    def grantInvoke(self, subject: str, invoke: str) -> None:
        """Let a subject invoke functions; raises ACLError for a bad pattern."""
        ACLEntry(subject, invoke=invoke)
        self._entry(subject).setInvoke(invoke)

    def grantRegister(self, subject: str, register: str) -> None:
        """Let a subject register functions; raises ACLError for a bad pattern."""
        ACLEntry(subject, register=register)
        self._entry(subject).setRegister(register)

    def grantGrant(self, subject: str) -> None:
        """Let a subject change the list."""
        self._entry(subject).setGrant(True)

    def revokeInvoke(self, subject: str) -> None:
        """Let a subject invoke nothing; raises ACLError when it is not on the list."""
        entry = self._revoke(subject)
        entry.setInvoke(None)
        self._prune(entry)

    def revokeRegister(self, subject: str) -> None:
        """Let a subject register nothing; raises ACLError when it is not on the list."""
        entry = self._revoke(subject)
        entry.setRegister(None)
        self._prune(entry)

    def revokeGrant(self, subject: str) -> None:
        """Let a subject change nothing; raises ACLError when it is not on the list."""
        entry = self._revoke(subject)
        entry.setGrant(False)
        self._prune(entry)
