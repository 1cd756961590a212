"""The server's answers to text commands, one function each."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Final, TypeVar

import msgspec

from gear_server.engine.access import DENIED
from gear_server.engine.acl import ACL, ACLEntry, ACLError
from gear_server.engine.engine import Answer, Engine, TextRule
from gear_server.engine.joblog import EVERYTHING
from gear_server.engine.limits import FUNCTIONS
from gear_server.engine.names import Refusal, refused_function, shown_unique
from gear_server.engine.numbers import FUNCTION_KEYS, PORTION, FunctionNumbers, portions
from gear_server.engine.rules import OUT_OF_RANGE, leading_number
from gear_server.engine.state import Function, Peer, ServerJob
from gear_server.settings import YEAR
from gear_wire.enums import Precedence

_OK: Final = b"OK\r\n"
_INCOMPLETE: Final = (
    b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+%s\r\n"
)
_LARGE_LIMIT: Final = Refusal(b"ARGUMENT_TOO_LARGE", b"Limit too large")
_BAD_TIMEOUT: Final = Refusal(
    b"INVALID_ARGUMENTS", b"Timeout must be whole seconds, a year at most"
)

_SWITCH: Final = {b"on": True, b"off": False}
_BAD_SWITCH: Final = Refusal(b"INVALID_ARGUMENTS", b"on or off expected")
_MANY_PATTERNS: Final = Refusal(
    b"TOO_MANY_PATTERNS", b"Too many patterns are switched; joblog * off forgets them"
)


def _unknown(word: bytes) -> bytes:
    return b"ERR UNKNOWN_COMMAND Unknown+server+command%s\r\n" % word


_Row = TypeVar("_Row")
SLICE_ROWS: Final = 256
SLICE_SIZE: Final = 65536
"""Rows, or bytes, of a long table that are made at once."""


def _table(things: Iterable[_Row], line: Callable[[_Row], bytes]) -> Answer:
    """Return a table with a line for each thing that there is now; in slices if it is long."""
    slices = _slices(list(things), line)  # copies a million jobs in 10 ms
    first, second = next(slices), next(slices, None)
    return first if second is None else chain((first, second), slices)


def _slices(things: list[_Row], line: Callable[[_Row], bytes]) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    for thing in things:
        lines.append(line(thing))
        size += len(lines[-1])
        if len(lines) == SLICE_ROWS or size > SLICE_SIZE:
            yield b"".join(lines)
            lines.clear()
            size = 0
    lines.append(b".\n")
    yield b"".join(lines)


def status(engine: Engine, peer: Peer, words: list[bytes], now: float) -> Answer:
    """List the functions, with their jobs and workers."""
    return _table(engine.queues.functions.values(), _function_line)


def _function_line(function: Function) -> bytes:
    return b"%b\t%d\t%d\t%d\n" % (
        function.name, function.total, function.running, function.workers,
    )  # fmt: skip


def _priority_status(engine: Engine, peer: Peer, words: list[bytes], now: float) -> Answer:
    return _table(engine.queues.functions.values(), _priority_line)


def _priority_line(function: Function) -> bytes:
    return b"%b\t%d\t%d\t%d\t%d\n" % (
        function.name,
        function.queues[Precedence.HIGH].count,
        function.queues[Precedence.NORMAL].count,
        function.queues[Precedence.LOW].count,
        function.workers,
    )


def workers(engine: Engine, peer: Peer, words: list[bytes], now: float) -> Answer:
    """List the connections, with what each can do."""
    return _table(engine.peers, _worker_line)


def _worker_line(peer: Peer) -> bytes:
    abilities = b"".join([b" " + name for name in peer.abilities])
    return b"%d %b %b :%b\n" % (peer.descriptor, peer.host.encode(), peer.client_id, abilities)


def _version(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    return b"OK %b\n" % engine.identity.version


def _verbose(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    return b"OK %b\n" % engine.settings.verbose.encode()


def _getpid(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    return b"OK %d\n" % engine.identity.pid


def _show(engine: Engine, peer: Peer, words: list[bytes], now: float) -> Answer:
    if len(words) == 1:
        return _unknown(b"show")
    what = [word.lower() for word in words[1:3]]
    if what == [b"unique", b"jobs"]:
        return _table(engine.jobs.values(), _unique_line)
    if what[0] == b"jobs":
        return _table(engine.jobs.values(), _job_line)
    if what == [b"counters"]:
        return _counters(list(engine.queues.functions.values()), now)
    if what == [b"functions"]:
        return _table(engine.queues.functions.values(), lambda each: _activity_line(each, now))
    return b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"


def _unique_line(job: ServerJob) -> bytes:
    return shown_unique(job.unique or b"") + b"\n"


def _activity_line(function: Function, now: float) -> bytes:
    since = function.waiting_since()
    return b"%b\t%d\t%d\t%d\t%d\t%d\n" % (
        function.name, function.total, function.running, function.workers, function.tally.ended,
        0 if since is None else max(0, round(1000 * (now - since))),
    )  # fmt: skip


_COUNTERS_LINE: Final = b"%b" + b"".join(b"\t%b=%%d" % key.encode() for key in FUNCTION_KEYS)


def _counters(functions: list[Function], now: float) -> Answer:
    """Return the numbers of all functions; in slices if there are many."""
    slices = chain(map(_counters_lines, portions(functions), repeat(now)), [b".\n"])
    return b"".join(slices) if len(functions) <= PORTION else slices


def _counters_lines(functions: list[Function], now: float) -> bytes:
    return b"".join([_counters_line(function, now) for function in functions])


def _counters_line(function: Function, now: float) -> bytes:
    numbers = msgspec.structs.astuple(FunctionNumbers.of(function, now))
    return _COUNTERS_LINE % (function.name, *numbers) + b"\n"


def _job_line(job: ServerJob) -> bytes:
    return b"%b\t%d\t%d\t%d\n" % (job.handle, job.retries, not job.has_owner, job.background)


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
    refusal = refused_function(words[2], engine.settings.max_name_size)
    if refusal is not None:
        return refusal.line()
    if engine.queues.keep(words[2]) is None:
        engine.limits.note(FUNCTIONS, peer, now)
        return FUNCTIONS.refusal.line()
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
    engine.drop(function)
    return _OK


def _maxqueue(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    if len(words) < 2:
        return _INCOMPLETE % words[0]
    limits = [leading_number(word) for word in words[2:5]]
    if OUT_OF_RANGE in limits:
        return _LARGE_LIMIT.line()
    function = engine.queues.functions.get(words[1])
    if function is None:
        return _OK
    if len(limits) == 1:
        limits *= 3
    high, normal, low = [*limits, 0, 0, 0][:3]
    by_precedence = {Precedence.HIGH: high, Precedence.NORMAL: normal, Precedence.LOW: low}
    engine.limit(function, tuple(by_precedence[precedence] for precedence in Precedence))
    return _OK


def _jobtimeout(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    if len(words) != 3:
        return _INCOMPLETE % words[0]
    if not words[2].isdigit() or (seconds := leading_number(words[2])) > YEAR:
        return _BAD_TIMEOUT.line()
    refusal = refused_function(words[1], engine.settings.max_name_size)
    if refusal is not None:
        return refusal.line()
    function = engine.queues.keep(words[1])
    if function is None:
        engine.limits.note(FUNCTIONS, peer, now)
        return FUNCTIONS.refusal.line()
    function.limit_time(float(seconds))
    return _OK


def _joblog(engine: Engine, peer: Peer, words: list[bytes], now: float) -> bytes:
    if len(words) != 3:
        return _INCOMPLETE % words[0]
    pattern, switch = words[1], _SWITCH.get(words[2].lower())
    if switch is None:
        return _BAD_SWITCH.line()
    refusal = refused_function(pattern, engine.settings.max_name_size)
    if refusal is not None:
        return refusal.line()
    if not engine.joblog.switch(pattern, switch):
        return _MANY_PATTERNS.line()
    functions = engine.queues.functions
    known = functions.values() if pattern.endswith(EVERYTHING) else [functions.get(pattern)]
    engine.chores.add(engine.joblog.review([one for one in known if one is not None]))
    return _OK


# Access control, as gear 0.16's server has it


def acl(engine: Engine, peer: Peer, words: list[bytes], now: float) -> Answer:
    """List or change the access control list; `Engine.obey` has looked whether the peer may."""
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


def _acl_list(acl: ACL, subject: str, arguments: list[str]) -> Answer:
    return _table(acl.getEntries(), _entry_line)


def _entry_line(entry: ACLEntry) -> bytes:
    row = (
        f"{entry.subject}\tregister={entry.register}\tinvoke={entry.invoke}\tgrant={entry.grant}"
        f"\tadmin={entry.admin}\tsee={entry.see}\n"
    )
    return row.encode(errors="surrogateescape")


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


ACL_RULES: Final[dict[bytes, Callable[[ACL, str, list[str]], Answer]]] = {
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
    b"jobtimeout": _jobtimeout,
    b"joblog": _joblog,
    b"acl": acl,
}


def text_rules() -> dict[bytes, TextRule]:
    """Return the rules of all text commands, by their first word."""
    return dict(_RULES)
