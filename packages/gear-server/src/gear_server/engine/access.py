"""Whether peers may do what they ask for, by the access control list, and the log of refusals."""

import logging
from collections.abc import Callable
from typing import Final

from gear_server.engine.acl import ACL
from gear_server.engine.rights import Right, right_for
from gear_server.engine.state import Peer, ServerJob
from gear_wire.escape import quoted
from gear_wire.loglimit import LogLimit

DENIED: Final = b"ERR PERMISSION_DENIED\n"
"""The answer to a text command for which a right is missing."""

# In the packets and commands with other rights, it is the job that matters.
_CHECKS: Final[dict[Right, Callable[[ACL, str | None, bytes], bool]]] = {
    Right.ENTRY: lambda acl, subject, name: acl.isListed(subject),
    Right.CANCEL: lambda acl, subject, name: acl.isListed(subject),
    Right.REGISTER: lambda acl, subject, name: acl.canRegister(subject, name),
    Right.INVOKE: lambda acl, subject, name: acl.canInvoke(subject, name),
    Right.SEE: lambda acl, subject, name: acl.canSee(subject),
    Right.ADMIN: lambda acl, subject, name: acl.canAdmin(subject),
    Right.GRANT: lambda acl, subject, name: acl.canGrant(subject),
}


class Access:
    """Asks the list for the engine, in which nothing is looked up if there is no list.

    Args:
        acl: The list.
        log: The logger of the server.

    Attributes:
        acl: The list.
    """

    def __init__(self, acl: ACL, log: logging.Logger) -> None:
        self.acl: ACL = acl
        self._log = log
        self._refusals = LogLimit(log, "Requests refused by the access control list")

    def may_use(self, peer: Peer, right: Right, name: bytes, now: float) -> bool:
        """Return whether a peer may register or invoke a function."""
        if _CHECKS[right](self.acl, peer.subject, name):
            return True
        self._refuse(peer, f"{right.value} {quoted(name)}", now)
        return False

    def may_say(self, peer: Peer, words: list[bytes], now: float) -> bool:
        """Return whether a peer may use a text command."""
        check = _CHECKS.get(right_for(words))
        if check is None or check(self.acl, peer.subject, b""):
            return True
        self._refuse(peer, f"use the command {quoted(b' '.join(words))}", now)
        return False

    def may_cancel(self, peer: Peer, job: ServerJob, now: float) -> bool:
        """Return whether a peer may cancel a job."""
        acl, subject = self.acl, peer.subject
        if acl.canInvoke(subject, job.name) or acl.canAdmin(subject):
            return True
        self._refuse(peer, f"cancel {job!r}", now)
        return False

    def may_see(self, peer: Peer, job: ServerJob, now: float) -> bool:
        """Return whether a peer may see a job: its subject has submitted it, or may see all."""
        if peer.subject in job.subjects or self.acl.canSee(peer.subject):
            return True
        self._refuse(peer, f"see {job!r}", now)
        return False

    def note_submission(self, peer: Peer, job: ServerJob) -> None:
        """Note who has submitted a job, for `may_see`."""
        if peer.subject is not None and peer.subject not in job.subjects:
            job.subjects += (peer.subject,)

    def _refuse(self, peer: Peer, what: str, now: float) -> None:
        self._refusals.log(
            now, logging.WARNING, "Permission denied to %r, subject %s: may not %s",
            peer, quoted(peer.subject), what,
        )  # fmt: skip
