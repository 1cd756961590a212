"""What a worker does with one connection, as two tables; who asks for what is in `session`."""

import enum
from typing import Final

from gear_wire.errors import GearmanError


class State(enum.Enum):
    """Where a worker's connection stands; the values are gear 0.16's `Connection.state`."""

    INIT = "INIT"
    IDLE = "IDLE"
    GRAB_WAIT = "GRAB_WAIT"
    SLEEP = "SLEEP"


class Event(enum.Enum):
    """What happens to it: a packet sent, or a packet received."""

    GREETING = "greeting sent"
    WOKEN = "awake again, without a word from the server"
    GRAB = "GRAB_JOB sent"
    PRE_SLEEP = "PRE_SLEEP sent"
    NOOP = "NOOP received"
    NO_JOB = "NO_JOB received"
    JOB_ASSIGN = "JOB_ASSIGN received"


# A NOOP that crosses a GRAB_JOB says nothing new, and one to an idle worker neither.
_SENT: Final = {
    State.INIT: {Event.GREETING: State.IDLE},
    State.IDLE: {Event.GRAB: State.GRAB_WAIT, Event.PRE_SLEEP: State.SLEEP},
    State.GRAB_WAIT: {Event.GRAB: State.GRAB_WAIT},
    State.SLEEP: {Event.GRAB: State.GRAB_WAIT, Event.WOKEN: State.IDLE},
}
_RECEIVED: Final = {
    State.INIT: {},
    State.IDLE: {Event.NOOP: State.IDLE},
    State.GRAB_WAIT: {
        Event.NOOP: State.GRAB_WAIT,
        Event.NO_JOB: State.IDLE,
        Event.JOB_ASSIGN: State.IDLE,
    },
    State.SLEEP: {Event.NOOP: State.IDLE},
}
TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    state: {**_SENT[state], **_RECEIVED[state]} for state in State
}


def follow(state: State, event: Event) -> State:
    """Return the state after an event.

    Raises:
        GearmanError: The event cannot happen in this state.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise GearmanError(f"{event.value} cannot happen in state {state.value}") from None
