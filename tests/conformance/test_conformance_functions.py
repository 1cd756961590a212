"""The administrative commands that change functions."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, admin, c, differs, w

OK = b"OK\r\n"
FULL = res(P.ERROR, b"QUEUE_ERROR", b"Job queue is full")


def incomplete(word: bytes) -> bytes:
    return (
        b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+%b\r\n"
        % word
    )


def submits(handle: bytes, ptype: P = P.SUBMIT_JOB_BG, unique: bytes = b"") -> Step:
    return c.says(req(ptype, b"{f}", unique, b"x"), res(P.JOB_CREATED, handle))


def grabs(handle: bytes) -> Step:
    return w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, handle, b"{f}", b"x"))


FUNCTIONS = [
    scenario(
        "create a function",
        admin.says(b"create function {f}\r\n", OK),
        admin.says(b"Create Function {f}\r\n", OK),
        admin.asks(b"status\n", b"{f}\t0\t0\t0\n"),
    ),
    scenario(
        "create a function in a line that ends as on Unix",
        admin.says(b"create function {f}x\n", OK),
        differs(
            "last-letter",
            geard=[admin.asks(b"status\n")],
            gearmand=[admin.asks(b"status\n", b"{f}\t0\t0\t0\n")],
        ),
    ),
    scenario(
        "create and drop need a function",
        *(
            admin.says(word + rest, incomplete(word))
            for word in (b"create", b"drop")
            for rest in (b"\n", b" function\n", b" function f g\n")
        ),
    ),
    scenario(
        "drop a function",
        admin.says(b"create function {f}\r\n", OK),
        admin.says(b"drop function {f}\r\n", OK),
        admin.asks(b"status\n"),
        admin.says(b"drop function {f}\r\n", b"ERR function not found\r\n"),
    ),
    scenario(
        "drop a function that is written otherwise",
        admin.says(b"create function {f}x\r\n", OK),
        differs(
            "any-case",
            geard=[
                admin.says(b"drop function {f}X\r\n", b"ERR function not found\r\n"),
                admin.says(b"drop function {f}x\r\n", OK),
            ],
            gearmand=[admin.says(b"drop function {f}X\r\n", OK)],
        ),
    ),
    scenario(
        "drop a function that workers can do",
        w.says(req(P.CAN_DO, b"{f}")),
        admin.says(
            b"drop function {f}\r\n",
            b"ERR there are still connected workers or executing clients\r\n",
        ),
        w.says(req(P.CANT_DO, b"{f}")),
        admin.says(b"drop function {f}\r\n", OK),
    ),
    scenario(
        "B4: drop a function with queued jobs",
        admin.says(b"create function {f}\r\n", OK),
        submits(b"{j}"),
        admin.says(
            b"drop function {f}\r\n",
            b"ERR there are still connected workers or executing clients\r\n",
        ),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        geard_only="B4",
    ),
]


def limits(words: bytes, *steps: Step) -> tuple[Step, ...]:
    return (
        admin.says(b"create function {f}\r\n", OK),
        admin.says(b"maxqueue {f}%b\r\n" % words, OK),
        *steps,
    )


def is_refused(ptype: P) -> Step:
    return c.says(req(ptype, b"{f}", b"", b"x"), FULL)


MAXQUEUE = [
    scenario(
        "maxqueue without a function, or with an unknown one",
        admin.says(b"maxqueue\n", incomplete(b"maxqueue")),
        admin.says(b"maxqueue {f} 1\n", OK),
        admin.asks(b"status\n"),
        submits(b"{j}"),
        submits(b"{k}"),
    ),
    scenario(
        "maxqueue of all precedences",
        *limits(b" 1", submits(b"{j}")),
        *(is_refused(ptype) for ptype in (P.SUBMIT_JOB_HIGH, P.SUBMIT_JOB, P.SUBMIT_JOB_LOW_BG)),
    ),
    scenario(
        "maxqueue by precedence",
        *limits(b" 5 3 1"),
        submits(b"{a}"),
        submits(b"{b}"),
        is_refused(P.SUBMIT_JOB_LOW),
        submits(b"{d}"),
        is_refused(P.SUBMIT_JOB),
        submits(b"{h}", P.SUBMIT_JOB_HIGH_BG),
        submits(b"{k}", P.SUBMIT_JOB_HIGH_BG),
        is_refused(P.SUBMIT_JOB_HIGH),
    ),
    scenario(
        "maxqueue with two limits leaves the low precedence without",
        *limits(b" 1 1"),
        submits(b"{a}"),
        is_refused(P.SUBMIT_JOB_HIGH),
        is_refused(P.SUBMIT_JOB),
        submits(b"{b}", P.SUBMIT_JOB_LOW_BG),
    ),
    *(
        scenario(
            f"maxqueue{words.decode()} is no limit",
            *limits(b" 1"),
            admin.says(b"maxqueue {f}%b\r\n" % words, OK),
            submits(b"{a}"),
            submits(b"{b}"),
        )
        for words in (b"", b" 0", b" -1", b" many")
    ),
    scenario(
        "running jobs count",
        *limits(b" 1"),
        submits(b"{a}"),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{a}"),
        is_refused(P.SUBMIT_JOB),
        w.says(req(P.WORK_COMPLETE, b"{a}", b"")),
        submits(b"{b}"),
    ),
    scenario(
        "a job that joins another is never one too many",
        *limits(b" 1"),
        submits(b"{a}", unique=b"{u}"),
        submits(b"{a}", unique=b"{u}"),
        is_refused(P.SUBMIT_JOB),
    ),
]

SCENARIOS = FUNCTIONS + MAXQUEUE


@over_servers(SCENARIOS)
def test_functions(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
