"""What each packet does, its corners included; when jobs run is in the files beside this one."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, admin, c, differs, w, w2

NO_SUCH_JOB = res(P.ERROR, b"JOB_NOT_FOUND", b"Job does not exist on server")
NOT_FOUND = res(P.ERROR, b"JOB_NOT_FOUND", b"Job given in work result not found")
NO_EXCEPTION = res(
    P.ERROR, b"JOB_NOT_FOUND", b"An exception was received for a job that does not exist"
)
HANDLE_TOO_LARGE = res(
    P.ERROR,
    b"ARGUMENT_TOO_LARGE",
    b"Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf",
)


def works_on(data: bytes = b"") -> tuple[Step, ...]:
    """A client's job is given to a worker."""
    return (
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", data), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", data)),
    )


def ends() -> tuple[Step, ...]:
    """The worker's job is as it was, and ends well."""
    return (
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"")),
    )


WORKERS = [
    scenario(
        "a function registered twice",
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.SET_CLIENT_ID, b"{id}")),
        differs(
            "registered-twice",
            geard=[
                admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
                admin.asks(b"workers\n", b"{_} 127.0.0.1 {id} : {f}\n"),
            ],
            gearmand=[
                admin.asks(b"status\n", b"{f}\t0\t0\t2\n"),
                admin.asks(b"workers\n", b"{_} 127.0.0.1 {id} : {f} {f}\n"),
            ],
        ),
        w.says(req(P.CANT_DO, b"{f}")),
        admin.asks(b"status\n", b"{f}\t0\t0\t0\n"),
    ),
    scenario(
        "a function without a name",
        w.says(req(P.CAN_DO)),
        admin.says(b"status\n", b"\t0\t0\t1\n", b".\n"),
        c.says(req(P.SUBMIT_JOB, b"", b"", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"", b"x")),
        alone=True,
    ),
    scenario("CANT_DO what was never done", w.says(req(P.CANT_DO, b"{f}"))),
    scenario(
        "CANT_DO while a job of it runs",
        *works_on(b"x"),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.PRE_SLEEP)),
        w.says(req(P.CANT_DO, b"{f}")),
        differs(
            "running-jobs-stay",
            geard=[
                w2.says(req(P.GRAB_JOB), res(P.NO_JOB)),
                w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
            gearmand=[
                w2.hears(res(P.NOOP)),
                w.says(req(P.WORK_COMPLETE, b"{j}", b"late"), NOT_FOUND),
                w2.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
                w2.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
        ),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
    ),
    scenario(
        "RESET_ABILITIES while jobs run",
        w.says(req(P.CAN_DO, b"{g}")),
        *works_on(b"x"),
        w.says(req(P.RESET_ABILITIES)),
        differs(
            "running-jobs-stay",
            geard=[
                admin.asks(b"status\n", b"{f}\t1\t1\t0\n", b"{g}\t0\t0\t0\n"),
                w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
                w.says(req(P.WORK_COMPLETE, b"{j}", b"y")),
                c.hears(res(P.WORK_COMPLETE, b"{j}", b"y")),
            ],
            gearmand=[
                admin.asks(b"status\n", b"{f}\t1\t0\t0\n", b"{g}\t0\t0\t0\n"),
                w.says(req(P.WORK_COMPLETE, b"{j}", b"late"), NOT_FOUND),
                w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
                w.says(req(P.CAN_DO, b"{f}")),
                w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
            ],
        ),
    ),
    scenario(
        "PRE_SLEEP while there is a job",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b""), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP), res(P.NOOP)),
        w.says(req(P.PRE_SLEEP), res(P.NOOP)),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"")),
        w.says(req(P.PRE_SLEEP)),
    ),
    scenario(
        "a worker introduces itself",
        w.says(req(P.SET_CLIENT_ID, b"{id}")),
        w.says(req(P.SET_CLIENT_ID, b"{id} the second")),
        w2.says(req(P.CAN_DO, b"{f}")),
        admin.asks(
            b"workers\n",
            b"{_} 127.0.0.1 {id} the second :\n",
            b"{_} 127.0.0.1 - : {f}\n",
        ),
        w2.says(req(P.SET_CLIENT_ID, b"")),
        admin.asks(
            b"workers\n",
            b"{_} 127.0.0.1 {id} the second :\n",
            b"{_} 127.0.0.1  : {f}\n",
        ),
        w2.says(req(P.SET_CLIENT_ID, b"i" * 200)),
        admin.asks(
            b"workers\n",
            b"{_} 127.0.0.1 {id} the second :\n",
            b"{_} 127.0.0.1 " + b"i" * 127 + b" : {f}\n",
        ),
    ),
    scenario(
        "a time-out that is no number",
        w.says(req(P.CAN_DO_TIMEOUT, b"{f}", b"soon")),
        w.says(req(P.CAN_DO_TIMEOUT, b"{g}", b"")),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n", b"{g}\t0\t0\t1\n"),
    ),
    *(
        scenario(
            f"a time-out of {len(digits)} digits",
            differs(
                "long-timeout",
                geard=[
                    w.says(req(P.CAN_DO_TIMEOUT, b"{f}", digits)),
                    admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
                ],
                gearmand=[
                    w.is_ignored(req(P.CAN_DO_TIMEOUT, b"{f}", digits)),
                    admin.asks(b"status\n"),
                ],
            ),
        )
        for digits in (b"9" * 19, b"1" * 21)
    ),
]

