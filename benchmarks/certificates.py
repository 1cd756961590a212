"""Certificates for a run over TLS, from an authority of its own."""

from pathlib import Path

from benchmarks.environments import SetupError
from benchmarks.servers import HOST, TLSFiles


def make_certificates(folder: Path) -> TLSFiles:
    """Write the three files into a folder and return their paths.

    Raises:
        SetupError: trustme is not here.
    """
    try:
        import trustme
    except ImportError as error:
        raise SetupError("trustme is not here: run the benchmarks by `hatch run bench`") from error
    authority = trustme.CA()
    # One certificate for both ends: its name is the address, which clients may check.
    certificate = authority.issue_cert(HOST, "localhost")
    files = TLSFiles(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(files.ca)
    certificate.private_key_pem.write_to_path(files.key)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(files.cert, append=True)
    return files
