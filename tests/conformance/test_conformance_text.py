"""The administrative commands and their replies, word for word."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import Step, admin, c, c2, differs, w, w2

OK = b"OK\r\n"
UNKNOWN_JOB = b"ERR UNKNOWN_JOB\r\n"


def unknown(word: bytes) -> bytes:
    return b"ERR UNKNOWN_COMMAND Unknown+server+command%b\r\n" % word


def submits(handle: bytes, ptype: P = P.SUBMIT_JOB_BG, unique: bytes = b"") -> Step:
    return c.says(req(ptype, b"{f}", unique, b"x"), res(P.JOB_CREATED, handle))


def grabs(handle: bytes) -> Step:
    return w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, handle, b"{f}", b"x"))


LINES = [
    scenario(
        "commands in any case, with either ending, and with what else is said",
        *(
            admin.says(line, b"OK {pid}\n")
            for line in (
                b"getpid\n",
                b"getpid\r\n",
                b"GetPID\n",
                b"getpid and more\n",
                b"getpid   and   more\r\n",
                b"getpid  \n",
            )
        ),
    ),
    scenario(
        "every other command that takes no words ignores them",
        admin.says(b"VERSION now\n", b"OK {_}\n"),
        admin.says(b"Verbose now\n", b"OK {_}\n"),
        admin.says(b"STATUS now\n", b".\n"),
        admin.says(b"PriorityStatus now\n", b".\n"),
        admin.says(b"SHOW Jobs\n", b".\n"),
        admin.says(b"SHOW Unique Jobs\n", b".\n"),
        w.says(req(P.SET_CLIENT_ID, b"{id}")),
        admin.asks(b"Workers now\n", b"{_} 127.0.0.1 {id} :\n"),
        alone=True,
    ),
    scenario(
        "unknown commands",
        admin.says(b"foo\n", unknown(b"foo")),
        admin.says(b"Foo bar\r\n", unknown(b"Foo")),
        admin.says(b"statusfoo\n", unknown(b"statusfoo")),
        admin.says(b"\n", unknown(b"")),
        admin.says(b"\r\n", unknown(b"")),
        admin.says(b" status\n", unknown(b"")),
        admin.says(b"shutdown\n", unknown(b"shutdown")),
        admin.says(b"shutdown graceful\n", unknown(b"shutdown")),
        admin.says(b"maxqueues\n", unknown(b"maxqueues")),
    ),
    scenario(
        "the level of the log",
        admin.says(b"verbose\n", b"OK WARNING\n"),
        options=("--verbose", "WARNING"),
    ),
    scenario(
        "the level of the log when nothing is said",
        differs(
            "log-level",
            geard=[admin.says(b"verbose\n", b"OK NOTICE\n")],
            gearmand=[admin.says(b"verbose\n", b"OK ERROR\n")],
        ),
    ),
    scenario("the version", admin.says(b"version\n", b"OK {_}\n")),
    scenario(
        "access control",
        differs(
            "acl",
            geard=[
                admin.says(b"acl list\n", b"ERR ACL_DISABLED\n"),
                admin.says(b"acl\n", b"ERR ACL_DISABLED\n"),
            ],
            gearmand=[admin.says(b"acl list\n", unknown(b"acl"))],
        ),
    ),
    scenario(
        "a log of a function's jobs",
        differs(
            "joblog",
            geard=[
                admin.says(b"joblog {f} on\n", b"OK\r\n"),
                admin.says(b"joblog {f} off\n", b"OK\r\n"),
            ],
            gearmand=[admin.says(b"joblog {f} on\n", unknown(b"joblog"))],
        ),
    ),
]

TABLES = [
    scenario(
        "a server where nothing has happened",
        admin.says(b"status\n", b".\n"),
        admin.says(b"prioritystatus\n", b".\n"),
        admin.says(b"show jobs\n", b".\n"),
        admin.says(b"show unique jobs\n", b".\n"),
        alone=True,
    ),
    scenario(
        "status, word for word",
        w.says(req(P.CAN_DO, b"f")),
        c.says(req(P.SUBMIT_JOB_BG, b"f", b"u", b""), res(P.JOB_CREATED, b"{j}")),
        c.says(req(P.SUBMIT_JOB_HIGH_BG, b"f", b"v", b""), res(P.JOB_CREATED, b"{k}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{k}", b"f", b"")),
        admin.says(b"status\n", b"f\t2\t1\t1\n.\n"),
        admin.says(b"prioritystatus\n", b"f\t0\t1\t0\t1\n.\n"),
        alone=True,
    ),
    scenario(
        "status counts jobs and workers, and remembers functions",
        submits(b"{j}"),
        admin.asks(b"status\n", b"{f}\t1\t0\t0\n"),
        w.says(req(P.CAN_DO, b"{f}")),
        w2.says(req(P.CAN_DO, b"{f}")),
        admin.asks(b"status\n", b"{f}\t1\t0\t2\n"),
        grabs(b"{j}"),
        admin.asks(b"status\n", b"{f}\t1\t1\t2\n"),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
        admin.asks(b"status\n", b"{f}\t0\t0\t2\n"),
        w.leaves(),
        w2.leaves(),
        admin.asks(b"status\n", b"{f}\t0\t0\t0\n"),
    ),
    scenario(
        "prioritystatus counts queued jobs by their precedence",
        submits(b"{a}", P.SUBMIT_JOB_HIGH_BG),
        submits(b"{b}", P.SUBMIT_JOB_BG),
        submits(b"{d}", P.SUBMIT_JOB),
        submits(b"{e}", P.SUBMIT_JOB_LOW),
        submits(b"{k}", P.SUBMIT_JOB_LOW_BG),
        submits(b"{l}", P.SUBMIT_JOB_LOW_BG),
        admin.asks(b"prioritystatus\n", b"{f}\t1\t2\t3\t0\n"),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{a}"),
        admin.asks(b"prioritystatus\n", b"{f}\t0\t2\t3\t1\n"),
    ),
    scenario(
        "workers shows every connection",
        w.says(req(P.SET_CLIENT_ID, b"{w}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.CAN_DO_TIMEOUT, b"{g}", b"5000")),
        c.says(req(P.SET_CLIENT_ID, b"{c}")),
        admin.says(req(P.SET_CLIENT_ID, b"{admin}")),
        differs(
            "newest-first",
            geard=[
                admin.asks(
                    b"workers\n",
                    b"{_} 127.0.0.1 {w} : {f} {g}\n",
                    b"{_} 127.0.0.1 {c} :\n",
                    b"{_} 127.0.0.1 {admin} :\n",
                )
            ],
            gearmand=[
                admin.asks(
                    b"workers\n",
                    b"{_} 127.0.0.1 {w} : {g} {f}\n",
                    b"{_} 127.0.0.1 {c} :\n",
                    b"{_} 127.0.0.1 {admin} :\n",
                )
            ],
        ),
    ),
    scenario(
        "show jobs",
        submits(b"{j}"),
        submits(b"{k}", P.SUBMIT_JOB),
        admin.asks(b"show jobs\n", b"{j}\t0\t0\t1\n", b"{k}\t0\t0\t0\n"),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        admin.asks(b"show jobs\n", b"{j}\t0\t0\t1\n", b"{k}\t0\t0\t0\n"),
        w.leaves(),
        admin.asks(b"show jobs\n", b"{j}\t1\t0\t1\n", b"{k}\t0\t0\t0\n"),
    ),
    scenario(
        "show jobs, when the client of a running job has left",
        submits(b"{j}", P.SUBMIT_JOB),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        c.leaves(),
        admin.asks(b"show jobs\n", b"{j}\t0\t1\t0\n"),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
        admin.asks(b"show jobs\n"),
    ),
    scenario(
        "show unique jobs",
        submits(b"{j}", unique=b"{u}"),
        submits(b"{k}", unique=b"{v}"),
        admin.asks(b"show unique jobs\n", b"{u}\n", b"{v}\n"),
    ),
    *(
        scenario(
            f"show unique jobs: {unique.decode() or 'none'}",
            submits(b"{j}", unique=unique),
            admin.says(b"show unique jobs\n", unique + b"\n", b".\n"),
            alone=True,
        )
        for unique in (b"", b"-")
    ),
    scenario(
        "show nothing, or nothing known",
        admin.says(b"show\n", unknown(b"show")),
        admin.says(b"show me\n", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
        admin.says(b"show unique\n", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
        admin.says(b"show unique people\n", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
        admin.says(b"show functions now\n", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
        admin.says(b"show counters now\n", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
        differs(
            "functions",
            geard=[admin.says(b"show functions\n", b".\n")],
            gearmand=[admin.says(b"show functions\n", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n")],
        ),
        differs(
            "counters",
            geard=[admin.says(b"show counters\n", b".\n")],
            gearmand=[admin.says(b"show counters\n", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n")],
        ),
        alone=True,
    ),
]

CANCEL = [
    scenario(
        "cancel without a job",
        admin.says(b"cancel\n", unknown(b"cancel")),
        admin.says(b"cancel job\n", unknown(b"cancel")),
        admin.says(b"cancel x y\n", b"ERR UNKNOWN_ERROR\r\n"),
        admin.says(b"cancel job H:no:1\n", UNKNOWN_JOB),
    ),
    scenario(
        "cancel a queued job",
        submits(b"{j}", P.SUBMIT_JOB),
        admin.says(b"Cancel Job {j}\r\n", OK),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        differs(
            "kept-until-grabbed",
            geard=[
                admin.asks(b"status\n", b"{f}\t0\t0\t0\n"),
                admin.asks(b"show jobs\n"),
                admin.says(b"cancel job {j}\n", UNKNOWN_JOB),
            ],
            gearmand=[
                admin.asks(b"status\n", b"{f}\t1\t0\t0\n"),
                admin.asks(b"show jobs\n", b"{j}\t0\t1\t0\n"),
            ],
        ),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "cancel a queued background job",
        submits(b"{j}"),
        admin.says(b"cancel job {j}\n", OK),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB), res(P.NO_JOB)),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "cancel a job of two clients",
        c.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b""), res(P.JOB_CREATED, b"{j}")),
        c2.says(req(P.SUBMIT_JOB, b"{f}", b"{u}", b""), res(P.JOB_CREATED, b"{j}")),
        admin.says(b"cancel job {j}\n", OK),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        c2.hears(res(P.WORK_FAIL, b"{j}")),
    ),
    scenario(
        "cancel a running background job",
        submits(b"{j}"),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        admin.says(b"cancel job {j}\n", OK),
        admin.asks(b"status\n", b"{f}\t1\t1\t1\n"),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
    scenario(
        "cancel a running job that a client waits for",
        submits(b"{j}", P.SUBMIT_JOB),
        w.says(req(P.CAN_DO, b"{f}")),
        grabs(b"{j}"),
        admin.says(b"cancel job {j}\n", OK),
        c.hears(res(P.WORK_FAIL, b"{j}")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"late")),
        differs(
            "cancelled-twice",
            geard=[c.hears_nothing()],
            gearmand=[c.hears(res(P.WORK_COMPLETE, b"{j}", b"late"))],
        ),
        admin.asks(b"status\n", b"{f}\t0\t0\t1\n"),
    ),
]

SCENARIOS = LINES + TABLES + CANCEL


@over_servers(SCENARIOS)
def test_text(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
