"""The subject of a certificate, from what `ssl` says is in it."""

import pytest

from gear_server.network.subject import subject_of

Names = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("common", "alternatives", "subject"),
    [
        (["web"], [], "web"),
        (["web"], [("URI", "spiffe://x/web"), ("DNS", "web.x")], "web"),
        (["web", "web"], [], "web"),
        ([], [("DNS", "web.x"), ("URI", "spiffe://x/web")], "URI:spiffe://x/web"),
        ([], [("DNS", "web.x")], "DNS:web.x"),
        ([], [("IP Address", "127.0.0.1"), ("email", "a@b.c")], None),
        ([], [], None),
        # Which of several counts, an attacker might choose.
        (["Users", "web"], [], None),
        (["Users", "web"], [("URI", "spiffe://x/web")], None),
        ([], [("URI", "spiffe://x/a"), ("URI", "spiffe://x/b"), ("DNS", "web.x")], None),
        ([], [("DNS", "a.x"), ("DNS", "b.x")], None),
        # Nor does one kind of name pass for another.
        (["URI:spiffe://x/web"], [], None),
        (["DNS:web.x"], [("URI", "spiffe://x/web")], None),
        ([""], [("DNS", "web.x")], None),
        ([], [("URI", "")], None),
    ],
)
def test_the_subject_is_one_name(
    common: list[str], alternatives: Names, subject: str | None
) -> None:
    relative = [(("organizationName", "x"),), *((("commonName", name),) for name in common)]
    certificate = {"subject": tuple(relative), "subjectAltName": tuple(alternatives)}
    assert subject_of(certificate) == subject


@pytest.mark.parametrize("certificate", [None, {}, {"subject": ()}])
def test_who_presents_no_certificate_has_no_subject(certificate: object) -> None:
    assert subject_of(certificate) is None
