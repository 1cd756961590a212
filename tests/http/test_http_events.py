"""Server-sent events: what a page shows, once a second, for as long as somebody looks."""

import contextlib
import http.client
import signal
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import gear
from gear_server.http import events
from gear_server.http.snapshot import Snapshot
from gear_server.settings import ServerSettings
from support.fix_geard import Start
from support.geard_program import wait_until
from support.http_asking import ask, http_port_of

pytest_plugins = ["support.fix_http"]

PATH = "/api/v1/events"


class Stream:
    """A stream of events.

    Attributes:
        response: The answer that it is.
    """

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response: http.client.HTTPResponse = response

    def lines(self) -> list[str]:
        """Return the lines of the next event; none at the end."""
        found: list[str] = []
        while line := self.response.readline().decode():
            if line == "\n":
                break
            found.append(line.rstrip("\n"))
        return found

    def next(self, name: str) -> Any:
        """Return what the next event of a name says."""
        while lines := self.lines():
            if lines[0] == f"event: {name}":
                return msgspec.json.decode(lines[1].removeprefix("data: "))
        raise AssertionError("the stream has ended")


@contextlib.contextmanager
def opened(port: int, path: str = PATH, headers: dict[str, str] | None = None) -> Iterator[Stream]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers or {})
    try:
        yield Stream(connection.getresponse())
    finally:
        connection.close()


def test_events_show_what_changes(http_server: gear.Server, http_client: gear.Client) -> None:
    with opened(http_server.http_port, f"{PATH}?search=one&size=1") as stream:
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert stream.lines() == ["retry: 2000"]
        assert stream.next("functions") == {"functions": [], "total": 0, "page": 1, "size": 1}
        assert stream.next("server")["jobs"] == 0
        http_client.submitJob(gear.Job("one", b""), background=True)
        http_client.submitJob(gear.Job("other", b""), background=True)
        while not (page := stream.next("functions"))["functions"]:
            pass
        assert page["total"] == 1 and page["functions"][0]["queued"] == 1
        while (row := stream.next("server"))["jobs"] < 2:
            pass
        assert row["functions"] == 2


def test_one_view_is_made_for_all_who_look_at_the_same(
    monkeypatch: pytest.MonkeyPatch, http_server: gear.Server
) -> None:
    asked: list[str] = []
    functions = Snapshot.functions

    async def counted(self: Snapshot, search: str, *more: Any) -> Any:
        asked.append(search)
        return await functions(self, search, *more)

    monkeypatch.setattr(Snapshot, "functions", counted)
    with contextlib.ExitStack() as closing:
        port = http_server.http_port
        streams = [closing.enter_context(opened(port, f"{PATH}?search=a")) for _ in range(5)]
        for stream in streams:
            stream.next("server")  # its own, with which it begins
        asked.clear()
        for _ in range(2):
            uptimes = {stream.next("server")["uptime"] for stream in streams}
        assert len(uptimes) <= 2
        assert len(asked) <= 4  # in some two seconds


def test_streams_are_limited(monkeypatch: pytest.MonkeyPatch, http_server: gear.Server) -> None:
    monkeypatch.setattr(events, "MOST", 2)
    with contextlib.ExitStack() as closing:
        for _ in range(2):
            closing.enter_context(opened(http_server.http_port)).next("server")
        refused = ask(http_server.http_port, PATH)
        assert refused.detail(503) == "there are 2 streams of events already"
        assert refused.headers["retry-after"] == "10"
    # One that has left makes room, at the latest when it is sent something.
    wait_until(lambda: ask_once(http_server.http_port) == 200, "no room")


def ask_once(port: int) -> int:
    with opened(port) as stream:
        return stream.response.status


def test_a_stream_that_is_silent_says_so(
    monkeypatch: pytest.MonkeyPatch, http_server: gear.Server
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.01)
    with opened(http_server.http_port) as stream:
        while stream.lines() != [":"]:
            pass


def test_who_reads_slowly_misses_views(
    monkeypatch: pytest.MonkeyPatch, http_server: gear.Server, http_client: gear.Client
) -> None:
    monkeypatch.setattr(events, "PERIOD", 0.001)
    given: list[bytes] = []
    give = events.Listener.give

    def counted(self: events.Listener, view: bytes) -> None:
        given.append(view)
        give(self, view)

    monkeypatch.setattr(events.Listener, "give", counted)
    for number in range(200):
        http_client.submitJob(gear.Job(f"function{number}", b""), background=True)
    most = 30 << 20
    with socket.create_connection(("127.0.0.1", http_server.http_port), 30) as sock:
        request = f"GET {PATH}?size=200 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sock.sendall(request.encode())
        wait_until(lambda: sum(map(len, given)) > most, "no views")
        http_client.submitJob(gear.Job("newest", b""), background=True)
        received, end = 0, b""
        while b'"jobs":201' not in end:
            part = sock.recv(1 << 20)
            received, end = received + len(part), end[-20:] + part
            assert received < most // 2  # the rest of what was given is not sent


def test_streams_end_when_the_server_drains(start: Start) -> None:
    geard = start("--http", "0")
    with geard.connect() as worker:
        worker.sendall(b"version\n")
        port = http_port_of(geard)
        with opened(port) as stream, opened(port) as other:
            stream.next("server")
            other.next("server")
            with gear.Client() as client:
                client.addServer("127.0.0.1", geard.port)
                client.waitForServer()
                client.submitJob(gear.Job("one", b""), background=True)
                geard.signal(signal.SIGUSR1)  # waits for the job
                while not stream.next("server")["draining"]:
                    pass
                assert stream.lines() == []
                while other.lines():
                    pass


def test_streams_end_with_the_server() -> None:
    with (
        gear.Server(0, host="127.0.0.1", settings=ServerSettings(http="0")) as server,
        opened(server.http_port) as stream,
    ):
        stream.next("server")
        server.shutdown()
        while stream.lines():
            pass
