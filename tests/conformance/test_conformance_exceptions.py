"""An exception ends a job, and reaches only the clients that asked for exceptions."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, admin, c, c2, differs, w

NOT_FOUND = res(P.ERROR, b"JOB_NOT_FOUND", b"Job given in work result not found")


def submits() -> Step:
    return c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}"))


def asks_for_exceptions() -> Step:
    return c.says(req(P.OPTION_REQ, b"exceptions"), res(P.OPTION_RES, b"exceptions"))


def raises() -> tuple[Step, ...]:
    return (
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.WORK_EXCEPTION, b"{j}", b"oops\0")),
    )


def hears_of_failure() -> Step:
    return differs(
        "trailing-nul",
        geard=[c.hears(res(P.WORK_FAIL, b"{j}"))],
        gearmand=[c.hears(res(P.WORK_FAIL, b"{j}", b""))],
    )


SCENARIOS = [
    scenario(
        "who did not ask hears that the job failed",
        submits(),
        *raises(),
        hears_of_failure(),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "who asked hears the exception",
        asks_for_exceptions(),
        submits(),
        *raises(),
        c.hears(res(P.WORK_EXCEPTION, b"{j}", b"oops\0")),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "who asks after submitting hears it too",
        submits(),
        asks_for_exceptions(),
        *raises(),
        c.hears(res(P.WORK_EXCEPTION, b"{j}", b"oops\0")),
    ),
    scenario(
        "each client of a job hears what it asked for",
        submits(),
        c2.says(req(P.OPTION_REQ, b"Exceptions"), res(P.OPTION_RES, b"Exceptions")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        *raises(),
        hears_of_failure(),
        c2.hears(res(P.WORK_EXCEPTION, b"{j}", b"oops\0")),
    ),
    scenario(
        "all may hear exceptions without asking",
        submits(),
        *raises(),
        c.hears(res(P.WORK_EXCEPTION, b"{j}", b"oops\0")),
        options=("--exceptions",),
    ),
    scenario(
        "an exception is the end: WORK_FAIL after it comes too late",
        asks_for_exceptions(),
        submits(),
        *raises(),
        differs(
            "fail-after-exception",
            geard=[
                w.says(req(P.WORK_FAIL, b"{j}")),
                w.says(req(P.WORK_FAIL, b"{j}"), NOT_FOUND),
            ],
            gearmand=[w.says(req(P.WORK_FAIL, b"{j}"), NOT_FOUND)],
        ),
        c.hears(res(P.WORK_EXCEPTION, b"{j}", b"oops\0")),
        c.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"0", b"0", b"0", b"0")),
    ),
    scenario(
        "nobody hears an exception of a job in the background",
        asks_for_exceptions(),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{j}")),
        *raises(),
        c.hears_nothing(),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
]


@over_servers(SCENARIOS)
def test_exceptions(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
