"""Which job a worker gets, who is woken for it, and what becomes of it when somebody leaves."""

import os

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Speaker, Step, admin, c, c2, differs, together, w, w2, w3

NOT_FOUND = res(P.ERROR, b"JOB_NOT_FOUND", b"Job given in work result not found")
WAKE_ALL = ("--worker-wakeup", "0")
WAKE_ONE = ("--worker-wakeup", "1")
PREFIX = b"H:" + os.uname().nodename.encode()


def submits(data: bytes, ptype: P = P.SUBMIT_JOB_BG, function: bytes = b"{f}") -> Step:
    """Submit a job whose handle gets the name of its data."""
    return c.says(req(ptype, function, b"", data), res(P.JOB_CREATED, b"{%b}" % data))


def grabs(data: bytes, function: bytes = b"{f}") -> Step:
    return w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{%b}" % data, function, data))


def grabs_all(*jobs: bytes) -> tuple[Step, ...]:
    return (*(grabs(data) for data in jobs), w.says(req(P.GRAB_JOB), res(P.NO_JOB)))


def wakes_itself(worker: Speaker, data: bytes) -> Step:
    """A worker that sleeps submits a job and takes it."""
    said = together(req(P.SUBMIT_JOB_BG, b"{f}", b"", data), req(P.GRAB_JOB))
    created = res(P.JOB_CREATED, b"{%b}" % data)
    assigned = res(P.JOB_ASSIGN, b"{%b}" % data, b"{f}", data)
    return differs(
        "no-needless-noop",
        geard=[worker.says(said, created, assigned)],
        gearmand=[worker.says(said, res(P.NOOP), created, assigned)],
    )


ORDER = [
    scenario(
        "first come, first served",
        *(submits(data) for data in (b"a", b"b", b"d", b"e")),
        w.says(req(P.CAN_DO, b"{f}")),
        *grabs_all(b"a", b"b", b"d", b"e"),
    ),
    scenario(
        "precedence first",
        submits(b"l", P.SUBMIT_JOB_LOW),
        submits(b"m", P.SUBMIT_JOB_LOW_BG),
        submits(b"n", P.SUBMIT_JOB),
        submits(b"o", P.SUBMIT_JOB_BG),
        submits(b"h", P.SUBMIT_JOB_HIGH),
        submits(b"i", P.SUBMIT_JOB_HIGH_BG),
        w.says(req(P.CAN_DO, b"{f}")),
        *grabs_all(b"h", b"i", b"n", b"o", b"l", b"m"),
    ),
    scenario(
        "precedence counts over all the functions of a worker",
        submits(b"n"),
        submits(b"h", P.SUBMIT_JOB_HIGH_BG, b"{g}"),
        submits(b"l", P.SUBMIT_JOB_LOW_BG),
        submits(b"m", P.SUBMIT_JOB_LOW_BG, b"{g}"),
        submits(b"i", P.SUBMIT_JOB_HIGH_BG),
        w.says(req(P.CAN_DO, b"{g}")),
        w.says(req(P.CAN_DO, b"{f}")),
        differs(
            "precedence",
            geard=[
                w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{_}", b"{_}", b"{high}")),
                w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{_}", b"{_}", b"{high2}")),
                grabs(b"n"),
                w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{_}", b"{_}", b"{low}")),
                w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{_}", b"{_}", b"{low2}")),
            ],
            gearmand=[
                grabs(b"i"),
                grabs(b"n"),
                grabs(b"l"),
                grabs(b"h", b"{g}"),
                grabs(b"m", b"{g}"),
            ],
        ),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
    ),
    scenario(
        "functions take turns",
        submits(b"a"),
        submits(b"b"),
        submits(b"d", function=b"{g}"),
        submits(b"e", function=b"{g}"),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.CAN_DO, b"{g}")),
        differs(
            "turns",
            geard=[grabs(b"a"), grabs(b"d", b"{g}"), grabs(b"b"), grabs(b"e", b"{g}")],
            gearmand=[grabs(b"d", b"{g}"), grabs(b"e", b"{g}"), grabs(b"a"), grabs(b"b")],
        ),
    ),
    scenario(
        "functions take turns when asked to",
        submits(b"a"),
        submits(b"b"),
        submits(b"d", function=b"{g}"),
        submits(b"e", function=b"{g}"),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.CAN_DO, b"{g}")),
        differs(
            "newest-first",
            geard=[grabs(b"a"), grabs(b"d", b"{g}"), grabs(b"b"), grabs(b"e", b"{g}")],
            gearmand=[grabs(b"d", b"{g}"), grabs(b"a"), grabs(b"e", b"{g}"), grabs(b"b")],
        ),
        options=("--round-robin",),
    ),
    scenario(
        "a worker gets what it can do and nothing else",
        submits(b"a"),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
        w.says(req(P.CAN_DO, b"{g}")),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
        w.says(req(P.PRE_SLEEP)),
        differs(
            "learns-asleep",
            geard=[w.says(req(P.CAN_DO, b"{f}"), res(P.NOOP))],
            gearmand=[w.says(req(P.CAN_DO, b"{f}"))],
        ),
        grabs(b"a"),
    ),
    scenario(
        "a job that comes back goes to the end of its queue",
        submits(b"a"),
        submits(b"b"),
        submits(b"l", P.SUBMIT_JOB_LOW_BG),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{a}", b"{f}", b"a")),
        w2.leaves(),
        w.says(req(P.CAN_DO, b"{f}")),
        *grabs_all(b"b", b"a", b"l"),
    ),
]

