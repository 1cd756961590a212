"""Listening sockets and access control files."""

import errno
import socket
from pathlib import Path

import pytest

from gear_server.network.listening import listen, read_acl
from gear_wire.errors import ConfigurationError
from gear_wire.link.listen import Listen


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_a_free_port_is_the_same_on_every_address() -> None:
    sockets = listen(Listen(None, 0), 1)
    try:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
        families = {sock.family for sock in sockets}
        assert socket.AF_INET in families
        assert (socket.AF_INET6 in families) is has_ipv6()
    finally:
        for sock in sockets:
            sock.close()


def test_a_port_in_use_is_named_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError) as caught:
            listen(Listen("127.0.0.1", port), 1)
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.strerror == (
        f"cannot listen on 127.0.0.1 port {port}: Address already in use"
    )


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1 port 0: Cannot assign"):
        listen(Listen("192.0.2.1", 0), 1)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_port_in_use_on_one_of_two_addresses_leaves_no_socket() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6) as taken:
        with pytest.raises(OSError, match="cannot listen on :: port"):
            listen(Listen(None, taken.getsockname()[1]), 1)


def read(path: Path, text: str) -> str:
    file = path / "acl.ini"
    file.write_text(text)
    return str(file)


def test_sections_are_named_after_subjects(tmp_path: Path) -> None:
    acl = read_acl(
        read(
            tmp_path,
            "[builder.example.com]\nregister = build-.*\n[web]\ninvoke = a|b%c\n"
            "[operator]\nregister=.*\ninvoke=.*\ngrant = yes\n[nobody]\n",
        )
    )
    assert [
        (entry.subject, entry.register, entry.invoke, entry.grant) for entry in acl.getEntries()
    ] == [
        ("builder.example.com", "build-.*", None, False),
        ("nobody", None, None, False),
        ("operator", ".*", ".*", True),
        ("web", None, "a|b%c", False),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\ninvoke = (", r"\[a\]: '\(' is not a valid regular expression"),
        ("[a]\ngrant = perhaps", r"\[a\]: Not a boolean: perhaps"),
        ("[a]\ninvok = x", r"\[a\]: unknown right invok; the rights are register, invoke, grant"),
        ("[a]\n[a]\n", "cannot read the ACL file .*already exists"),
        ("word", "cannot read the ACL file .*no section headers"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = read(tmp_path, text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_acl(path)
    assert path in str(caught.value)


def test_a_missing_acl_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read the ACL file .*none\.ini"):
        read_acl(tmp_path / "none.ini")