GRABS = [
    scenario(
        "a job without a unique has an empty one",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b"", b"x")),
    ),
    scenario(
        "GRAB_JOB_ALL of a job without a reducer",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_REDUCE_JOB, b"{f}", b"", b"", b"", b"y"), res(P.JOB_CREATED, b"{k}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB_ALL), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b"{u}", b"x")),
        w.says(req(P.GRAB_JOB_ALL), res(P.JOB_ASSIGN_UNIQ, b"{k}", b"{f}", b"", b"y")),
    ),
    scenario(
        "a reducer that nobody asks for",
        c.says(
            req(P.SUBMIT_REDUCE_JOB_BACKGROUND, b"{f}", b"{u}", b"red", b"agg", b"x"),
            res(P.JOB_CREATED, b"{j}"),
        ),
        c.says(
            req(P.SUBMIT_REDUCE_JOB, b"{f}", b"{v}", b"red", b"agg", b"y"),
            res(P.JOB_CREATED, b"{k}"),
        ),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b"{u}", b"x")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"{f}", b"y")),
    ),
    scenario(
        "a reduce job comes with its reducer, not with the aggregate",
        c.says(
            req(P.SUBMIT_REDUCE_JOB, b"{f}", b"{u}", b"red", b"agg", b"x\0y"),
            res(P.JOB_CREATED, b"{j}"),
        ),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB_ALL), res(P.JOB_ASSIGN_ALL, b"{j}", b"{f}", b"{u}", b"red", b"x\0y")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"")),
    ),
    scenario(
        "a reduce job has normal precedence",
        c.says(req(P.SUBMIT_JOB_LOW_BG, b"{f}", b"", b"low"), res(P.JOB_CREATED, b"{l}")),
        c.says(
            req(P.SUBMIT_REDUCE_JOB_BACKGROUND, b"{f}", b"", b"r", b"", b"x"),
            res(P.JOB_CREATED, b"{j}"),
        ),
        c.says(req(P.SUBMIT_JOB_HIGH_BG, b"{f}", b"", b"high"), res(P.JOB_CREATED, b"{h}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{h}", b"{f}", b"high")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{l}", b"{f}", b"low")),
    ),
    scenario(
        "a worker may have several jobs at once",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b"1"), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b"2"), res(P.JOB_CREATED, b"{k}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"1")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"{f}", b"2")),
        admin.asks(b"status\n", b"{f}\t2\t2\t1\n"),
        w.says(req(P.WORK_COMPLETE, b"{k}", b"two")),
        c.hears(res(P.WORK_COMPLETE, b"{k}", b"two")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"one")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"one")),
    ),
]

