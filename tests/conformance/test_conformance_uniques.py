"""Submissions of one unique share a job."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, admin, c, c2, differs, w, w2

NOT_FOUND = res(P.ERROR, b"JOB_NOT_FOUND", b"Job given in work result not found")


def grabs(handle: bytes, data: bytes = b"x") -> Step:
    return w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, handle, b"{f}", data))


def finds_nothing() -> Step:
    return w.says(req(P.GRAB_JOB), res(P.NO_JOB))


def completes(handle: bytes) -> Step:
    return w.says(req(P.WORK_COMPLETE, handle, b"y"))


JOINED = [
    scenario(
        "all clients of a job hear all of it",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        admin.asks(b"status\n", b"{f}\t1\t0\t0\n"),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        w.says(req(P.WORK_DATA, b"{j}", b"d")),
        w.says(req(P.WORK_WARNING, b"{j}", b"e")),
        w.says(req(P.WORK_STATUS, b"{j}", b"1", b"2")),
        completes(b"{j}"),
        *(
            client.hears(
                res(P.WORK_DATA, b"{j}", b"d"),
                res(P.WORK_WARNING, b"{j}", b"e"),
                res(P.WORK_STATUS, b"{j}", b"1", b"2"),
                res(P.WORK_COMPLETE, b"{j}", b"y"),
            )
            for client in (c, c2)
        ),
        finds_nothing(),
    ),
    scenario(
        "all clients of a job hear that it failed",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        w.says(req(P.WORK_FAIL, b"{j}")),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        c2.hears(res(P.WORK_FAIL, b"{j}")),
    ),
    scenario(
        "who joins late hears what comes later",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        w.says(req(P.WORK_DATA, b"{j}", b"early")),
        c.hears(res(P.WORK_DATA, b"{j}", b"early")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.WORK_DATA, b"{j}", b"late")),
        c.hears(res(P.WORK_DATA, b"{j}", b"late")),
        c2.hears(res(P.WORK_DATA, b"{j}", b"late")),
        completes(b"{j}"),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
        c2.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
    ),
    scenario(
        "who submits twice hears everything twice",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        completes(b"{j}"),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"y"), res(P.WORK_COMPLETE, b"{j}", b"y")),
    ),
    scenario(
        "one of two clients leaves",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.leaves(),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        completes(b"{j}"),
        c2.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
    ),
    scenario(
        "the first workload and precedence stay",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b"other"), res(P.JOB_CREATED, b"{k}")),
        c.says(req(P.SUBMIT_JOB_LOW, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB_HIGH, b"{f}", b"{u}", b"z"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{k}", b"other"),
        grabs(b"{j}"),
    ),
    scenario(
        "a submission in the background hears nothing",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        w.says(req(P.WORK_DATA, b"{j}", b"d")),
        completes(b"{j}"),
        c.hears(res(P.WORK_DATA, b"{j}", b"d"), res(P.WORK_COMPLETE, b"{j}", b"y")),
        c2.hears_nothing(),
    ),
    scenario(
        "a client may join a job in the background",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        completes(b"{j}"),
        c2.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
        c.hears_nothing(),
    ),
    scenario(
        "reduce jobs and jobs for later join too",
        c.says(
            req(P.SUBMIT_REDUCE_JOB, b"{f}", b"{u}", b"r", b"", b"x"), res(P.JOB_CREATED, b"{j}")
        ),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_EPOCH, b"{f}", b"{u}", b"1", b"x"), res(P.JOB_CREATED, b"{j}")),
        admin.asks(b"status\n", b"{f}\t1\t0\t0\n"),
    ),
]

APART = [
    scenario(
        "a unique counts within its function",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{g}", b"{u}", b"x"), res(P.JOB_CREATED, b"{k}")),
        admin.asks(b"status\n", b"{f}\t1\t0\t0\n", b"{g}\t1\t0\t0\n"),
    ),
    scenario(
        "a unique counts until its job ends",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        completes(b"{j}"),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{k}")),
        admin.asks(b"show jobs\n", b"{k}\t0\t0\t1\n"),
        grabs(b"{k}"),
    ),
    scenario(
        "no unique is no unique",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{k}")),
        admin.asks(b"status\n", b"{f}\t2\t0\t0\n"),
    ),
    scenario(
        "the unique - stands for the workload",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"-", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"-", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"-", b"z"), res(P.JOB_CREATED, b"{k}")),
        admin.asks(b"status\n", b"{f}\t2\t0\t0\n"),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b"-", b"x")),
        c.says(req(P.SUBMIT_JOB, b"{f}", b"-", b"x"), res(P.JOB_CREATED, b"{j}")),
        completes(b"{j}"),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"-", b"x"), res(P.JOB_CREATED, b"{l}")),
        admin.asks(b"status\n", b"{f}\t2\t0\t1\n"),
    ),
    scenario(
        "the unique - without a workload stands for nothing",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"-", b""), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"-", b""), res(P.JOB_CREATED, b"{k}")),
        admin.asks(b"status\n", b"{f}\t2\t0\t0\n"),
    ),
    scenario(
        "the unique # is a unique like others",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"#", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"#", b"z"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b"#", b"x")),
    ),
]

LOST = [
    scenario(
        "B2: a client joins a job in the background, and leaves",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.leaves(),
        w.says(req(P.CAN_DO, b"{f}")),
        differs("B2", geard=[grabs(b"{j}"), completes(b"{j}")], gearmand=[finds_nothing()]),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "B2: a submission in the background joins a client's job, and the client leaves",
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c2.leaves(),
        w.says(req(P.CAN_DO, b"{f}")),
        differs("B2", geard=[grabs(b"{j}"), completes(b"{j}")], gearmand=[finds_nothing()]),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "B3: a unique again, after its client has left",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.leaves(),
        differs(
            "B3",
            geard=[
                c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{k}")),
                w.says(req(P.CAN_DO, b"{f}")),
                grabs(b"{k}"),
                completes(b"{k}"),
                c2.hears(res(P.WORK_COMPLETE, b"{k}", b"y")),
            ],
            gearmand=[
                c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
                w.says(req(P.CAN_DO, b"{f}")),
                finds_nothing(),
                c2.hears_nothing(),
            ],
        ),
    ),
    scenario(
        "B3: a unique again, after its job was cancelled",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        admin.says(b"cancel job {j}\n", b"OK\r\n"),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        differs(
            "B3",
            geard=[
                c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{k}")),
                w.says(req(P.CAN_DO, b"{f}")),
                grabs(b"{k}"),
                completes(b"{k}"),
                c2.hears(res(P.WORK_COMPLETE, b"{k}", b"y")),
            ],
            gearmand=[
                c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
                w.says(req(P.CAN_DO, b"{f}")),
                finds_nothing(),
                c2.hears_nothing(),
            ],
        ),
    ),
    scenario(
        "a unique again, after the client of its running job has left",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        c.leaves(),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        completes(b"{j}"),
        c2.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
    ),
    scenario(
        "B3: and the worker leaves as well",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        c.leaves(),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w2.leaves(),
        w.says(req(P.CAN_DO, b"{f}")),
        differs(
            "B3",
            geard=[
                grabs(b"{j}"),
                completes(b"{j}"),
                c2.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
            gearmand=[finds_nothing(), c2.hears_nothing()],
        ),
    ),
    scenario(
        "a unique again, after its running job was cancelled",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        admin.says(b"cancel job {j}\n", b"OK\r\n"),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        differs(
            "B3",
            geard=[
                c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"z"), res(P.JOB_CREATED, b"{k}")),
                completes(b"{j}"),
                grabs(b"{k}", b"z"),
                completes(b"{k}"),
                c2.hears(res(P.WORK_COMPLETE, b"{k}", b"y")),
            ],
            gearmand=[
                c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b"z"), res(P.JOB_CREATED, b"{j}")),
                completes(b"{j}"),
                c2.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
                c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
        ),
    ),
]

SCENARIOS = JOINED + APART + LOST


@over_servers(SCENARIOS)
def test_uniques(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
