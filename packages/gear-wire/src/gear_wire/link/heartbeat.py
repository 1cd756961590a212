"""Asks a server for an echo when nothing comes from it; who asks is in `threads` and `aio`."""

from typing import Final

from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.errors import ConfigurationError
from gear_wire.packets import EchoReq
from gear_wire.timeouts import check_timeout

PAYLOAD: Final = b"gear heartbeat"
"""The data of an ECHO_REQ that asks whether the server lives."""
PROBE: Final = encode(EchoReq(PAYLOAD), Magic.REQ)
"""That ECHO_REQ, as it is sent."""
SILENCE: Final = 0.5
"""Seconds after which a server that says nothing after the TLS handshake is asked for an echo."""


def check_heartbeat(heartbeat: float | None) -> float | None:
    """Return a heartbeat that can be kept.

    Args:
        heartbeat: Seconds without traffic after which a server is asked for an echo; it has as many
            seconds to answer. None for never.

    Raises:
        ConfigurationError: It is not positive.
        TypeError: It is not a number.
    """
    seconds = check_timeout(heartbeat)
    if seconds is not None and seconds <= 0:
        raise ConfigurationError(f"a heartbeat is a positive number of seconds, not {heartbeat!r}")
    return seconds
