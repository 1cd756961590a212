"""Certificates that are read again while the server runs, and whose end is announced."""

import datetime
import logging
import shutil
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_server.network.certificates import Certificates, end_of, end_of_file
from gear_wire.errors import ConfigurationError
from gear_wire.link.tls import TLSFiles
from support.certificates import Authority, Files
from support.geard_program import HOST, TIMEOUT, Geard

Start = Callable[..., Geard]
NOW = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)
LOG = logging.getLogger("gear.Server")


def options(files: Files) -> tuple[str, ...]:
    return "--ssl-key", files.key, "--ssl-cert", files.cert, "--ssl-ca", files.ca


def replace(files: Files, fresh: Files) -> None:
    """Put other files in the place of those that a server was started with."""
    for old, new in zip(files, fresh, strict=True):
        shutil.copyfile(new, old)


def connect(port: int, trusted: Files, shown: Files) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=trusted.ca)
    context.load_cert_chain(shown.cert, shown.key)
    sock = socket.create_connection((HOST, port), TIMEOUT)
    try:
        return context.wrap_socket(sock, server_hostname=HOST)
    except BaseException:
        sock.close()
        raise


def answers(stream: ssl.SSLSocket) -> bool:
    """Return whether a connection is served, rather than refused after the handshake."""
    try:
        stream.sendall(b"version\n")
        return stream.recv(100).startswith(b"OK ")
    except OSError:
        return False


@pytest.fixture
def old(tmp_path: Path) -> Files:
    return Authority(tmp_path / "old").issue(HOST)


@pytest.fixture
def used(tmp_path: Path, old: Files) -> Files:
    """The files that a server is started with: copies of the old ones."""
    folder = tmp_path / "used"
    folder.mkdir()
    files = Files(*(str(folder / name) for name in ("key.pem", "cert.pem", "ca.pem")))
    replace(files, old)
    return files


@pytest.fixture
def new(tmp_path: Path) -> Files:
    return Authority(tmp_path / "new").issue(HOST)


def reload(geard: Geard) -> None:
    """Have a geard read its files again, and wait until it has."""
    geard.log.write_text("")
    geard.signal(signal.SIGHUP)
    geard.wait_for_log("Reloaded$")


def test_new_certificates_are_used_after_sighup_and_connections_stay(
    start: Start, environ: dict[str, str], old: Files, used: Files, new: Files
) -> None:
    geard = start(*options(used), environ=environ)
    with connect(geard.port, old, old) as before:
        assert answers(before)
        replace(used, new)
        reload(geard)
        assert not geard.logged("Reload failed")
        assert answers(before)
        with connect(geard.port, new, new) as after:
            assert answers(after)
        with connect(geard.port, new, old) as revoked:
            assert not answers(revoked)
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(geard.port, old, old)
        assert answers(before)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("key", "cannot use the certificate .*cert.pem with the key .*key.pem: "),
        ("cert", "cannot use the certificate .*cert.pem with the key .*key.pem: "),
        ("ca", "cannot use the CA file .*ca.pem: "),
        (None, r"cannot use the certificate .*KEY_VALUES_MISMATCH"),
    ],
)
def test_bad_files_leave_the_old_ones_in_use(
    start: Start, old: Files, used: Files, new: Files, broken: str | None, reason: str
) -> None:
    geard = start(*options(used))
    if broken is None:
        shutil.copyfile(new.cert, used.cert)  # the key that goes with it is not there yet
    else:
        Path(getattr(used, broken)).write_text("not a certificate")
    reload(geard)
    geard.wait_for_log(
        rf"ERROR gear\.Server: Reload failed: {reason}.*; keeping the previous state$"
    )
    with connect(geard.port, old, old) as stream:
        assert answers(stream)
    replace(used, new)
    reload(geard)
    with connect(geard.port, new, new) as stream:
        assert answers(stream)


def test_a_missing_file_leaves_the_old_ones_in_use(start: Start, old: Files, used: Files) -> None:
    geard = start(*options(used))
    Path(used.key).unlink()
    reload(geard)
    geard.wait_for_log("Reload failed: cannot use the certificate .* No such file or directory")
    with connect(geard.port, old, old) as stream:
        assert answers(stream)


