"""Jobs whose workers are lost or too slow are done again, as often as they may be."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, admin, c, c2, differs, passes, w, w2, w3

NOT_FOUND = res(P.ERROR, b"JOB_NOT_FOUND", b"Job given in work result not found")
TWICE = ("--job-retries", "2")
ONCE = ("--job-retries", "1")
NEVER = ("--job-retries", "0")


def submits(ptype: P = P.SUBMIT_JOB) -> Step:
    return c.says(req(ptype, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{j}"))


def loses() -> tuple[Step, ...]:
    """A worker takes the job and is gone."""
    return (
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.leaves(),
    )


RETRIES = [
    scenario(
        "without a limit a job is done again and again",
        submits(),
        *(step for _ in range(4) for step in loses()),
        admin.asks(b"show jobs\n", b"{j}\t4\t0\t0\n"),
        c.hears_nothing(),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
    ),
    scenario(
        "a job may be tried twice",
        submits(),
        *loses(),
        c.hears_nothing(),
        *loses(),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        admin.asks(b"status\n", b"{f}\t0\t0\t0\n"),
        admin.asks(b"show jobs\n"),
        options=TWICE,
    ),
    scenario(
        "a job of two clients may be tried once",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        *loses(),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        c2.hears(res(P.WORK_FAIL, b"{j}")),
        options=ONCE,
    ),
    scenario(
        "a job in the background may be tried once",
        submits(P.SUBMIT_JOB_BG),
        *loses(),
        admin.asks(b"status\n", b"{f}\t0\t0\t0\n"),
        options=ONCE,
    ),
    scenario(
        "no retries",
        submits(),
        *loses(),
        differs(
            "retries-zero",
            geard=[c.hears(res(P.WORK_FAIL, b"{j}"))],
            gearmand=[c.hears_nothing(), admin.asks(b"show jobs\n", b"{j}\t1\t0\t0\n")],
        ),
        options=NEVER,
    ),
    scenario(
        "a worker that resets its abilities has tried",
        submits(),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.RESET_ABILITIES)),
        differs(
            "running-jobs-stay",
            geard=[
                w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
                c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
            gearmand=[c.hears(res(P.WORK_FAIL, b"{j}"))],
        ),
        options=ONCE,
    ),
]


def starts_timed(milliseconds: bytes) -> tuple[Step, ...]:
    """A worker with a time-out has the job, and another waits for it."""
    return (
        submits(),
        w.says(req(P.CAN_DO_TIMEOUT, b"{f}", milliseconds)),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.PRE_SLEEP)),
    )


def another_second() -> tuple[Step, ...]:
    """A time-out of a second begins and ends: all that began before are over."""
    return (
        c2.says(req(P.SUBMIT_JOB, b"{clock}", b"", b"x"), res(P.JOB_CREATED, b"{tick}")),
        w2.says(req(P.CAN_DO_TIMEOUT, b"{clock}", b"1000")),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{tick}", b"{clock}", b"x")),
        w3.says(req(P.CAN_DO, b"{clock}")),
        w3.says(req(P.PRE_SLEEP)),
        w3.hears(res(P.NOOP)),
    )


TIMEOUTS = [
    *(
        scenario(
            f"a job that takes longer than {milliseconds.decode()} ms goes to another",
            *starts_timed(milliseconds),
            w2.hears(res(P.NOOP)),
            admin.asks(b"show jobs\n", b"{j}\t1\t0\t0\n"),
            w.says(req(P.WORK_COMPLETE, b"{j}", b"late"), NOT_FOUND),
            c.hears_nothing(),
            w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
            w2.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
            c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
        )
        for milliseconds in (b"1000", b"1")
    ),
    scenario(
        "a job that takes too long, with no retries left",
        *starts_timed(b"1000"),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"late"), NOT_FOUND),
        admin.asks(b"status\n", b"{f}\t0\t0\t2\n"),
        options=ONCE,
    ),
    *(
        scenario(
            f"a time-out of {milliseconds.decode()} is none",
            submits(),
            w.says(req(P.CAN_DO_TIMEOUT, b"{f}", milliseconds)),
            w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
            *another_second(),
            w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
            c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
        )
        for milliseconds in (b"0", b"soon")
    ),
    scenario(
        "B5: a job that ended in time is over",
        submits(),
        w.says(req(P.CAN_DO_TIMEOUT, b"{f}", b"1000")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
        *another_second(),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n", b"{clock}\t1\t0\t2\n"),
        geard_only="B5",
    ),
    scenario(
        "a worker that sleeps has not ended its job",
        *starts_timed(b"1000"),
        w.says(req(P.PRE_SLEEP)),
        differs(
            "every-timer",
            geard=[w2.hears(res(P.NOOP)), w.hears(res(P.NOOP))],
            gearmand=[
                *another_second(),
                w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
                c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
        ),
        options=("--worker-wakeup", "0"),
    ),
    scenario(
        "a worker that takes a job of no time-out has not ended the other",
        *starts_timed(b"1000"),
        c2.says(req(P.SUBMIT_JOB_BG, b"{g}", b"", b"x"), res(P.JOB_CREATED, b"{k}")),
        w.says(req(P.CAN_DO, b"{g}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"{g}", b"x")),
        differs(
            "every-timer",
            geard=[w2.hears(res(P.NOOP))],
            gearmand=[
                *another_second(),
                w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
                c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
        ),
    ),
    scenario(
        "each of several jobs has its time",
        submits(),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{k}")),
        w.says(req(P.CAN_DO_TIMEOUT, b"{f}", b"1000")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"{f}", b"x")),
        differs(
            "every-timer",
            geard=[c.hears(res(P.WORK_FAIL, b"{j}")), c2.hears(res(P.WORK_FAIL, b"{k}"))],
            gearmand=[
                c.hears(res(P.WORK_FAIL, b"{j}")),
                passes(0.3),
                w.says(req(P.WORK_COMPLETE, b"{k}", b"y")),
                c2.hears(res(P.WORK_COMPLETE, b"{k}", b"y")),
            ],
        ),
        options=ONCE,
    ),
]

SCENARIOS = RETRIES + TIMEOUTS


@over_servers(SCENARIOS)
def test_retries(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
