"""Access control lists; the text commands for them are in the server's rules."""

import pytest

from gear_server import ACL, ACLEntry, ACLError
from gear_wire.errors import GearmanError


def test_an_entry() -> None:
    entry = ACLEntry("worker", register="build:.*", invoke=b"test:.*", grant=True)
    assert (entry.subject, entry.register, entry.invoke) == ("worker", "build:.*", "test:.*")
    assert entry.grant
    assert entry.canRegister(b"build:docs")
    assert entry.canRegister("build:docs")
    assert not entry.canRegister(b"test:docs")
    assert entry.canInvoke(b"test:docs")
    assert not entry.canInvoke(b"build:docs")
    assert "worker register=build:.* invoke=test:.* grant=True" in repr(entry)


def test_a_pattern_matches_the_whole_name() -> None:
    entry = ACLEntry("x", register="build-.*|reverse", invoke="build")
    assert entry.canRegister("build-docs")
    assert entry.canRegister("reverse")
    assert not entry.canRegister("reverse-everything")
    assert not entry.canRegister("rebuild-docs")
    assert not entry.canInvoke("build:docs")


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "\x7f", "\x1b[2J"])
def test_what_would_break_a_table_or_a_terminal_is_refused(text: str) -> None:
    with pytest.raises(ACLError, match="a subject must not contain control characters"):
        ACLEntry(text)
    with pytest.raises(ACLError, match="a pattern must not contain control characters"):
        ACLEntry("x", invoke=text)
    with pytest.raises(ACLError, match="control characters"):
        ACL().grantGrant(text)


@pytest.mark.parametrize("pattern", ["(" * 5000 + ")" * 5000, "a{99999999999}", "(a)\\1"])
def test_no_pattern_raises_anything_else(pattern: str) -> None:
    with pytest.raises(ACLError, match="not a valid regular expression"):
        ACLEntry("x", register=pattern)


def test_names_that_are_no_text() -> None:
    assert ACLEntry("x", register=".*").canRegister(b"\xff")


def test_an_empty_entry() -> None:
    entry = ACLEntry("nobody")
    assert entry.isEmpty()
    assert not entry.canRegister("f")
    assert not entry.canInvoke("f")
    entry.setGrant(True)
    assert not entry.isEmpty()


@pytest.mark.parametrize("setter", ["setRegister", "setInvoke"])
def test_patterns_are_set_and_unset(setter: str) -> None:
    entry = ACLEntry("x")
    getattr(entry, setter)("f.*")
    assert not entry.isEmpty()
    with pytest.raises(ACLError, match=r"'\(' is not a valid regular expression"):
        getattr(entry, setter)("(")
    assert not entry.isEmpty()
    getattr(entry, setter)(None)
    assert entry.isEmpty()


def test_who_is_not_on_the_list_may_do_nothing() -> None:
    acl = ACL()
    acl.add(ACLEntry("a", register=".*", invoke=".*", grant=True, admin=True, see=True))
    # An entry for the empty name is nobody's.
    acl.add(ACLEntry("", register=".*", invoke=".*", grant=True, admin=True, see=True))
    for subject in ("a", "b", None, ""):
        may = subject == "a"
        assert acl.isListed(subject) is may
        assert acl.canRegister(subject, b"f") is may
        assert acl.canInvoke(subject, b"f") is may
        assert acl.canGrant(subject) is may
        assert acl.canAdmin(subject) is may
        assert acl.canSee(subject) is may


def test_entries_are_added_and_removed_one_a_subject() -> None:
    acl = ACL()
    for subject in ("b", "a"):
        acl.add(ACLEntry(subject))
    with pytest.raises(ACLError, match="there is an entry for b already"):
        acl.add(ACLEntry("b", grant=True))
    assert [entry.subject for entry in acl.getEntries()] == ["a", "b"]
    assert not acl.getEntries()[1].grant
    acl.remove("b")
    with pytest.raises(ACLError, match="there is no entry for b"):
        acl.remove("b")
    assert issubclass(ACLError, GearmanError)


def test_rights_are_granted_and_revoked() -> None:
    acl = ACL()
    acl.grantRegister("x", "build:.*")
    acl.grantInvoke("x", "test:.*")
    acl.grantGrant("x")
    assert acl.canRegister("x", "build:a")
    assert acl.canInvoke("x", "test:a")
    assert acl.canGrant("x")
    acl.revokeRegister("x")
    acl.revokeInvoke("x")
    assert not acl.canRegister("x", "build:a")
    assert not acl.canInvoke("x", "test:a")
    assert acl.getEntries()
    acl.revokeGrant("x")
    assert acl.getEntries() == []


@pytest.mark.parametrize("right", ["Grant", "Admin", "See"])
def test_rights_without_a_pattern_are_granted_and_revoked(right: str) -> None:
    acl = ACL()
    getattr(acl, f"grant{right}")("x")
    assert [getattr(acl, f"can{other}")("x") for other in ("Grant", "Admin", "See")] == [
        other == right for other in ("Grant", "Admin", "See")
    ]
    assert f"{right.lower()}=True" in repr(acl.getEntries()[0])
    getattr(acl, f"revoke{right}")("x")
    assert not getattr(acl, f"can{right}")("x")
    assert acl.getEntries() == []


def test_all_entries_are_replaced_at_once() -> None:
    acl = ACL()
    acl.grantGrant("old")
    with pytest.raises(ACLError, match="there are two entries for a"):
        acl.setEntries([ACLEntry("a"), ACLEntry("a", see=True)])
    assert acl.canGrant("old")
    acl.setEntries([ACLEntry("b", see=True), ACLEntry("a", admin=True)])
    assert [entry.subject for entry in acl.getEntries()] == ["a", "b"]
    assert acl.canAdmin("a")
    assert not acl.canGrant("old")


def test_a_bad_pattern_grants_nothing_and_adds_nobody() -> None:
    acl = ACL()
    for grant in (acl.grantRegister, acl.grantInvoke):
        with pytest.raises(ACLError, match="not a valid regular expression"):
            grant("x", "(")
    assert acl.getEntries() == []


def test_revoking_from_who_is_not_on_the_list() -> None:
    acl = ACL()
    for revoke in (
        acl.revokeRegister, acl.revokeInvoke, acl.revokeGrant, acl.revokeAdmin, acl.revokeSee,
    ):  # fmt: skip
        with pytest.raises(ACLError, match="there is no entry for x"):
            revoke("x")