def test_a_server_in_a_process_reads_them_again(old: Files, used: Files, new: Files) -> None:
    with gear.Server(0, *used, host=HOST) as server:
        with connect(server.port, old, old) as before:
            assert answers(before)
            Path(used.cert).write_text("")
            with pytest.raises(ConfigurationError, match=r"cannot use the certificate .*cert\.pem"):
                server.reload_certificates()
            replace(used, new)
            server.reload_certificates()
            with connect(server.port, new, new) as after:
                assert answers(after)
            assert answers(before)


def test_a_server_without_tls_has_none_to_read() -> None:
    with gear.Server(0, host=HOST) as server:
        with pytest.raises(ConfigurationError, match="it was started without TLS"):
            server.reload_certificates()


# The end of a certificate


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def tls_files(files: Files) -> TLSFiles:
    return TLSFiles(*files)


@pytest.mark.parametrize(
    "end",
    [
        datetime.datetime(2026, 11, 30, 23, 59, 59, tzinfo=datetime.UTC),
        datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.UTC),
        datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC),
    ],
    ids=lambda end: f"{end:%Y}",
)
def test_the_end_is_read_as_it_was_written(authority: Authority, end: datetime.datetime) -> None:
    assert end_of_file(authority.issue(HOST, end=end).cert) == end


def test_the_first_end_of_a_chain_counts(authority: Authority, tmp_path: Path) -> None:
    ends = [NOW + datetime.timedelta(days=days) for days in (50, 20, 90)]
    pems = [Path(authority.issue(HOST, end=end).cert).read_text() for end in ends]
    chain = tmp_path / "chain.pem"
    chain.write_text("Subject: ours\n" + "\n".join(pems))
    assert end_of_file(str(chain)) == ends[1]


def test_certificates_of_the_last_century() -> None:
    # Certificate, signed part: version, number, algorithm, issuer, validity of two times.
    validity = bytes.fromhex("301e170d") + b"990101000000Z" + b"\x17\x0d" + b"991231235959Z"
    signed = bytes.fromhex("a00302010202010130003000") + validity
    body = bytes([0x30, len(signed)]) + signed
    assert end_of(bytes([0x30, len(body)]) + body).year == 1999


def test_a_file_without_a_known_end_has_none(tmp_path: Path) -> None:
    file = tmp_path / "odd.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    assert end_of_file(str(file)) is None


@pytest.mark.parametrize(
    ("left", "line"),
    [
        (datetime.timedelta(days=30, seconds=1), None),
        (
            datetime.timedelta(days=29, hours=23),
            ("WARNING", "expires on 2026-12-31 11:00 UTC, in 29 days"),
        ),
        (
            datetime.timedelta(days=6, hours=1),
            ("ERROR", "expires on 2026-12-07 13:00 UTC, in 6 days"),
        ),
        (
            datetime.timedelta(hours=-1),
            ("ERROR", "expired on 2026-12-01 11:00 UTC: clients refuse it"),
        ),
    ],
    ids=["later", "this month", "this week", "over"],
)
def test_the_end_is_announced(
    authority: Authority,
    left: datetime.timedelta,
    line: tuple[str, str] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = authority.issue(HOST, end=NOW + left)
    Certificates(tls_files(files), LOG).check(NOW)
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == ([] if line is None else [(line[0], f"The certificate {files.cert} {line[1]}")])


def soon(days: float) -> datetime.datetime:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return now + datetime.timedelta(days=days)


def test_geard_announces_the_end_at_start_and_reload(
    start: Start, authority: Authority, used: Files
) -> None:
    replace(used, authority.issue(HOST, end=soon(20.5)))
    geard = start(*options(used))
    geard.wait_for_log(
        r"WARNING gear\.Server: The certificate .*cert.pem expires on .*, in 20 days$"
    )
    reload(geard)
    geard.wait_for_log(
        r"WARNING gear\.Server: The certificate .*cert.pem expires on .*, in 20 days$"
    )
    replace(used, authority.issue(HOST, end=soon(300)))
    reload(geard)
    assert "expires on" not in geard.stop()


@pytest.fixture
def short_days(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("gear_server.network.server.DAY", 0.1)
    yield


@pytest.mark.usefixtures("short_days")
def test_the_end_is_announced_every_day(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    files = authority.issue(HOST, end=soon(3.5))
    with gear.Server(0, *files, host=HOST) as server:
        with connect(server.port, files, files) as stream:
            while caplog.text.count("expires on") < 3:
                assert answers(stream)
    assert server.counters.handshakes_refused == 0
