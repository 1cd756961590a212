"""What a client may ask and what it may not submit."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, Packet, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import admin, c, c2, differs, w

TOO_LARGE = res(P.ERROR, b"ARGUMENT_TOO_LARGE", b"Unique value too large")
UNKNOWN_OPTION = res(P.ERROR, b"UNKNOWN_OPTION", b"Server does not recognize given option")
SUBMITS = (
    P.SUBMIT_JOB,
    P.SUBMIT_JOB_HIGH,
    P.SUBMIT_JOB_LOW,
    P.SUBMIT_JOB_BG,
    P.SUBMIT_JOB_HIGH_BG,
    P.SUBMIT_JOB_LOW_BG,
)


QUESTIONS = [
    scenario("an echo of nothing", c.says(req(P.ECHO_REQ), res(P.ECHO_RES))),
    scenario("an echo of NULs", c.says(req(P.ECHO_REQ, b"\0\0"), res(P.ECHO_RES, b"\0\0"))),
    scenario(
        "options",
        c.says(req(P.OPTION_REQ, b"exceptions"), res(P.OPTION_RES, b"exceptions")),
        c.says(req(P.OPTION_REQ, b"EXCeptions"), res(P.OPTION_RES, b"EXCeptions")),
        c.says(req(P.OPTION_REQ, b"exception"), UNKNOWN_OPTION),
        c.says(req(P.OPTION_REQ, b""), UNKNOWN_OPTION),
        c.says(req(P.OPTION_REQ, b"o" * 64), UNKNOWN_OPTION),
        c.says(req(P.OPTION_REQ, b"o" * 1000), UNKNOWN_OPTION),
    ),
    scenario(
        "the status of a job",
        c.says(req(P.GET_STATUS, b"H:no:1"), res(P.STATUS_RES, b"H:no:1", b"0", b"0", b"0", b"0")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b""), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"1", b"0", b"0", b"0")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"")),
        w.says(req(P.WORK_STATUS, b"{j}", b"3", b"4")),
        c2.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"1", b"1", b"3", b"4")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
        c.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"0", b"0", b"0", b"0")),
    ),
    scenario(
        "the status of a handle that is too long",
        differs(
            "long-question",
            geard=[
                c.says(
                    req(P.GET_STATUS, b"h" * 64),
                    res(P.STATUS_RES, b"h" * 64, b"0", b"0", b"0", b"0"),
                )
            ],
            gearmand=[c.is_ignored(req(P.GET_STATUS, b"h" * 64))],
        ),
    ),
    scenario(
        "the status of a unique that is too long",
        differs(
            "long-question",
            geard=[
                c.says(
                    req(P.GET_STATUS_UNIQUE, b"u" * 65),
                    res(P.STATUS_RES_UNIQUE, b"u" * 65, b"0", b"0", b"0", b"0", b"0"),
                )
            ],
            gearmand=[c.is_ignored(req(P.GET_STATUS_UNIQUE, b"u" * 65))],
        ),
    ),
    scenario(
        "the status of a unique",
        c.says(
            req(P.GET_STATUS_UNIQUE, b"{u}"),
            res(P.STATUS_RES_UNIQUE, b"{u}", b"0", b"0", b"0", b"0", b"0"),
        ),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b""), res(P.JOB_CREATED, b"{j}")),
        c2.says(
            req(P.GET_STATUS_UNIQUE, b"{u}"),
            res(P.STATUS_RES_UNIQUE, b"{u}", b"1", b"0", b"0", b"0", b"0"),
        ),
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b""), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b""), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"")),
        w.says(req(P.WORK_STATUS, b"{j}", b"3", b"4")),
        c.hears(res(P.WORK_STATUS, b"{j}", b"3", b"4")),
        c2.hears(res(P.WORK_STATUS, b"{j}", b"3", b"4")),
        c2.says(
            req(P.GET_STATUS_UNIQUE, b"{u}"),
            res(P.STATUS_RES_UNIQUE, b"{u}", b"1", b"1", b"3", b"4", b"2"),
        ),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"")),
        c2.hears(res(P.WORK_COMPLETE, b"{j}", b"")),
        c2.says(
            req(P.GET_STATUS_UNIQUE, b"{u}"),
            res(P.STATUS_RES_UNIQUE, b"{u}", b"0", b"0", b"0", b"0", b"0"),
        ),
    ),
    scenario(
        "of one unique in several functions the newest counts",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"{u}", b""), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB, b"{g}", b"{u}", b""), res(P.JOB_CREATED, b"{k}")),
        c.says(
            req(P.GET_STATUS_UNIQUE, b"{u}"),
            res(P.STATUS_RES_UNIQUE, b"{u}", b"1", b"0", b"0", b"0", b"1"),
        ),
        w.says(req(P.CAN_DO, b"{g}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"{g}", b"")),
        w.says(req(P.WORK_COMPLETE, b"{k}", b"")),
        c.hears(res(P.WORK_COMPLETE, b"{k}", b"")),
        c.says(
            req(P.GET_STATUS_UNIQUE, b"{u}"),
            res(P.STATUS_RES_UNIQUE, b"{u}", b"1", b"0", b"0", b"0", b"0"),
        ),
    ),
    scenario(
        "jobs with the unique - have no status by it",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"-", b"x"), res(P.JOB_CREATED, b"{j}")),
        c.says(
            req(P.GET_STATUS_UNIQUE, b"-"),
            res(P.STATUS_RES_UNIQUE, b"-", b"0", b"0", b"0", b"0", b"0"),
        ),
    ),
]


def epoch(when: bytes) -> Packet:
    return req(P.SUBMIT_JOB_EPOCH, b"{f}", b"", when, b"x")


REFUSALS = [
    scenario(
        "a unique that is too long",
        *(c.says(req(number, b"{f}", b"u" * 65, b""), TOO_LARGE) for number in SUBMITS),
        c.says(req(P.SUBMIT_JOB_EPOCH, b"{f}", b"u" * 65, b"1", b""), TOO_LARGE),
        admin.asks(b"status\n"),
    ),
    scenario(
        "a reducer that is too long",
        c.says(req(P.SUBMIT_REDUCE_JOB, b"{f}", b"", b"r" * 65, b"", b""), TOO_LARGE),
        c.says(req(P.SUBMIT_REDUCE_JOB_BACKGROUND, b"{f}", b"", b"r" * 65, b"", b""), TOO_LARGE),
        admin.asks(b"status\n"),
    ),
    scenario(
        "B6: a reduce job with a unique that is too long",
        differs(
            "B6",
            geard=[
                c.says(req(P.SUBMIT_REDUCE_JOB, b"{f}", b"u" * 65, b"r", b"", b""), TOO_LARGE),
                admin.asks(b"status\n"),
            ],
            gearmand=[
                c.says(
                    req(P.SUBMIT_REDUCE_JOB, b"{f}", b"u" * 65, b"r", b"", b""),
                    res(P.JOB_CREATED, b"{j}"),
                ),
                admin.asks(b"status\n", b"{f}\t1\t0\t0\n"),
            ],
        ),
    ),
    scenario(
        "B6: a unique as long as it may be",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"u" * 64, b"x"), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        differs(
            "B6",
            geard=[
                w.says(
                    req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b"u" * 64, b"x")
                )
            ],
            gearmand=[
                w.says(
                    req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b"u" * 63, b"\0x")
                )
            ],
        ),
        alone=True,
    ),
    scenario(
        "a time that is no number is now",
        c.says(epoch(b"soon"), res(P.JOB_CREATED, b"{j}")),
        c.says(epoch(b""), res(P.JOB_CREATED, b"{k}")),
        c.says(epoch(b"-9"), res(P.JOB_CREATED, b"{l}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"{f}", b"x")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{l}", b"{f}", b"x")),
    ),
    *(
        scenario(
            f"a time of {len(when)} digits",
            differs(
                "long-time",
                geard=[c.says(epoch(when), res(P.ERROR, b"ARGUMENT_TOO_LARGE", b"Time too large"))],
                gearmand=[c.is_ignored(epoch(when))],
            ),
            admin.asks(b"status\n"),
        )
        for when in (b"9" * 19, b"9" * 21)
    ),
    scenario(
        "a full queue",
        admin.says(b"create function {f}\r\n", b"OK\r\n"),
        admin.says(b"maxqueue {f} 1\r\n", b"OK\r\n"),
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b""), res(P.JOB_CREATED, b"{j}")),
        *(
            c.says(
                req(number, b"{f}", b"", b""),
                res(P.ERROR, b"QUEUE_ERROR", b"Job queue is full"),
            )
            for number in SUBMITS
        ),
    ),
]

SCENARIOS = QUESTIONS + REFUSALS


@over_servers(SCENARIOS)
def test_questions(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