UPDATES = [
    scenario(
        "payloads may hold anything",
        *works_on(b"\0a\0\0b\n\0"),
        w.says(req(P.WORK_DATA, b"{j}", b"\0\0REQ")),
        c.hears(res(P.WORK_DATA, b"{j}", b"\0\0REQ")),
        w.says(req(P.WORK_WARNING, b"{j}", b"")),
        c.hears(res(P.WORK_WARNING, b"{j}", b"")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"\n\0")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"\n\0")),
    ),
    scenario(
        "a status is passed on as it came, and kept as a number",
        *works_on(),
        c.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"1", b"1", b"0", b"0")),
        w.says(req(P.WORK_STATUS, b"{j}", b"07", b" 9x")),
        c.hears(res(P.WORK_STATUS, b"{j}", b"07", b" 9x")),
        c.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"1", b"1", b"7", b"9")),
        w.says(req(P.WORK_STATUS, b"{j}", b"abc", b"")),
        c.hears(res(P.WORK_STATUS, b"{j}", b"abc", b"")),
        c.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"1", b"1", b"0", b"0")),
        *ends(),
    ),
    scenario(
        "a negative status",
        *works_on(),
        w.says(req(P.WORK_STATUS, b"{j}", b"abc", b"-5")),
        c.hears(res(P.WORK_STATUS, b"{j}", b"abc", b"-5")),
        c.says(
            req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"1", b"1", b"0", b"4294967291")
        ),
        *ends(),
    ),
    scenario(
        "a status of many digits",
        *works_on(),
        differs(
            "long-status",
            geard=[
                w.says(req(P.WORK_STATUS, b"{j}", b"1", b"123456789012")),
                c.hears(res(P.WORK_STATUS, b"{j}", b"1", b"123456789012")),
            ],
            gearmand=[
                w.is_ignored(req(P.WORK_STATUS, b"{j}", b"1", b"123456789012")),
                c.hears_nothing(),
            ],
        ),
    ),
    scenario(
        "WORK_FAIL is passed on as it came",
        *works_on(),
        w.says(req(P.WORK_FAIL, b"{j}", b"")),
        c.hears(res(P.WORK_FAIL, b"{j}", b"")),
        w.says(req(P.WORK_FAIL, b"{j}"), NOT_FOUND),
    ),
    scenario(
        "only the worker that has a job may speak of it",
        *works_on(),
        w2.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.WORK_DATA, b"{j}", b""), NO_SUCH_JOB),
        w2.says(req(P.WORK_WARNING, b"{j}", b""), NO_SUCH_JOB),
        w2.says(req(P.WORK_STATUS, b"{j}", b"1", b"2"), NOT_FOUND),
        w2.says(req(P.WORK_COMPLETE, b"{j}", b""), NOT_FOUND),
        w2.says(req(P.WORK_FAIL, b"{j}"), NOT_FOUND),
        w2.says(req(P.WORK_EXCEPTION, b"{j}", b""), NO_EXCEPTION),
        c.says(req(P.WORK_COMPLETE, b"{j}", b""), NOT_FOUND),
        c.hears_nothing(),
        *ends(),
    ),
    scenario(
        "nobody may speak of a job that is queued",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b""), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b""), NOT_FOUND),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"")),
        *ends(),
    ),
    scenario(
        "jobs that do not exist",
        w.says(req(P.WORK_DATA, b"H:no:1", b""), NO_SUCH_JOB),
        w.says(req(P.WORK_WARNING, b"H:no:1", b""), NO_SUCH_JOB),
        w.says(req(P.WORK_STATUS, b"H:no:1", b"1", b"2"), NOT_FOUND),
        w.says(req(P.WORK_COMPLETE, b"H:no:1", b""), NOT_FOUND),
        w.says(req(P.WORK_FAIL, b"H:no:1"), NOT_FOUND),
        w.says(req(P.WORK_EXCEPTION, b"H:no:1", b""), NO_EXCEPTION),
        differs(
            "long-handle",
            geard=[w.says(req(P.WORK_FAIL, b"h" * 64), NOT_FOUND)],
            gearmand=[w.says(req(P.WORK_FAIL, b"h" * 64), HANDLE_TOO_LARGE)],
        ),
    ),
]

SCENARIOS = WORKERS + GRABS + UPDATES


@over_servers(SCENARIOS)
def test_packets(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
