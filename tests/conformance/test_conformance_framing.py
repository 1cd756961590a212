"""How bytes become messages, and what happens to those that do not."""

from gear_wire.enums import PacketType as P

from .conversation import Conversation, Message, Packet, req, res
from .scenarios import Scenario, over_servers, scenario
from .script import admin, c, c2, differs, w

ANY_ARGUMENTS = (b"",) * 8
"""As many arguments as any packet has; what is too many is part of the last."""
WRONG_MAGIC = res(P.ERROR, b"INVALID_MAGIC", b"Request magic expected")
NOT_EXPECTED = res(P.ERROR, b"INVALID_COMMAND", b"Command not expected")
NO_REQUESTS = (5, 6, 8, 10, 11, 17, 19, 20, 24, 27, 31, 35, 40, 42)
TOO_FEW: dict[str, Packet] = {
    "SUBMIT_JOB": req(P.SUBMIT_JOB, b"{f}"),
    "SUBMIT_JOB_BG": req(P.SUBMIT_JOB_BG, b"{f}", b"u"),
    "SUBMIT_JOB_EPOCH": req(P.SUBMIT_JOB_EPOCH, b"{f}", b"", b"1"),
    "SUBMIT_REDUCE_JOB": req(P.SUBMIT_REDUCE_JOB, b"{f}", b"", b"r", b"x"),
    "SUBMIT_REDUCE_JOB_BACKGROUND": req(P.SUBMIT_REDUCE_JOB_BACKGROUND, b"{f}", b"", b"r", b"x"),
    "CAN_DO_TIMEOUT": req(P.CAN_DO_TIMEOUT, b"{f}"),
    "WORK_STATUS": req(P.WORK_STATUS, b"{j}", b"1"),
}
NO_PAYLOAD = (P.WORK_DATA, P.WORK_WARNING, P.WORK_COMPLETE)
WAITED_FOR = ("CAN_DO_TIMEOUT", "WORK_STATUS")
"""Packets after which gearmand takes the next ones for the rest, and waits for more."""
NUMBERS = {
    "SUBMIT_JOB": b"3",
    "SUBMIT_JOB_BG": b"3",
    "SUBMIT_JOB_EPOCH": b"4",
    "SUBMIT_REDUCE_JOB": b"5",
    "SUBMIT_REDUCE_JOB_BACKGROUND": b"5",
    "WORK_STATUS": b"3",
}


def echo(data: bytes) -> tuple[Message, Message]:
    return req(P.ECHO_REQ, data), res(P.ECHO_RES, data)