HANDLES = [
    scenario(
        "handles count over all functions",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b""), res(P.JOB_CREATED, b"X:1")),
        c.says(req(P.SUBMIT_JOB, b"{g}", b"", b""), res(P.JOB_CREATED, b"X:2")),
        c2.says(req(P.SUBMIT_JOB_EPOCH, b"{f}", b"", b"1", b""), res(P.JOB_CREATED, b"X:3")),
        c2.says(req(P.SUBMIT_REDUCE_JOB, b"{f}", b"", b"r", b"", b""), res(P.JOB_CREATED, b"X:4")),
        options=("--job-handle-prefix", "X"),
        alone=True,
    ),
    scenario(
        "handles begin with the name of the host",
        differs(
            "handles-of-one-start",
            geard=[
                c.says(req(P.SUBMIT_JOB, b"{f}", b"", b""), res(P.JOB_CREATED, PREFIX + b":{n}"))
            ],
            gearmand=[
                c.says(req(P.SUBMIT_JOB, b"{f}", b"", b""), res(P.JOB_CREATED, PREFIX + b":1"))
            ],
        ),
        alone=True,
    ),
]

WAKING = [
    scenario(
        "a new job wakes who sleeps for it",
        w.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w3.says(req(P.CAN_DO, b"{g}")),
        w.says(req(P.PRE_SLEEP)),
        w2.says(req(P.PRE_SLEEP)),
        w3.says(req(P.PRE_SLEEP)),
        submits(b"a"),
        w.hears(res(P.NOOP)),
        w2.hears(res(P.NOOP)),
        w3.hears_nothing(),
        options=WAKE_ALL,
    ),
    scenario(
        "who was woken is not woken again before it asks",
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP)),
        submits(b"a"),
        w.hears(res(P.NOOP)),
        submits(b"b"),
        w.hears_nothing(),
        *grabs_all(b"a", b"b"),
        w.says(req(P.PRE_SLEEP)),
        submits(b"d"),
        w.hears(res(P.NOOP)),
        options=WAKE_ALL,
    ),
    *(
        scenario(
            f"who asks by {number.name} is awake",
            w.says(req(P.CAN_DO, b"{f}")),
            w.says(req(P.PRE_SLEEP)),
            w.says(req(number), res(P.NO_JOB)),
            submits(b"a"),
            w.hears_nothing(),
        )
        for number in (P.GRAB_JOB, P.GRAB_JOB_UNIQ, P.GRAB_JOB_ALL)
    ),
    scenario(
        "who never slept is not woken",
        w.says(req(P.CAN_DO, b"{f}")),
        submits(b"a"),
        w.hears_nothing(),
    ),
    scenario(
        "who learns a function in its sleep is woken for it",
        w.says(req(P.PRE_SLEEP)),
        w.says(req(P.CAN_DO, b"{f}")),
        submits(b"a"),
        w.hears(res(P.NOOP)),
    ),
    scenario(
        "who forgets a function in its sleep is not woken for it",
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP)),
        w.says(req(P.CANT_DO, b"{f}")),
        submits(b"a"),
        w.hears_nothing(),
    ),
    scenario(
        "one job wakes one worker when asked to",
        w.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP)),
        w2.says(req(P.PRE_SLEEP)),
        # In one go: geard wakes the others when a job is left lying.
        wakes_itself(w, b"a"),
        w2.hears_nothing(),
        w.says(req(P.PRE_SLEEP)),
        wakes_itself(w2, b"b"),
        w.hears_nothing(),
        options=WAKE_ONE,
    ),
    scenario(
        "how many one job wakes when nothing is said",
        w.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP)),
        w2.says(req(P.PRE_SLEEP)),
        wakes_itself(w, b"a"),
        differs("wakes-one", geard=[w2.hears_nothing()], gearmand=[w2.hears(res(P.NOOP))]),
    ),
    scenario(
        "a job that is left lying wakes the others",
        w.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP)),
        w2.says(req(P.PRE_SLEEP)),
        submits(b"a"),
        w.hears(res(P.NOOP)),
        w2.hears(res(P.NOOP)),
        options=WAKE_ONE,
        geard_only="second-look",
    ),
    scenario(
        "B7: who sleeps again without asking is woken again",
        w.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP)),
        w2.says(req(P.PRE_SLEEP)),
        submits(b"a"),
        w.hears(res(P.NOOP)),
        w2.hears(res(P.NOOP)),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{a}", b"{f}", b"a")),
        w.says(req(P.PRE_SLEEP)),
        submits(b"b"),
        differs("B7", geard=[w.hears(res(P.NOOP))], gearmand=[w.hears_nothing()]),
        options=WAKE_ALL,
    ),
]

