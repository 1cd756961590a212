"""Names that would break a table, and lines of other protocols."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, Message, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import admin, c, differs, w

BAD_NAME = res(
    P.ERROR, b"INVALID_FUNCTION_NAME", b"Function name with blanks or control characters"
)
BAD_ID = res(
    P.ERROR,
    b"INVALID_ARGUMENT",
    b"Client id with control characters, or a colon after a blank",
)
LONG_NAME = res(P.ERROR, b"ARGUMENT_TOO_LARGE", b"Function name too large")
CONTROL = b"ERR INVALID_ARGUMENTS Control+characters+are+not+allowed\r\n"
UNKNOWN = b"ERR UNKNOWN_COMMAND Unknown+server+commandjobs\r\n"


def submit(name: bytes, ptype: P = P.SUBMIT_JOB_BG, unique: bytes = b"") -> Message:
    return req(ptype, name, unique, b"x")


NAMES = [
    scenario(
        "a function's name of 512 bytes",
        w.says(req(P.CAN_DO, b"f" * 512)),
        c.says(submit(b"f" * 512), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"f" * 512, b"x")),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
    ),
    scenario(
        "a function's name of 4000 bytes",
        differs(
            "long-name",
            geard=[
                w.says(req(P.CAN_DO, b"f" * 4000), LONG_NAME),
                c.says(submit(b"f" * 4000), LONG_NAME),
                admin.asks(b"status\n"),
            ],
            gearmand=[
                w.says(req(P.CAN_DO, b"f" * 4000)),
                c.says(submit(b"f" * 4000), res(P.JOB_CREATED, b"{j}")),
            ],
        ),
        alone=True,
    ),
    scenario(
        "a function's name of 9000 bytes",
        differs(
            "long-name",
            geard=[c.says(submit(b"g" * 9000), LONG_NAME)],
            gearmand=[c.is_cut_off(submit(b"g" * 9000))],
        ),
    ),
    *(
        scenario(
            f"a function's name with {what}",
            differs(
                "names",
                geard=[
                    w.says(req(P.CAN_DO, b"{f}" + rest), BAD_NAME),
                    w.says(req(P.CAN_DO_TIMEOUT, b"{f}" + rest, b"1000"), BAD_NAME),
                    c.says(submit(b"{f}" + rest), BAD_NAME),
                    admin.asks(b"status\n"),
                ],
                gearmand=[
                    w.says(req(P.CAN_DO, b"{f}" + rest)),
                    c.says(submit(b"{f}" + rest), res(P.JOB_CREATED, b"{j}")),
                ],
            ),
            alone=True,
        )
        for what, rest in (
            ("a row in it", b"\t0\t0\t9\nforged"),
            ("a blank", b" forged"),
            ("an escape sequence", b"\x1b[2J"),
            ("DEL", b"\x7f"),
        )
    ),
    *(
        scenario(
            f"a function's name with {what}",
            w.says(req(P.CAN_DO, b"{f}" + rest)),
            c.says(submit(b"{f}" + rest, P.SUBMIT_JOB), res(P.JOB_CREATED, b"{j}")),
            w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}" + rest, b"x")),
            w.says(req(P.WORK_COMPLETE, b"{j}", b"")),
            c.hears(res(P.WORK_COMPLETE, b"{j}", b"")),
        )
        for what, rest in (
            ("letters in UTF-8", "größe✓".encode()),
            ("letters in Latin-1", b"gr\xf6\xdfe"),
            ("a colon and a dot", b":.:."),
        )
    ),
    scenario(
        "an id with blanks",
        w.says(req(P.SET_CLIENT_ID, b"{w} of mine: 1")),
        admin.asks(b"workers\n", b"{_} 127.0.0.1 {w} of mine: 1 :\n"),
    ),
    *(
        scenario(
            f"an id with {what}",
            differs(
                "names",
                geard=[w.says(req(P.SET_CLIENT_ID, b"{w}" + rest), BAD_ID)],
                gearmand=[w.says(req(P.SET_CLIENT_ID, b"{w}" + rest))],
            ),
            alone=True,
        )
        for what, rest in (("a row in it", b" :\n.\n"), ("functions in it", b" : admin"))
    ),
    scenario(
        "a unique with what is special to tables",
        c.says(submit(b"{f}", unique=b"."), res(P.JOB_CREATED, b"{j}")),
        c.says(submit(b"{f}", unique=b"a\n\x1b"), res(P.JOB_CREATED, b"{k}")),
        differs(
            "odd-unique",
            geard=[admin.says(b"show unique jobs\n", b"\\x2e\na\\x0a\\x1b\n.\n")],
            gearmand=[admin.says(b"show unique jobs\n", b"a\n\x1b\n.\n.\n")],
        ),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{j}", b"{f}", b".", b"x")),
        w.says(req(P.GRAB_JOB_UNIQ), res(P.JOB_ASSIGN_UNIQ, b"{k}", b"{f}", b"a\n\x1b", b"x")),
        alone=True,
    ),
]

COMMANDS = [
    scenario(
        "a command with control characters",
        differs(
            "control",
            geard=[
                admin.says(b"create function {f}\ta\r\n", CONTROL),
                admin.says(b"maxqueue {f}\x1b 1\n", CONTROL),
                admin.asks(b"status\n"),
            ],
            gearmand=[
                admin.says(b"create function {f}\ta\r\n", b"OK\r\n"),
                admin.says(b"maxqueue {f}\x1b 1\n", b"OK\r\n"),
            ],
        ),
        alone=True,
    ),
    scenario(
        "a limit of 5000 digits",
        admin.says(b"create function {f}\r\n", b"OK\r\n"),
        differs(
            "large-limit",
            geard=[
                admin.says(
                    b"maxqueue {f} %b\n" % (b"9" * 5000),
                    b"ERR ARGUMENT_TOO_LARGE Limit+too+large\r\n",
                )
            ],
            gearmand=[admin.says(b"maxqueue {f} %b\n" % (b"9" * 5000), b"OK\r\n")],
        ),
    ),
    *(
        scenario(
            f"a line of HTTP: {line.decode().strip()}",
            differs(
                "http",
                geard=[c.is_cut_off(line)],
                gearmand=[
                    c.says(
                        line,
                        b"ERR UNKNOWN_COMMAND Unknown+server+command%b\r\n" % line.split(b" ")[0],
                    )
                ],
            ),
        )
        for line in (b"POST / HTTP/1.1\r\n", b"HEAD /x HTTP/1.0\n", b"Host: localhost\r\n")
    ),
    scenario(
        "sixteen unknown commands in a row",
        c.says(b"jobs\n" * 15, UNKNOWN * 15),
        c.says(b"getpid\n", b"OK {_}\n"),
        c.says(b"jobs\n" * 15, UNKNOWN * 15),
        differs(
            "unknown-commands",
            geard=[c.is_cut_off(b"jobs\n")],
            gearmand=[c.says(b"jobs\n", UNKNOWN)],
        ),
    ),
]

SCENARIOS: list[Scenario] = [*NAMES, *COMMANDS]


@over_servers(SCENARIOS)
def test_names(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
