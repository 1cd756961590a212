"""The name by which the access control list knows a client: the subject of its certificate."""

from collections.abc import Iterable
from typing import Final

ALTERNATIVES: Final = ("URI", "DNS")
"""The kinds of names that count if there is no common name, in this order, with their prefixes."""


def subject_of(certificate: object) -> str | None:
    """Return the subject of a certificate; None if it has none.

    The subject is the common name. Without one, it is ``URI:`` and the URI among the alternative
    names; without a URI, it is ``DNS:`` and the DNS name among them. If there are several of the
    kind that counts, there is no subject: their order proves nothing. Neither is there if a common
    name begins like one of the others.

    Args:
        certificate: A certificate whose chain was verified, as `ssl.SSLSocket.getpeercert` returns
            it.
    """
    if not isinstance(certificate, dict):
        return None
    names = [pair for attributes in certificate.get("subject", ()) for pair in attributes]
    found = _values(names, "commonName")
    prefix = ""
    for kind in ALTERNATIVES:
        if not found:
            prefix = f"{kind}:"
            found = _values(certificate.get("subjectAltName", ()), kind)
    if len(found) != 1:
        return None
    (name,) = found
    if not name or (not prefix and name.startswith(tuple(f"{kind}:" for kind in ALTERNATIVES))):
        return None
    return prefix + name


def _values(pairs: Iterable[tuple[str, str]], kind: str) -> set[str]:
    return {value for name, value in pairs if name == kind}
