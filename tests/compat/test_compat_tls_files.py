"""The three documented files of TLS: missing, wrong, encrypted, in every place that takes them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import gear
from support.certificates import Authority, Files

HOST = "127.0.0.1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def files(authority: Authority) -> Files:
    return authority.issue(HOST)


NAMES = ("ssl_key", "ssl_cert", "ssl_ca")


def in_a_loop(add: Callable[..., None]) -> Callable[..., None]:
    async def run(*arguments: object) -> None:
        add(*arguments)

    return lambda *arguments: asyncio.run(run(*arguments))


TAKES_FILES: dict[str, Callable[..., object]] = {
    "Connection": gear.Connection,
    "Client": lambda *arguments: gear.Client().addServer(*arguments),
    "Worker": lambda *arguments: gear.Worker("w").addServer(*arguments),
    "AdminClient": gear.AdminClient,
    "AsyncClient": in_a_loop(lambda *arguments: gear.AsyncClient().add_server(*arguments)),
    "AsyncWorker": in_a_loop(lambda *arguments: gear.AsyncWorker("w").add_server(*arguments)),
    "AsyncAdminClient": gear.AsyncAdminClient,
    "Server": lambda host, port, *files: gear.Server(0, *files),
}


@pytest.fixture(params=TAKES_FILES)
def takes_files(request: pytest.FixtureRequest) -> Callable[..., object]:
    return TAKES_FILES[request.param]


@pytest.mark.parametrize("missing", ["ssl_key", "ssl_cert", "ssl_ca"])
def test_two_of_three_files_are_no_plaintext(
    missing: str, takes_files: Callable[..., object], files: Files
) -> None:
    given = [None if name == missing else path for name, path in zip(NAMES, files, strict=True)]
    with pytest.raises(gear.ConfigurationError, match=f"missing: {missing}$"):
        takes_files(HOST, 4730, *given)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_not_there_is_named(
    name: str, takes_files: Callable[..., object], files: Files
) -> None:
    given = [
        "/nowhere.pem" if name == known else path for known, path in zip(NAMES, files, strict=True)
    ]
    with pytest.raises(gear.ConfigurationError, match=f"{name}.* /nowhere.pem"):
        takes_files(HOST, 4730, *given)


def test_a_key_of_another_certificate(
    takes_files: Callable[..., object], files: Files, authority: Authority
) -> None:
    other = authority.issue("other.example.com")
    with pytest.raises(gear.ConfigurationError) as refusal:
        takes_files(HOST, 4730, other.key, files.cert, files.ca)
    assert files.cert in str(refusal.value)
    assert other.key in str(refusal.value)


def test_files_in_the_wrong_order(takes_files: Callable[..., object], files: Files) -> None:
    with pytest.raises(gear.ConfigurationError, match="cannot use the certificate"):
        takes_files(HOST, 4730, files.ca, files.key, files.cert)


def test_an_authority_that_is_none(
    takes_files: Callable[..., object], files: Files, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(gear.ConfigurationError, match=f"cannot use the CA file {empty}"):
        takes_files(HOST, 4730, files.key, files.cert, str(empty))


def test_an_encrypted_key_asks_nobody(
    takes_files: Callable[..., object], files: Files, tmp_path: Path
) -> None:
    """OpenSSL would ask for a passphrase at the terminal, in the thread that connects."""
    key = serialization.load_pem_private_key(Path(files.key).read_bytes(), None)
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(gear.ConfigurationError, match=f"the key {encrypted} is encrypted"):
        takes_files(HOST, 4730, str(encrypted), files.cert, files.ca)


def test_a_path_that_is_none(takes_files: Callable[..., object], files: Files) -> None:
    with pytest.raises(TypeError, match="ssl_cert is the path of a file, not 5"):
        takes_files(HOST, 4730, files.key, 5, files.ca)


def test_paths_may_be_paths(files: Files) -> None:
    paths = (Path(files.key), Path(files.cert), Path(files.ca))
    server = gear.Server(0, *paths, host=HOST)
    connection = gear.Connection(HOST, server.port, *paths)
    connection.connect()
    connection.disconnect()
    server.shutdown()
