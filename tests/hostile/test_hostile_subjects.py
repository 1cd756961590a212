"""Certificates whose names might be taken for another's, over real TLS."""

from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

import gear
from support.certificates import Authority, Files

HOST = "127.0.0.1"
SPIFFE = "spiffe://example.org/web"


def uri(name: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(name)


def dns(name: str) -> x509.GeneralName:
    return x509.DNSName(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(authority: Authority) -> Iterator[gear.Server]:
    acl = gear.ACL()
    for subject in ("web", f"URI:{SPIFFE}", "DNS:web.example.org"):
        acl.add(gear.ACLEntry(subject, see=True))
    server = gear.Server(0, *authority.issue(HOST), acl=acl, host=HOST)
    yield server
    server.shutdown()


def may_look(server: gear.Server, files: Files) -> bool:
    connection = gear.Connection(HOST, server.port, *files)
    connection.connect()
    request = gear.StatusAdminRequest()
    connection.sendAdminRequest(request, 20)
    connection.disconnect()
    assert request.response in (b".\n", b"ERR PERMISSION_DENIED\n")
    return request.response == b".\n"


@pytest.mark.parametrize(
    ("common", "alternatives"),
    [
        (["web"], []),
        (["web"], [uri("spiffe://example.org/other")]),
        ([], [uri(SPIFFE)]),
        ([], [dns("other.example.org"), uri(SPIFFE)]),
        ([], [dns("web.example.org")]),
    ],
)
def test_a_certificate_is_known_by_its_subject(
    common: list[str],
    alternatives: list[x509.GeneralName],
    server: gear.Server,
    authority: Authority,
) -> None:
    assert may_look(server, authority.certify(common, *alternatives))


@pytest.mark.parametrize(
    ("common", "alternatives"),
    [
        (["other"], [uri(SPIFFE), dns("web.example.org")]),
        (["web", "other"], []),
        (["other", "web"], []),
        (["web\0.example.org"], []),
        (["Web"], []),
        ([f"URI:{SPIFFE}"], []),
        (["DNS:web.example.org"], []),
        (["web.example.org"], []),
        ([SPIFFE], []),
        ([], [dns("web")]),
        ([], [uri("web"), uri(SPIFFE)]),
        ([], [dns("web.example.org"), dns("other.example.org")]),
        ([], [x509.RFC822Name("web@example.org")]),
    ],
)
def test_no_other_name_passes_for_it(
    common: list[str],
    alternatives: list[x509.GeneralName],
    server: gear.Server,
    authority: Authority,
) -> None:
    assert not may_look(server, authority.certify(common, *alternatives))


def test_a_name_that_is_no_text_costs_nobody_else_anything(
    server: gear.Server, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    # A URI of the one byte 0xff, which no text has.
    broken = x509.UnrecognizedExtension(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x03\x86\x01\xff"
    )
    for _ in range(3):
        with pytest.raises((OSError, gear.GearmanError)):
            may_look(server, authority.certify([], extension=broken))
    assert may_look(server, authority.certify(["web"]))
    assert "the client's certificate has a name that is not text" in caplog.text
    assert "never retrieved" not in caplog.text
