"""Whether peers may do what they ask for, by the access control list, and the log of refusals."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from gear_server.engine.acl import ACL
from gear_server.engine.chores import SLICE
from gear_server.engine.rights import Right, right_for
from gear_server.engine.scheduler import Scheduler
from gear_server.engine.state import Peer, ServerJob
from gear_server.levels import NOTICE
from gear_wire.escape import Quoted
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

_CHANGING: Final = (Right.ADMIN, Right.GRANT, Right.ENTRY)
_DONE: Final = (b"OK\n", b"OK\r\n")


class Access:
    """Asks the list for the engine, in which nothing is looked up if there is no list.

    Args:
        acl: The list.
        log: The logger of the server.
        peers: The connections.
        scheduler: What workers have registered.

    Attributes:
        acl: The list.
    """

    def __init__(
        self, acl: ACL, log: logging.Logger, peers: Iterable[Peer], scheduler: Scheduler
    ) -> None:
        self.acl: ACL = acl
        self._peers = peers
        self._scheduler = scheduler
        self._log = log
        self._refusals = LogLimit(log, "Requests refused by the access control list")
        self._losses = LogLimit(log, "Functions taken from workers by the access control list")
        self._seen = acl.version
        self._reviewing = False

    def may_use(self, peer: Peer, right: Right, name: bytes, now: float) -> bool:
        """Return whether a peer may register or invoke a function."""
        if _CHECKS[right](self.acl, peer.subject, name):
            return True
        self._refuse(peer, right, Quoted(name), now)
        return False

    def may_say(self, peer: Peer, words: list[bytes], now: float) -> bool:
        """Return whether a peer may use a text command."""
        check = _CHECKS.get(right_for(words))
        if check is None or check(self.acl, peer.subject, b""):
            return True
        self._refusals.log(
            now, logging.WARNING, "Permission denied to %r, subject %s: may not use the command %s",
            peer, Quoted(peer.subject), Quoted(b" ".join(words)),
        )  # fmt: skip
        return False

    def may_ask(self, peer: Peer, right: Right, path: str, now: float) -> bool:
        """Return whether a peer has the right that a request over HTTP needs."""
        check = _CHECKS.get(right)
        if check is None or check(self.acl, peer.subject, b""):
            return True
        self._refusals.log(
            now, logging.WARNING, "Permission denied to %r, subject %s: may not ask for %s",
            peer, Quoted(peer.subject), Quoted(path),
        )  # fmt: skip
        return False

    def may_cancel(self, peer: Peer, job: ServerJob, now: float) -> bool:
        """Return whether a peer may cancel a job."""
        acl, subject = self.acl, peer.subject
        if acl.canInvoke(subject, job.name):
            return True
        if acl.canAdmin(subject):
            self._log.log(NOTICE, "%r, subject %s, cancels %r", peer, Quoted(subject), job)
            return True
        self._refuse(peer, Right.CANCEL, job, now)
        return False

    def may_see(self, peer: Peer, job: ServerJob, now: float) -> bool:
        """Return whether a peer may see a job: its subject has submitted it, or may see all."""
        if peer.subject in job.subjects or self.acl.canSee(peer.subject):
            return True
        self._refuse(peer, Right.SEE, job, now)
        return False

    def note_submission(self, peer: Peer, job: ServerJob) -> None:
        """Note who has submitted a job, for `may_see`."""
        if peer.subject is not None and peer.subject not in job.subjects:
            job.subjects += (peer.subject,)

    def note_change(self, peer: Peer, words: list[bytes], answer: object) -> None:
        """Log a text command that has changed something for others."""
        if answer in _DONE and right_for(words) in _CHANGING:
            command = Quoted(b" ".join(words))
            self._log.log(NOTICE, "%r, subject %s: %s", peer, Quoted(peer.subject), command)

    # What workers have registered

    def review(self, now: float) -> Iterator[None]:
        """Unregister what workers may no longer register, in slices.

        If the list changes meanwhile, it begins again when it is through.
        """
        self._reviewing = True
        looked = 0
        while self._seen is not self.acl.version:
            self._seen = self.acl.version
            for peer in list(self._peers):
                for name in list(peer.abilities):
                    self._loses(peer, name, now)
                    looked += 1
                    if looked % SLICE == 0:
                        yield
        self._reviewing = False

    @property
    def outdated(self) -> bool:
        """Whether the list has changed, and no review is going on."""
        return self._seen is not self.acl.version and not self._reviewing

    def before_giving(self, peer: Peer, now: float) -> None:
        """Unregister functions until a worker may register that of its next job.

        So a worker is given no job of a function that it may no longer register, though a review
        has not come to it.
        """
        choose = self._scheduler.choose
        while (job := choose(peer, True)) is not None and self._loses(peer, job.name, now):
            pass

    def _loses(self, peer: Peer, name: bytes, now: float) -> bool:
        """Unregister a function if its worker may no longer register it; return whether it was."""
        if name not in peer.abilities or self.acl.canRegister(peer.subject, name):
            return False
        self._scheduler.unregister(peer, name)
        self._losses.log(
            now, logging.WARNING, "Unregistered %s, which %r, subject %s, may no longer register",
            Quoted(name), peer, Quoted(peer.subject),
        )  # fmt: skip
        return True

    def _refuse(self, peer: Peer, right: Right, what: ServerJob | Quoted, now: float) -> None:
        self._refusals.log(
            now, logging.WARNING, "Permission denied to %r, subject %s: may not %s %s",
            peer, Quoted(peer.subject), right.value, what,
        )  # fmt: skip
