"""The two tables of a worker's connection."""

import pytest

from gear_wire.errors import GearmanError
from gear_worker.states import TRANSITIONS, Event, State, follow

PATHS: list[list[tuple[Event, State]]] = [
    [
        (Event.GREETING, State.IDLE),
        (Event.GRAB, State.GRAB_WAIT),
        (Event.JOB_ASSIGN, State.IDLE),
        (Event.GRAB, State.GRAB_WAIT),
        (Event.NO_JOB, State.IDLE),
        (Event.PRE_SLEEP, State.SLEEP),
        (Event.NOOP, State.IDLE),
    ],
    # A NOOP crosses a GRAB_JOB, or comes to who is awake.
    [
        (Event.GREETING, State.IDLE),
        (Event.NOOP, State.IDLE),
        (Event.GRAB, State.GRAB_WAIT),
        (Event.NOOP, State.GRAB_WAIT),
        (Event.NO_JOB, State.IDLE),
    ],
    # A program asks by hand while the connection sleeps, and twice.
    [
        (Event.GREETING, State.IDLE),
        (Event.PRE_SLEEP, State.SLEEP),
        (Event.GRAB, State.GRAB_WAIT),
        (Event.GRAB, State.GRAB_WAIT),
    ],
    [(Event.GREETING, State.IDLE), (Event.PRE_SLEEP, State.SLEEP), (Event.WOKEN, State.IDLE)],
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path(path: list[tuple[Event, State]]) -> None:
    state = State.INIT
    for event, expected in path:
        state = follow(state, event)
        assert state is expected


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_what_cannot_happen_is_an_error(state: State, event: Event) -> None:
    if event in TRANSITIONS[state]:
        assert follow(state, event) is TRANSITIONS[state][event]
        return
    with pytest.raises(GearmanError, match=f"cannot happen in state {state.value}"):
        follow(state, event)


def test_the_names_are_those_of_gear() -> None:
    assert [state.value for state in State] == ["INIT", "IDLE", "GRAB_WAIT", "SLEEP"]


def test_every_state_is_reached() -> None:
    reached = {state for events in TRANSITIONS.values() for state in events.values()}
    assert reached == set(State) - {State.INIT}
