"""The server's answers to text commands, one function each."""

from collections.abc import Callable, Iterable
from typing import Final

from gear_server.engine.access import DENIED
from gear_server.engine.acl import ACL, ACLError
from gear_server.engine.engine import Engine, TextRule
from gear_server.engine.state import Peer
from gear_wire.enums import Precedence

_OK: Final = b"OK\r\n"
_INCOMPLETE: Final = (
    b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+%s\r\n"
)


def _unknown(word: bytes) -> bytes:
    return b"ERR UNKNOWN_COMMAND Unknown+server+command%s\r\n" % word


def _table(lines: Iterable[bytes]) -> bytes:
    return b"".join([*(line + b"\n" for line in lines), b".\n"])


def status(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    """List the functions, with their jobs and workers."""
    return _table(
        b"%b\t%d\t%d\t%d" % (function.name, function.total, function.running, function.workers)
        for function in engine.queues.functions.values()
    )


def _priority_status(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    return _table(
        b"%b\t%d\t%d\t%d\t%d"
        % (
            function.name,
            function.queues[Precedence.HIGH].count,
            function.queues[Precedence.NORMAL].count,
            function.queues[Precedence.LOW].count,
            function.workers,
        )
        for function in engine.queues.functions.values()
    )


def workers(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    """List the connections, with what each can do."""
    return _table(
        b"%d %b %b :%b"
        % (
            known.descriptor,
            known.host.encode(),
            known.client_id,
            b"".join(b" " + name for name in known.abilities),
        )
        for known in engine.peers
    )


def _version(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    return b"OK %b\n" % engine.identity.version


def _verbose(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    return b"OK %b\n" % engine.settings.verbose.encode()


def _getpid(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    return b"OK %d\n" % engine.identity.pid


def _show(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    if len(words) == 1:
        return _unknown(b"show")
    what = [word.lower() for word in words[1:3]]
    if what == [b"unique", b"jobs"]:
        return _table(job.unique or b"" for job in engine.jobs.values())
    if what[0] == b"jobs":
        return _table(
            b"%b\t%d\t%d\t%d" % (job.handle, job.retries, not job.has_owner, job.background)
            for job in engine.jobs.values()
        )
    return b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"


def cancel(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    """Cancel a job."""
    if len(words) < 3:
        return _unknown(b"cancel")
    if words[1].lower() != b"job":
        return b"ERR UNKNOWN_ERROR\r\n"
    job = engine.jobs.get(words[2])
    if job is None or (job.holder is not None and not engine.settings.cancel_running):
        return b"ERR UNKNOWN_JOB\r\n"
    if engine.access is not None and not engine.access.may_cancel(peer, job, now):
        return DENIED
    engine.cancel(job)
    return _OK


def _create(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    if len(words) != 3 or words[1].lower() != b"function":
        return _INCOMPLETE % words[0]
    engine.queues.function(words[2])
    return _OK


def _drop(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    if len(words) != 3 or words[1].lower() != b"function":
        return _INCOMPLETE % words[0]
    function = engine.queues.functions.get(words[2])
    if function is None:
        return b"ERR function not found\r\n"
    # gearmand looks for running jobs alone, and frees a function whose jobs are still queued.
    if function.workers or function.total:
        return b"ERR there are still connected workers or executing clients\r\n"
    del engine.queues.functions[words[2]]
    return _OK


def _number(word: bytes) -> int:
    return int(word) if word.isdigit() else 0


def _maxqueue(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    if len(words) < 2:
        return _INCOMPLETE % words[0]
    function = engine.queues.functions.get(words[1])
    if function is None:
        return _OK
    limits = [_number(word) for word in words[2:5]]
    if len(limits) == 1:
        limits *= 3
    high, normal, low = [*limits, 0, 0, 0][:3]
    by_precedence = {Precedence.HIGH: high, Precedence.NORMAL: normal, Precedence.LOW: low}
    function.limits = tuple(by_precedence[precedence] for precedence in Precedence)
    return _OK


# Access control, as gear 0.16's server has it


def acl(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    """List or change the access control list; `Engine.text` has looked whether the peer may."""
    if engine.access is None:
        return b"ERR ACL_DISABLED\n"
    rule = ACL_RULES.get(words[1].lower() if len(words) > 1 else b"")
    if rule is None:
        return b"ERR UNKNOWN_ACL_VERB\n"
    arguments = [word.decode(errors="surrogateescape") for word in words[2:]]
    try:
        return rule(engine.access.acl, peer.subject or "", arguments)
    except ACLError as error:
        return b"ERR UNABLE %b\n" % str(error).encode(errors="surrogateescape")


def _acl_list(acl: ACL, subject: str, arguments: list[str]) -> bytes:
    rows = (
        f"{entry.subject}\tregister={entry.register}\tinvoke={entry.invoke}\tgrant={entry.grant}"
        f"\tadmin={entry.admin}\tsee={entry.see}"
        for entry in acl.getEntries()
    )
    return _table(row.encode(errors="surrogateescape") for row in rows)


_GRANTS: Final[dict[str, Callable[[ACL, str], None]]] = {
    "grant": ACL.grantGrant,
    "admin": ACL.grantAdmin,
    "see": ACL.grantSee,
}
_PATTERN_GRANTS: Final[dict[str, Callable[[ACL, str, str], None]]] = {
    "register": ACL.grantRegister,
    "invoke": ACL.grantInvoke,
}


def _acl_grant(acl: ACL, subject: str, arguments: list[str]) -> bytes:
    match arguments:
        case [right, name, pattern] if right in _PATTERN_GRANTS:
            _PATTERN_GRANTS[right](acl, name, pattern)
        case [right, name] if right in _GRANTS:
            _GRANTS[right](acl, name)
        case _:
            return b"ERR UNKNOWN_ACL_VERB\n"
    return b"OK\n"


_REVOKES: Final[dict[str, Callable[[ACL, str], None]]] = {
    "register": ACL.revokeRegister,
    "invoke": ACL.revokeInvoke,
    "grant": ACL.revokeGrant,
    "admin": ACL.revokeAdmin,
    "see": ACL.revokeSee,
    "all": ACL.remove,
}


def _acl_revoke(acl: ACL, subject: str, arguments: list[str]) -> bytes:
    if len(arguments) != 2 or arguments[0] not in _REVOKES:
        return b"ERR UNKNOWN_ACL_VERB\n"
    _REVOKES[arguments[0]](acl, arguments[1])
    return b"OK\n"


def _acl_self_revoke(acl: ACL, subject: str, arguments: list[str]) -> bytes:
    return _acl_revoke(acl, subject, [*arguments, subject])


ACL_RULES: Final[dict[bytes, Callable[[ACL, str, list[str]], bytes]]] = {
    b"list": _acl_list,
    b"grant": _acl_grant,
    b"revoke": _acl_revoke,
    b"self-revoke": _acl_self_revoke,
}

_RULES: Final[dict[bytes, TextRule]] = {
    b"status": status,
    b"prioritystatus": _priority_status,
    b"workers": workers,
    b"version": _version,
    b"verbose": _verbose,
    b"getpid": _getpid,
    b"show": _show,
    b"cancel": cancel,
    b"create": _create,
    b"drop": _drop,
    b"maxqueue": _maxqueue,
    b"acl": acl,
}


def text_rules() -> dict[bytes, TextRule]:
    """Return the rules of all text commands, by their first word."""
    return dict(_RULES)
