"""Roster: who is up, who is next, when to try again; without a clock."""

import itertools

from gear_wire.link.roster import FIRST_DELAY, LONGEST_DELAY, SETTLED, Roster


def roster(*servers: str) -> Roster[str]:
    made: Roster[str] = Roster()
    for server in servers:
        made.add(server)
    return made


def test_servers_come_and_go() -> None:
    servers = roster("a", "b")
    assert (servers.active, servers.inactive) == ([], ["a", "b"])
    servers.up("b", 0)
    assert (servers.active, servers.inactive) == (["b"], ["a"])
    servers.up("b", 0)
    assert servers.active == ["b"]
    assert servers.down("b", 1)
    assert not servers.down("b", 1)
    assert (servers.active, servers.inactive) == ([], ["a", "b"])


def test_they_take_turns() -> None:
    servers = roster("a", "b", "c")
    assert servers.next(0) is None
    for name in ("a", "b", "c"):
        servers.up(name, 0)
    assert [servers.next(0) for _ in range(5)] == ["a", "b", "c", "a", "b"]
    servers.down("b", 0)
    assert {servers.next(0) for _ in range(2)} == {"a", "c"}


def up(*names: str) -> Roster[str]:
    servers = roster(*names)
    for name in names:
        servers.up(name, 0)
    return servers


def turns(servers: Roster[str], now: float, count: int = 4) -> set[str | None]:
    return {servers.next(now) for _ in range(count)}


def test_a_server_that_did_not_answer_is_skipped_until_it_does() -> None:
    servers = up("a", "b", "c")
    servers.skip("b", 0)
    assert servers.skips
    assert turns(servers, 1, 6) == {"a", "c"}
    assert servers.promising() == ["a", "c", "b"]
    servers.answered("b")
    assert not servers.skips
    assert turns(servers, 1, 6) == {"a", "b", "c"}


def test_a_server_that_is_skipped_is_tried_again_less_and_less_often() -> None:
    servers = up("a", "b")
    servers.skip("b", 0)
    tried = []
    for now in range(400):
        servers.skip("b", now)  # all that wait for it find that out
        tried += [now] if "b" in turns(servers, now, 2) else []
    assert tried[:4] == [5, 15, 35, 75]
    assert {later - earlier for earlier, later in itertools.pairwise(tried[3:])} == {60}


def test_while_all_are_skipped_none_is() -> None:
    servers = up("a", "b")
    servers.skip("a", 0)
    servers.skip("b", 0)
    assert turns(servers, 1, 2) == {"a", "b"}


def test_a_server_is_not_skipped_when_it_is_connected_anew() -> None:
    servers = up("a", "b")
    servers.skip("a", 0)
    servers.down("a", 1)
    assert not servers.skips
    servers.skip("a", 1)
    assert not servers.skips
    servers.up("a", 2)
    assert turns(servers, 2) == {"a", "b"}


def test_each_failure_doubles_the_delay_up_to_the_longest() -> None:
    servers = roster("a")
    delays = [servers.delay("a", 1.0) for _ in range(40)]
    assert delays[:4] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4, FIRST_DELAY * 8]
    assert delays[-1] == LONGEST_DELAY
    assert delays == sorted(delays)


def test_jitter_spreads_half_of_the_delay() -> None:
    assert roster("a").delay("a", 0.0) == FIRST_DELAY / 2
    assert roster("a").delay("a", 0.5) == FIRST_DELAY * 0.75


def test_each_server_fails_alone() -> None:
    servers = roster("a", "b")
    for _ in range(5):
        servers.delay("a", 1.0)
    assert servers.delay("b", 1.0) == FIRST_DELAY


def test_a_connection_that_lasted_makes_the_next_attempt_soon() -> None:
    servers = roster("a")
    for _ in range(5):
        servers.delay("a", 1.0)
    servers.up("a", 10.0)
    servers.down("a", 10.0 + SETTLED)
    assert servers.delay("a", 1.0) == FIRST_DELAY


def test_one_that_is_closed_at_once_counts_as_a_failure() -> None:
    servers = roster("a")
    for _ in range(5):
        servers.delay("a", 1.0)
    servers.up("a", 10.0)
    servers.down("a", 10.0 + SETTLED / 2)
    assert servers.delay("a", 1.0) == FIRST_DELAY * 32
