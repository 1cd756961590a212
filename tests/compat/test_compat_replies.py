"""What gear 0.16's echoes and administrative requests did wrong, over real sockets."""

import socket
import threading

import pytest

import gear
from gear_wire.packets import EchoReq, EchoRes
from support.lines import HOST, bare
from support.scripted_server import Peer, scripted_server


@pytest.mark.parametrize("connected", ["bare", "of a client"])
def test_an_echo_returns_when_it_comes_and_only_then(connected: str) -> None:
    """In 0.16 it was the other way round."""
    answering = threading.Event()

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, EchoReq) and answering.is_set():
            peer.send(EchoRes(message.payload))

    with scripted_server(answer) as server:
        client = gear.Client()
        client.addServer(HOST, server.port)
        client.waitForServer(20)
        connection = bare(server.port) if connected == "bare" else client.getConnection()
        with pytest.raises(gear.TimeoutError):
            connection.echo(b"x", 0.05)
        answering.set()
        # What the first attempt left is nothing that the second stumbles over.
        assert connection.echo(b"x", 20) == b"x"
        assert connection.echo(timeout=20)
        if connected == "bare":
            connection.disconnect()
        client.shutdown()


def test_an_echo_that_nobody_waits_for_stalls_nothing(client: gear.Client) -> None:
    connection = client.getConnection()
    assert connection.handleEchoRes(b"never asked for") is False
    connection.sendEchoReq(b"nobody waits")
    assert connection.echo(b"x", 20) == b"x"


class Command(gear.AdminRequest):
    """A command as users write them: with nothing but its words."""

    command = b"getpid"


class Nonsense(gear.AdminRequest):
    command = b"nonsense"


@pytest.mark.parametrize("connected", ["bare", "of a client"])
def test_replies_of_one_line_complete_any_request(
    connected: str, client: gear.Client, server: gear.Server
) -> None:
    connection = bare(server.port) if connected == "bare" else client.getConnection()
    requests = [Command(), Nonsense(), gear.StatusAdminRequest(), gear.VersionAdminRequest()]
    for request in requests:
        connection.sendAdminRequest(request, 20)
    assert all((request.response or b"").startswith(b"OK ") for request in requests[::3])
    assert requests[1].response == b"ERR UNKNOWN_COMMAND Unknown+server+commandnonsense\r\n"
    assert requests[2].response == b".\n"
    if connected == "bare":
        connection.disconnect()


@pytest.mark.parametrize("connected", ["bare", "of a client"])
def test_a_request_may_be_sent_again(
    connected: str, client: gear.Client, server: gear.Server
) -> None:
    """0.16 returned at once with the reply to the first."""
    connection = bare(server.port) if connected == "bare" else client.getConnection()
    request = gear.StatusAdminRequest()
    connection.sendAdminRequest(request, 20)
    assert request.response == b".\n"
    client.submitJob(gear.Job("nobody", b""))
    connection.sendAdminRequest(request, 20)
    assert request.response == b"nobody\t1\t0\t0\n.\n"
    if connected == "bare":
        connection.disconnect()


def test_waitForResponse_tells_whether_it_came(client: gear.Client) -> None:
    request = gear.StatusAdminRequest()
    assert request.waitForResponse(0.01) is False
    client.getConnection().sendAdminRequest(request, 20)
    assert request.waitForResponse() is True


def test_a_long_reply_is_joined_when_it_may_be_whole(silent: socket.socket) -> None:
    """Zuul had administrative replies made 2,880 times faster: a reply is not copied a read."""
    looked: list[int] = []

    class Watched(gear.StatusAdminRequest):
        def _end(self, data: bytes) -> int:
            looked.append(len(data))
            return super()._end(data)

    connection = bare(silent.getsockname()[1])
    peer, _ = silent.accept()
    lines = b"".join(b"function-%d\t0\t0\t0\n" % number for number in range(300_000))
    sender = threading.Thread(target=peer.sendall, args=(lines + b".\n",))
    sender.start()
    request = Watched()
    connection.sendAdminRequest(request, 20)
    sender.join(20)
    assert request.response == lines + b".\n"
    assert sum(looked) < 2 * len(lines)
    peer.close()
    connection.disconnect()


def test_an_own_end_of_replies_is_looked_for_each_time() -> None:
    class Until(gear.AdminRequest):
        command = b"version"

        def isComplete(self, data: bytes) -> tuple[bool, bytes | None]:
            if not data.endswith(b"END\n"):
                return False, None
            self.response = data
            return True, None

    go_on = threading.Event()

    def answer(peer: Peer, message: object) -> None:
        peer.sock.sendall(b"first\n")
        assert go_on.wait(20)
        peer.sock.sendall(b"END\n")

    with scripted_server(answer) as server:
        connection = bare(server.port)
        request = Until()
        threading.Timer(0.05, go_on.set).start()
        connection.sendAdminRequest(request, 20)
        assert request.response == b"first\nEND\n"
        connection.disconnect()


def test_threads_on_a_bare_connection_wait_for_their_own_answers_alone() -> None:
    """One that is never answered holds up none that are."""

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, EchoReq) and message.payload != b"never":
            peer.send(EchoRes(message.payload))

    with scripted_server(answer) as server:
        connection = bare(server.port)
        given_up = threading.Event()

        def never() -> None:
            with pytest.raises(gear.ConnectionError):
                connection.echo(b"never", None)
            given_up.set()

        thread = threading.Thread(target=never)
        thread.start()
        server.wait_for(lambda: server.messages)
        for number in range(50):
            assert connection.echo(b"%d" % number, 20) == b"%d" % number
        with pytest.raises(gear.TimeoutError):
            connection.echo(b"never", 0.05)
        assert not given_up.is_set()
        connection.disconnect()
        thread.join(20)
        assert given_up.is_set()
