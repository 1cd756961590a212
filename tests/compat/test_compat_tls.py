"""TLS with the three documented files: both faces, the administrative clients and the server."""

import asyncio
import logging
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.certificates import Authority, Files, old_files
from support.faces import connected, reverse
from support.scripted_server import scripted_server

HOST = "127.0.0.1"
OLD = ssl.TLSVersion.TLSv1_1
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def files(authority: Authority) -> Files:
    return authority.issue(HOST, common_name="everyone")


@pytest.fixture
def server(files: Files) -> Iterator[gear.Server]:
    server = gear.Server(0, *files, host=HOST)
    yield server
    server.shutdown()


@pytest.fixture(params=["threads", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def context_of(side: int, version: ssl.TLSVersion, files: Files) -> ssl.SSLContext:
    """Return a context of one version of TLS alone."""
    context = ssl.SSLContext(side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1, to see it refused
        context.minimum_version = context.maximum_version = version
    # OpenSSL refuses the old versions by itself, but for this; it is the other side's turn here.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(files.cert, files.key)
    context.load_verify_locations(files.ca)
    return context


def can_connect(kind: str, port: int, files: Files, check: bool = True, host: str = HOST) -> bool:
    """Tell whether a face's client gets a connection over which it hears the server."""
    if kind == "threads":
        connection = gear.Connection(host, port, *files, ssl_check_hostname=check)
        try:
            connection.connect()
            connection.echo(b"x", 20)
        except gear.ConnectionError:
            return False
        connection.disconnect()
        return True

    async def connect() -> bool:
        async with gear.AsyncAdminClient(host, port, *files, ssl_check_hostname=check) as client:
            return bool(await client.version())

    try:
        return asyncio.run(connect())
    except gear.ConnectionError:
        return False


def test_a_result_over_tls(kind: str, server: gear.Server, files: Files) -> None:
    with connected(kind, [(HOST, server.port)], files) as face:
        face.serve("reverse", reverse)
        large = bytes(range(256)) * 10000
        assert face.submit("reverse", b"test string").result() == b"gnirts tset"
        assert face.submit("reverse", large).result() == large[::-1]


def test_the_administrative_clients_over_tls(server: gear.Server, files: Files) -> None:
    with gear.AdminClient(HOST, server.port, *files) as client:
        assert client.version()

    async def version() -> str:
        async with gear.AsyncAdminClient(HOST, server.port, *files) as client:
            return await client.version()

    assert asyncio.run(version())


# Versions


@pytest.mark.parametrize("version", VERSIONS)
def test_the_server_takes_a_version(
    version: ssl.TLSVersion, server: gear.Server, files: Files
) -> None:
    context = context_of(ssl.PROTOCOL_TLS_CLIENT, version, files)
    with socket.create_connection((HOST, server.port), 20) as plain:
        with context.wrap_socket(plain, server_hostname=HOST) as sock:
            sock.sendall(b"version\n")
            assert sock.recv(100).startswith(b"OK ")


def test_the_server_refuses_tls_1_1(server: gear.Server, files: Files) -> None:
    context = context_of(ssl.PROTOCOL_TLS_CLIENT, OLD, files)
    # Without a server that takes it, nobody would know who refuses.
    with scripted_server(context=context_of(ssl.PROTOCOL_TLS_SERVER, OLD, files)) as old:
        with socket.create_connection((HOST, old.port), 20) as plain:
            context.wrap_socket(plain, server_hostname=HOST).close()
    with socket.create_connection((HOST, server.port), 20) as plain:
        with pytest.raises(OSError):
            context.wrap_socket(plain, server_hostname=HOST)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_takes_a_version(kind: str, version: ssl.TLSVersion, files: Files) -> None:
    context = context_of(ssl.PROTOCOL_TLS_SERVER, version, files)
    with scripted_server(context=context) as server:
        assert can_connect(kind, server.port, files)


def test_a_client_refuses_tls_1_1(kind: str, files: Files) -> None:
    context = context_of(ssl.PROTOCOL_TLS_SERVER, OLD, files)
    with scripted_server(context=context) as server:
        assert not can_connect(kind, server.port, files)


def test_the_server_is_told_which_name_is_asked_for(authority: Authority) -> None:
    files = authority.issue("localhost")
    context = context_of(ssl.PROTOCOL_TLS_SERVER, ssl.TLSVersion.TLSv1_3, files)
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, context: names.append(name)
    with scripted_server(context=context) as server:
        connection = gear.Connection("localhost", server.port, *files)
        connection.connect()
        connection.disconnect()
    assert names == ["localhost"]


# Trust


def test_a_client_refuses_a_server_of_another_authority(
    kind: str, server: gear.Server, tmp_path: Path
) -> None:
    assert not can_connect(kind, server.port, Authority(tmp_path / "other").issue(HOST))


def test_the_server_refuses_a_client_of_another_authority(
    kind: str, server: gear.Server, files: Files, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "other").issue(HOST)._replace(ca=files.ca)
    assert not can_connect(kind, server.port, stranger)
    assert can_connect(kind, server.port, files)


def test_the_server_refuses_a_client_without_certificate(server: gear.Server, files: Files) -> None:
    context = ssl.create_default_context(cafile=files.ca)
    with socket.create_connection((HOST, server.port), 20) as plain:
        with pytest.raises(OSError):
            with context.wrap_socket(plain, server_hostname=HOST) as sock:
                # With TLS 1.3, the refusal comes after the client's own handshake.
                sock.sendall(b"version\n")
                if not sock.recv(100):
                    raise ConnectionResetError


def test_a_certificate_must_name_the_host(kind: str, authority: Authority, files: Files) -> None:
    server = gear.Server(0, *authority.issue("elsewhere.example.com"), host=HOST)
    assert not can_connect(kind, server.port, files)
    assert can_connect(kind, server.port, files, check=False)
    server.shutdown()


@pytest.mark.parametrize(("common_name", "accepted"), [("localhost", True), ("other", False)])
def test_an_old_certificate_names_the_host_in_its_subject(
    common_name: str, accepted: bool, kind: str, tmp_path: Path
) -> None:
    """Certificates made for 0.16 may have no other name: they are good still."""
    files = old_files(tmp_path / "old", common_name)
    server = gear.Server(0, *files)
    assert can_connect(kind, server.port, files, host="localhost") is accepted
    server.shutdown()


def test_who_does_not_check_the_host_checks_the_authority(
    kind: str, server: gear.Server, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "other").issue(HOST)
    assert not can_connect(kind, server.port, stranger, check=False)


def test_a_refused_name_says_how_to_accept_it(
    kind: str, authority: Authority, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    """Programs of 0.16, which checked no name, need to know what they must change."""
    server = gear.Server(0, *authority.issue("elsewhere.example.com"), host=HOST)
    caplog.set_level(logging.WARNING)
    with pytest.raises(gear.TimeoutError):
        wait_for_server(kind, server.port, files, 1)
    server.shutdown()
    assert HOST in caplog.text
    assert "ssl_check_hostname=False" in caplog.text


def wait_for_server(kind: str, port: int, files: Files, timeout: float) -> None:
    if kind == "threads":
        client = gear.Client()
        client.addServer(HOST, port, *files)
        try:
            client.waitForServer(timeout)
        finally:
            client.shutdown()
        return

    async def wait() -> None:
        async with gear.AsyncClient() as client:
            client.add_server(HOST, port, *files)
            await client.wait_for_server(timeout)

    asyncio.run(wait())


# Use


def test_files_are_read_once(kind: str, server: gear.Server, files: Files) -> None:
    """In 0.16, each side read them anew for each connection."""
    with connected(kind, [(HOST, server.port)], files) as face:
        face.serve("reverse", reverse)
        for file in files:
            Path(file).unlink()
        for peer in server.active_connections:
            peer.conn.close()
        assert server.waitFor(lambda: len(server.active_connections) == 2, 20)
        deadline = time.monotonic() + 20
        while True:
            try:
                assert face.submit("reverse", b"ab").result() == b"ba"
            except (gear.ConnectionError, gear.NoConnectedServersError, gear.JobFailedError):
                assert time.monotonic() < deadline
                continue
            break


def test_a_server_is_used_from_other_threads(server: gear.Server, files: Files) -> None:
    """Test servers wake connections from the test's thread: in 0.16, TLS broke one run in five."""
    ended = threading.Event()

    def wake() -> None:
        while not ended.is_set():
            server.wakeConnections()
            server.getQueue()

    waking = [threading.Thread(target=wake) for _ in range(2)]
    for thread in waking:
        thread.start()
    with connected("threads", [(HOST, server.port)], files) as face:
        face.serve("reverse", reverse)
        for number in range(50):
            arguments = b"%d" % number
            assert face.submit("reverse", arguments).result() == arguments[::-1]
        ended.set()
    for thread in waking:
        thread.join(20)


# Peers that say nothing


def test_silent_peers_hold_up_nobody(kind: str, server: gear.Server, files: Files) -> None:
    silent = [socket.create_connection((HOST, server.port), 20) for _ in range(20)]
    with connected(kind, [(HOST, server.port)], files) as face:
        face.serve("reverse", reverse)
        assert face.submit("reverse", b"ab").result() == b"ba"
        for sock in silent:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)  # still waiting for its handshake
    for sock in silent:
        sock.close()


def test_a_silent_server_holds_up_no_shutdown(files: Files) -> None:
    with socket.create_server((HOST, 0)) as listener:
        client = gear.Client()
        client.addServer(HOST, listener.getsockname()[1], *files)
        peer, _ = listener.accept()
        assert peer.recv(1)  # the handshake has begun
        ended = threading.Thread(target=client.shutdown)
        ended.start()
        ended.join(5)
        assert not ended.is_alive()
        peer.close()


def test_a_silent_server_is_given_up_in_time(files: Files) -> None:
    with socket.create_server((HOST, 0)) as listener:
        connection = gear.Connection(HOST, listener.getsockname()[1], *files)
        with pytest.raises(gear.ConnectionError, match="in time"):
            connection.connect(timeout=0.1)


def test_a_plain_client_is_no_client_of_a_tls_server(server: gear.Server) -> None:
    connection = gear.Connection(HOST, server.port)
    connection.connect()
    with pytest.raises(gear.ConnectionError):
        connection.echo(b"x", 20)
    connection.disconnect()
