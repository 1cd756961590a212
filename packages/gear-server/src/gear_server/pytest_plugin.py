"""Fixtures that give tests a real job server; nothing of it is loaded until it is used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gear_server.testing import Geard


@pytest.fixture
def geard() -> Iterator[Geard]:
    """A job server on a free port of the loopback interface, with all that tests need of it."""
    from gear_server.testing import Geard

    with contextlib.closing(Geard()) as server:
        yield server


@pytest.fixture
def geard_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Geard]:
    """As `geard`, over TLS with certificates made for the test; needs gear-server[testing]."""
    try:
        import trustme
    except ImportError:
        pytest.fail(
            "the fixture geard_tls needs the package trustme: pip install 'gear-server[testing]'",
            pytrace=False,
        )
    from gear_server.testing import Geard

    path = tmp_path_factory.mktemp("geard_tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost", common_name="localhost")
    files = (str(path / "key.pem"), str(path / "cert.pem"), str(path / "ca.pem"))
    certificate.private_key_pem.write_to_path(files[0])
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(files[1], append=True)
    authority.cert_pem.write_to_path(files[2])
    with contextlib.closing(Geard(files)) as server:
        yield server
