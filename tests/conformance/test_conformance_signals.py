"""What signals do to a server that has jobs, and to one that has none."""

import signal

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, c, c2, differs, server, w

SHUTTING_DOWN = res(P.ERROR, b"QUEUE_ERROR", b"Server is shutting down")


def runs() -> tuple[Step, ...]:
    """A worker has a client's job."""
    return (
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
    )


def ends() -> tuple[Step, ...]:
    """The worker's job ends, and with it the server."""
    return (
        w.begins(req(P.WORK_COMPLETE, b"{j}", b"y")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
        differs(
            "told-twice",
            geard=[server.exits(0)],
            gearmand=[server.exits_when_reminded(signal.SIGUSR1, 0, 1, -signal.SIGUSR1)],
        ),
    )


SCENARIOS = [
    *(
        scenario(
            f"{number.name} ends a server without jobs",
            c.hears_nothing(),
            server.gets(number),
            server.exits(0),
            alone=True,
        )
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    ),
    scenario(
        "SIGINT ends a server at once",
        *runs(),
        server.gets(signal.SIGINT),
        server.exits(0),
        alone=True,
    ),
    scenario(
        "SIGTERM waits a while for running jobs",
        *runs(),
        server.gets(signal.SIGTERM),
        differs("grace", geard=ends(), gearmand=[server.exits(0)]),
        alone=True,
    ),
    scenario(
        "SIGUSR1 waits for running jobs",
        *runs(),
        c2.hears_nothing(),
        server.gets(signal.SIGUSR1),
        server.refuses(),
        w.says(req(P.WORK_DATA, b"{j}", b"d")),
        c.hears(res(P.WORK_DATA, b"{j}", b"d")),
        differs(
            "no-more-jobs",
            geard=[c2.says(req(P.SUBMIT_JOB, b"{f}", b"", b"z"), SHUTTING_DOWN)],
            gearmand=[
                c2.says(req(P.SUBMIT_JOB, b"{f}", b"", b"z"), res(P.JOB_CREATED, b"{k}")),
                w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"{f}", b"z")),
                w.says(req(P.WORK_FAIL, b"{k}")),
                c2.hears(res(P.WORK_FAIL, b"{k}")),
            ],
        ),
        *ends(),
        alone=True,
    ),
    scenario(
        "SIGUSR1 waits for queued jobs",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        server.gets(signal.SIGUSR1),
        server.refuses(),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        *ends(),
        alone=True,
    ),
    *(
        scenario(
            f"{number.name} stops nothing",
            *runs(),
            server.gets(number),
            w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
            c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
            c2.says(b"getpid\n", b"OK {_}\n"),
            alone=True,
        )
        for number in (signal.SIGHUP, signal.SIGPIPE)
    ),
]


@over_servers(SCENARIOS)
def test_signals(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
