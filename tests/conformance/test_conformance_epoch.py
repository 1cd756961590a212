"""Jobs for later are there, but nobody gets them before their time."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, admin, c, differs, passes, w, w2


def submits_for(when: bytes) -> Step:
    return c.says(req(P.SUBMIT_JOB_EPOCH, b"{f}", b"{u}", when, b"x"), res(P.JOB_CREATED, b"{j}"))


SCENARIOS = [
    scenario(
        "a job for later is counted, and not given out",
        submits_for(b"{+1000}"),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
        w.says(req(P.PRE_SLEEP)),
        admin.asks(b"status\n", b"{f}\t1\t0\t1\n"),
        admin.asks(b"show jobs\n", b"{j}\t0\t0\t1\n"),
        c.says(req(P.GET_STATUS, b"{j}"), res(P.STATUS_RES, b"{j}", b"1", b"0", b"0", b"0")),
        c.says(
            req(P.GET_STATUS_UNIQUE, b"{u}"),
            res(P.STATUS_RES_UNIQUE, b"{u}", b"1", b"0", b"0", b"0", b"0"),
        ),
    ),
    scenario(
        "a job for later, with those that are queued",
        submits_for(b"{+1000}"),
        differs(
            "queued-later",
            geard=[admin.asks(b"prioritystatus\n", b"{f}\t0\t0\t0\t0\n")],
            gearmand=[admin.asks(b"prioritystatus\n", b"{f}\t0\t1\t0\t0\n")],
        ),
    ),
    scenario(
        "a job for later does not hold up others",
        submits_for(b"{+1000}"),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b"a"), res(P.JOB_CREATED, b"{a}")),
        c.says(req(P.SUBMIT_JOB_EPOCH, b"{f}", b"", b"1", b"b"), res(P.JOB_CREATED, b"{b}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{a}", b"{f}", b"a")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{b}", b"{f}", b"b")),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
    ),
    scenario(
        "a job for later does not hold up those of low precedence",
        submits_for(b"{+1000}"),
        c.says(req(P.SUBMIT_JOB_LOW_BG, b"{f}", b"", b"a"), res(P.JOB_CREATED, b"{a}")),
        w.says(req(P.CAN_DO, b"{f}")),
        differs(
            "epoch-blocks-low",
            geard=[w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{a}", b"{f}", b"a"))],
            gearmand=[w.says(req(P.GRAB_JOB), res(P.NO_JOB))],
        ),
    ),
    scenario(
        "a job for later can be cancelled",
        submits_for(b"{+1000}"),
        admin.says(b"cancel job {j}\n", b"OK\r\n"),
        differs(
            "kept-until-grabbed",
            geard=[admin.asks(b"status\n", b"{f}\t0\t0\t0\n")],
            gearmand=[admin.asks(b"status\n", b"{f}\t1\t0\t0\n")],
        ),
    ),
    scenario(
        "a job that comes due wakes who sleeps",
        w.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        submits_for(b"{+2}"),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
        w.says(req(P.PRE_SLEEP)),
        w2.says(req(P.PRE_SLEEP)),
        differs(
            "epoch-wakes",
            geard=[w.hears(res(P.NOOP)), w2.hears(res(P.NOOP))],
            gearmand=[passes(2.1), w.hears_nothing(), w2.hears_nothing()],
        ),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"x")),
        options=("--worker-wakeup", "0"),
    ),
]


@over_servers(SCENARIOS)
def test_epoch(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
