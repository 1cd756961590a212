"""The documented constants of the protocol: packet numbers and magic codes."""

from gear_wire.constants import *  # noqa: F403  (every name of it is documented here)
