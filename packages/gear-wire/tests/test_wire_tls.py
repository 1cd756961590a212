"""TLS files and TLSStream, in memory; over sockets in test_wire_connection."""

import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from gear_wire.errors import ConfigurationError, DisconnectError
from gear_wire.link.tls import TLSFiles, TLSStream, check_tls_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TLSFiles:
    path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    made = TLSFiles(str(path / "key"), str(path / "cert"), str(path / "ca"))
    certificate.private_key_pem.write_to_path(made.key)
    certificate.cert_chain_pems[0].write_to_path(made.cert)
    authority.cert_pem.write_to_path(made.ca)
    return made


def test_no_files_is_no_tls() -> None:
    assert check_tls_files(None, None, None) is None
    assert check_tls_files("", None, "") is None


def test_three_files(files: TLSFiles) -> None:
    assert check_tls_files(files.key, Path(files.cert), files.ca) == files


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("k", None, None), "ssl_cert, ssl_ca"),
        ((None, "c", None), "ssl_key, ssl_ca"),
        (("k", "c", ""), "ssl_ca"),
        ((None, "c", "a"), "ssl_key"),
        (("k", None, "a"), "ssl_cert"),
    ],
)
def test_some_files_are_never_plaintext(
    given: tuple[str | None, str | None, str | None], missing: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"missing: {missing}$"):
        check_tls_files(*given)


@pytest.mark.parametrize("index", range(3))
def test_a_file_that_is_not_there_is_named(files: TLSFiles, tmp_path: Path, index: int) -> None:
    paths = [files.key, files.cert, files.ca]
    paths[index] = str(tmp_path / "nothing.pem")
    name = ("ssl_key", "ssl_cert", "ssl_ca")[index]
    with pytest.raises(ConfigurationError, match=f"{name}: there is no file {paths[index]}"):
        check_tls_files(*paths)


def test_contexts_ask_for_certificates_and_take_no_old_protocol(files: TLSFiles) -> None:
    client, server = files.client_context(), files.server_context()
    assert client.check_hostname
    assert not files.client_context(check_hostname=False).check_hostname
    for context in (client, server):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.maximum_version is ssl.TLSVersion.MAXIMUM_SUPPORTED


class Ends:
    """A client's TLSStream and a server's end of it, both in memory."""

    def __init__(self, files: TLSFiles) -> None:
        self.client = TLSStream(files.client_context(), "localhost")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = files.server_context().wrap_bio(
            self.incoming, self.outgoing, server_side=True
        )
        done, data = False, b""
        for _ in range(10):
            done = self.client.handshake(data)
            self.incoming.write(self.client.outgoing())
            try:
                self.server.do_handshake()
            except ssl.SSLWantReadError:
                pass
            data = self.outgoing.read()
        assert done
        assert self.client.decrypt(data) == b""


def test_both_ways(files: TLSFiles) -> None:
    ends = Ends(files)
    assert ends.server.version() == "TLSv1.3"
    data = bytes(range(256)) * 1000
    ends.client.encrypt(data)
    ends.incoming.write(ends.client.outgoing())
    received = b""
    while len(received) < len(data):
        received += ends.server.read(1 << 20)
    assert received == data
    for start in range(0, len(data), 10000):
        ends.server.write(data[start : start + 10000])
    assert ends.client.decrypt(ends.outgoing.read()) == data


def test_a_record_in_pieces(files: TLSFiles) -> None:
    ends = Ends(files)
    ends.server.write(b"hello")
    record = ends.outgoing.read()
    assert ends.client.decrypt(record[:7]) == b""
    assert ends.client.decrypt(record[7:]) == b"hello"


def test_the_last_data_comes_before_the_end(files: TLSFiles) -> None:
    ends = Ends(files)
    ends.server.write(b"bye")
    with pytest.raises(ssl.SSLWantReadError):
        ends.server.unwrap()
    assert ends.client.decrypt(ends.outgoing.read()) == b"bye"
    with pytest.raises(DisconnectError, match="TLS"):
        ends.client.decrypt(b"")


def test_what_is_no_tls_ends_the_connection(files: TLSFiles) -> None:
    ends = Ends(files)
    with pytest.raises(DisconnectError, match="TLS"):
        ends.client.decrypt(b"\x17\x03\x03\x00\x20" + b"x" * 32)


def test_ssl_is_loaded_when_it_is_used() -> None:
    code = "import sys, gear_wire.link.threads.client; sys.exit('ssl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