LEAVING = [
    scenario(
        "a worker leaves: its job goes to another",
        submits(b"a", P.SUBMIT_JOB),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"a"),
        w.says(req(P.WORK_STATUS, b"{a}", b"3", b"4")),
        c.hears(res(P.WORK_STATUS, b"{a}", b"3", b"4")),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.PRE_SLEEP)),
        w.leaves(),
        w2.hears(res(P.NOOP)),
        c.says(req(P.GET_STATUS, b"{a}"), res(P.STATUS_RES, b"{a}", b"1", b"0", b"0", b"0")),
        admin.asks(b"show jobs\n", b"{a}\t1\t0\t0\n"),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{a}", b"{f}", b"a")),
        w2.says(req(P.WORK_COMPLETE, b"{a}", b"y")),
        c.hears(res(P.WORK_COMPLETE, b"{a}", b"y")),
    ),
    scenario(
        "a worker leaves with several jobs",
        submits(b"a"),
        submits(b"b"),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{a}", b"{f}", b"a")),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{b}", b"{f}", b"b")),
        w2.leaves(),
        admin.asks(b"show jobs\n", b"{a}\t1\t0\t1\n", b"{b}\t1\t0\t1\n"),
        admin.asks(b"status\n", b"{f}\t2\t0\t0\n"),
    ),
    scenario(
        "a client leaves: its queued job is done by nobody",
        submits(b"a", P.SUBMIT_JOB),
        submits(b"b", P.SUBMIT_JOB_BG),
        c.leaves(),
        differs(
            "kept-until-grabbed",
            geard=[
                admin.asks(b"status\n", b"{f}\t1\t0\t0\n"),
                admin.asks(b"show jobs\n", b"{b}\t0\t0\t1\n"),
                admin.asks(b"prioritystatus\n", b"{f}\t0\t1\t0\t0\n"),
            ],
            gearmand=[
                admin.asks(b"status\n", b"{f}\t2\t0\t0\n"),
                admin.asks(b"show jobs\n", b"{a}\t0\t1\t0\n", b"{b}\t0\t0\t1\n"),
                admin.asks(b"prioritystatus\n", b"{f}\t0\t2\t0\t0\n"),
            ],
        ),
        w.says(req(P.CAN_DO, b"{f}")),
        *grabs_all(b"b"),
        admin.asks(b"status\n", b"{f}\t1\t1\t1\n"),
    ),
    scenario(
        "a client leaves: its running job goes on",
        submits(b"a", P.SUBMIT_JOB),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"a"),
        c.leaves(),
        admin.asks(b"status\n", b"{f}\t1\t1\t1\n"),
        w.says(req(P.WORK_DATA, b"{a}", b"d")),
        w.says(req(P.WORK_WARNING, b"{a}", b"d")),
        w.says(req(P.WORK_STATUS, b"{a}", b"3", b"4")),
        c2.says(req(P.GET_STATUS, b"{a}"), res(P.STATUS_RES, b"{a}", b"1", b"1", b"3", b"4")),
        w.says(req(P.WORK_COMPLETE, b"{a}", b"y")),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "client and worker leave: nobody does the job again",
        submits(b"a", P.SUBMIT_JOB),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{a}", b"{f}", b"a")),
        c.leaves(),
        w2.leaves(),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "jobs in the background outlive their client",
        submits(b"a", P.SUBMIT_JOB_BG),
        c.leaves(),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"a"),
        w.says(req(P.WORK_DATA, b"{a}", b"d")),
        w.says(req(P.WORK_COMPLETE, b"{a}", b"y")),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "nobody hears of a job in the background",
        submits(b"a", P.SUBMIT_JOB_BG),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"a"),
        w.says(req(P.WORK_DATA, b"{a}", b"d")),
        w.says(req(P.WORK_WARNING, b"{a}", b"d")),
        w.says(req(P.WORK_STATUS, b"{a}", b"1", b"2")),
        w.says(req(P.WORK_FAIL, b"{a}")),
        c.hears_nothing(),
    ),
    scenario(
        "a connection may be client and worker at once",
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.SUBMIT_JOB, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"y"), res(P.WORK_COMPLETE, b"{j}", b"y")),
    ),
]

SCENARIOS = ORDER + HANDLES + WAKING + LEAVING


@over_servers(SCENARIOS)
def test_scheduling(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
