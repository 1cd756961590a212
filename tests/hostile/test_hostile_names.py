"""Names and lines that would make up rows, log lines or commands: geard takes none of them."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

import gear
from gear_wire.codec import encode
from gear_wire.enums import PacketType
from gear_wire.packets import BasePacket, CanDo, EchoReq, SetClientID, SubmitJobBg
from gear_wire.types import ClientID, FunctionName, UniqueKey
from support.geard_program import HOST, TIMEOUT, Geard, receive, send

ROW = b"\t0\t0\t9\n.\nforged\t0\t0\t9\n"
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d [\d:,.]+ [A-Z]+ gear[\w.]*: ")
INNOCENT = FunctionName(b"innocent")
NONE = UniqueKey(b"")
BODY = b"\n".join(
    (
        b"create function obeyed",
        b"maxqueue innocent 1",
        encode(SubmitJobBg(FunctionName(b"obeyed"), NONE, b"")),
    )
)
POST = (
    b"POST /innocent HTTP/1.1\r\nHost: localhost:4730\r\nOrigin: http://evil.example\r\n"
    b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b\n" % (len(BODY), BODY)
)


def read_to_its_end(sock: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        pass  # the server had not read all that was sent
    return data


def forge(sock: socket.socket, *packets: BasePacket) -> None:
    """Send packets that the server answers with an ERROR each."""
    for packet in packets:
        send(sock, packet)
        assert receive(sock)[0] == PacketType.ERROR


@pytest.mark.parametrize("pieces", [1, len(POST)])
def test_a_web_page_is_not_obeyed(tmp_path: Path, pieces: int) -> None:
    with Geard(tmp_path) as geard:
        with geard.connect() as browser:
            try:
                for start in range(0, len(POST), len(POST) // pieces):
                    browser.sendall(POST[start : start + len(POST) // pieces])
            except ConnectionError:
                pass  # cut off while it still sends
            assert read_to_its_end(browser) == b""
        assert geard.status() == []
        lines = [line for line in geard.stop().splitlines() if " WARNING " in line]
        assert len(lines) == 1
        assert lines[0].endswith(" speaks HTTP")


def test_who_speaks_another_protocol_is_cut_off(tmp_path: Path) -> None:
    with Geard(tmp_path) as geard:
        with geard.connect() as other:
            other.sendall(b"EHLO example.org\r\n" * 1000 + b"create function obeyed\n")
            assert read_to_its_end(other).count(b"ERR UNKNOWN_COMMAND") <= 15
        assert geard.status() == []
        assert geard.stop().count("16 unknown commands in a row") == 1


def test_tables_and_log_lines_have_one_author(tmp_path: Path) -> None:
    with Geard(tmp_path, "--verbose", "DEBUG") as geard:
        with geard.connect() as worker, geard.connect() as forger:
            send(worker, SetClientID(ClientID(b"worker 1")), CanDo(INNOCENT), EchoReq(b""))
            assert receive(worker) == (PacketType.ECHO_RES, b"")
            forge(
                forger,
                CanDo(FunctionName(b"f" + ROW)),
                CanDo(FunctionName(b"two functions")),
                SubmitJobBg(FunctionName(b"f" + ROW), NONE, b""),
                SetClientID(ClientID(b"me :\n.\n2026-11-30 00:00:00 CRITICAL x: \x1b[2J")),
                SetClientID(ClientID(b"me : innocent")),
            )
            forger.sendall(b"create function f\tg\n")
            assert forger.recv(100).startswith(b"ERR INVALID_ARGUMENTS ")
            for unique in (b".", b"u\n.\nOK\r\n\x1b[2J"):
                send(forger, SubmitJobBg(INNOCENT, UniqueKey(unique), b""))
                assert receive(forger)[0] == PacketType.JOB_CREATED

            async def ask() -> tuple[object, ...]:
                async with gear.AsyncAdminClient(HOST, geard.port) as admin:
                    return (
                        await admin.status(),
                        await admin.priority_status(),
                        await admin.show_unique_jobs(),
                        [(row.client_id, row.functions) for row in await admin.workers()],
                    )

            with gear.AdminClient(HOST, geard.port) as admin:
                answers = (
                    admin.status(),
                    admin.priorityStatus(),
                    admin.showUniqueJobs(),
                    [(row.client_id, row.functions) for row in admin.workers()],
                )
            assert answers == asyncio.run(ask())
        status, queues, uniques, workers = answers
        assert [(row.function, row.total, row.workers) for row in status] == [(INNOCENT, 2, 1)]
        assert [row.function for row in queues] == [INNOCENT]
        assert uniques == [rb"\x2e", rb"u\x0a.\x0aOK\x0d\x0a\x1b[2J"]
        assert sorted(workers) == [(b"-", ()), (b"-", ()), (b"worker 1", (INNOCENT,))]
        log = geard.stop()
        assert all(LOG_LINE.match(line) for line in log.splitlines())
        assert "\x1b" not in log


def test_who_is_refused_by_name_hears_so_and_goes_on(tmp_path: Path) -> None:
    """The ERROR about an id is not taken for the answer to a submission."""
    with Geard(tmp_path) as geard:
        client, worker = gear.Client(b"a\nb"), gear.Worker(b"c\td")
        for end in (client, worker):
            end.addServer(HOST, geard.port)
            end.waitForServer(TIMEOUT)
        worker.registerFunction("two words")
        worker.registerFunction("reverse")
        with pytest.raises(gear.ServerError, match="INVALID_FUNCTION_NAME: Function name with bl"):
            client.submitJob(gear.Job("two words", b""), timeout=TIMEOUT)
        job = gear.Job("reverse", b"abc")
        client.submitJob(job, timeout=TIMEOUT)
        with worker.getJob(TIMEOUT) as assigned:
            assigned.sendWorkComplete(assigned.arguments[::-1])
        assert job.result(TIMEOUT) == b"cba"
        assert [row.function for row in geard.status()] == [b"reverse"]
        client.shutdown()
        worker.shutdown()


def test_who_is_refused_by_name_hears_so_and_goes_on_on_asyncio(tmp_path: Path) -> None:
    async def main(geard: Geard) -> None:
        async with gear.AsyncClient(b"a\nb") as client, gear.AsyncWorker(b"c\td") as worker:
            worker.register("two words")
            worker.register("reverse")
            for add_server in (client.add_server, worker.add_server):
                add_server(HOST, geard.port)
            await client.wait_for_server(TIMEOUT)
            with pytest.raises(gear.ServerError, match="INVALID_FUNCTION_NAME"):
                await client.submit("two words", b"")
            job = await client.submit("reverse", b"abc")
            async with await worker.get_job(TIMEOUT) as assigned:
                await assigned.complete(assigned.arguments[::-1])
            assert await job == b"cba"

    with Geard(tmp_path) as geard:
        asyncio.run(main(geard))