SCENARIOS = [
    scenario(
        "a message may come in parts",
        *(c.begins(bytes([byte])) for byte in b"\0REQ\0\0\0\x10\0\0\0\x03ab"),
        c.says(b"c", b"\0RES\0\0\0\x11\0\0\0\x03abc"),
        *(c.begins(bytes([byte])) for byte in b"getpid\r"),
        c.says(b"\n", b"OK {_}\n"),
    ),
    scenario(
        "messages may come together, text among packets",
        c.says(
            b"\0REQ\0\0\0\x10\0\0\0\x01a"
            b"getpid\n"
            b"\0REQ\0\0\0\x09\0\0\0\0"
            b"getpid\r\n"
            b"\0REQ\0\0\0\x10\0\0\0\x01b",
            b"\0RES\0\0\0\x11\0\0\0\x01a",
            b"OK {pid}\n",
            b"\0RES\0\0\0\x0a\0\0\0\0",
            b"OK {pid}\n",
            b"\0RES\0\0\0\x11\0\0\0\x01b",
        ),
    ),
    scenario(
        "a payload may be large",
        c.says(*echo(bytes(range(256)) * 16384)),
        w.says(req(P.CAN_DO, b"{f}")),
        c.says(req(P.SUBMIT_JOB, b"{f}", b"", b"\0x" * (1 << 21)), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"\0x" * (1 << 21))),
        w.says(req(P.WORK_COMPLETE, b"{j}", b"\0y" * (1 << 21))),
        c.hears(res(P.WORK_COMPLETE, b"{j}", b"\0y" * (1 << 21))),
    ),
    scenario(
        "E1: only requests are taken",
        *(
            c.says(Packet(b"\0RES", number, b"\0".join(ANY_ARGUMENTS)), WRONG_MAGIC)
            for number in (5, *P)
        ),
    ),
    scenario("E2: another magic", c.is_cut_off(b"\0XXX\0\0\0\x10\0\0\0\0")),
    *(
        scenario(
            f"E3: type {number:#x}",
            c.is_cut_off(Packet(b"\0REQ", number, b"")),
            c2.says(*echo(b"still here")),
        )
        for number in (0, 43, 0x7FFFFFFF)
    ),
    *(
        scenario(
            f"E4: type {number:#x}",
            c.is_cut_off(Packet(b"\0REQ", number, b"")),
            c2.says(*echo(b"still here")),
            geard_only="B1",
        )
        for number in (0x80000000, 0xFFFFFFFF)
    ),
    scenario(
        "E5: packets that are no requests",
        *(c.says(req(number, *ANY_ARGUMENTS), NOT_EXPECTED) for number in NO_REQUESTS),
    ),
    *(
        scenario(
            f"E6: too few arguments in {name}",
            w.says(req(P.CAN_DO, b"{g}")),
            c.says(req(P.SUBMIT_JOB, b"{g}", b"", b""), res(P.JOB_CREATED, b"{j}")),
            w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{g}", b"")),
            differs(
                "E6",
                geard=[
                    w.says(
                        packet,
                        res(
                            P.ERROR,
                            b"INVALID_COMMAND",
                            b"%b takes %b arguments, separated by NUL"
                            % (name.encode(), NUMBERS.get(name, b"2")),
                        ),
                    ),
                    w.says(req(P.WORK_COMPLETE, b"{j}", b"x")),
                    c.hears(res(P.WORK_COMPLETE, b"{j}", b"x")),
                    admin.asks(b"status\n", b"{g}\t0\t0\t1\n"),
                ],
                gearmand=[w.is_cut_off(packet)],
            ),
            geard_only="E6" if name in WAITED_FOR else None,
        )
        for name, packet in TOO_FEW.items()
    ),
    *(
        scenario(
            f"{number.name} without its payload",
            w.says(req(P.CAN_DO, b"{g}")),
            c.says(req(P.SUBMIT_JOB, b"{g}", b"", b""), res(P.JOB_CREATED, b"{j}")),
            w.says(req(P.GRAB_JOB), res(P.JOB_ASSIGN, b"{j}", b"{g}", b"")),
            differs(
                "no-payload",
                geard=[w.says(req(number, b"{j}")), c.hears(res(number, b"{j}", b""))],
                gearmand=[w.is_cut_off(req(number, b"{j}"))],
            ),
        )
        for number in NO_PAYLOAD
    ),
    scenario(
        "E7: what follows a packet without arguments is ignored",
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b""), res(P.JOB_CREATED, b"{j}")),
        w.says(req(P.CAN_DO, b"{f}")),
        w.says(req(P.PRE_SLEEP, b"zzz"), res(P.NOOP)),
        w.says(req(P.GRAB_JOB, b"zzz"), res(P.JOB_ASSIGN, b"{j}", b"{f}", b"")),
        w.says(req(P.GRAB_JOB_UNIQ, b"zzz"), res(P.NO_JOB)),
        w.says(req(P.GRAB_JOB_ALL, b"z\0z"), res(P.NO_JOB)),
        w.says(req(P.WORK_FAIL, b"{j}")),
        c.says(req(P.SUBMIT_JOB_BG, b"{f}", b"", b""), res(P.JOB_CREATED, b"{k}")),
        w.says(req(P.RESET_ABILITIES, b"zzz")),
        admin.asks(b"status\n", b"{f}\t1\t0\t0\n"),
    ),
    scenario("E8: six words", c.is_cut_off(b"status 2 3 4 5 6\n")),
    scenario("five words", c.says(b"getpid 2 3 4 5\n", b"OK {_}\n")),
    scenario("a line without an end", c.is_cut_off(b"x" * 9000)),
    scenario(
        "B8: a header that promises 4 GiB",
        c.is_cut_off(b"\0REQ\0\0\0\x10\xff\xff\xff\xff"),
        c2.says(*echo(b"still here")),
        geard_only="B8",
    ),
]


@over_servers(SCENARIOS)
def test_framing(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)
