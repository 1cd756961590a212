"""Where a health check or metrics are asked for: an address to listen on, or a file."""

from gear_wire.errors import ConfigurationError
from gear_wire.link.listen import Listen, find_listen


def to_listen(text: str) -> Listen:
    """Return an address.

    Raises:
        ConfigurationError: It is none.
    """
    listen = find_listen(text)
    if listen is None:
        raise ConfigurationError(f"metrics must be HOST:PORT, not {text!r}")
    return listen


def check_metrics(text: str) -> str:
    """Return what ``--metrics`` is given, if it is an address.

    Raises:
        ConfigurationError: It is none.
    """
    to_listen(text)
    return text


def check_health(text: str) -> str:
    """Return what ``--health`` is given, if it is an address or a file.

    Raises:
        ConfigurationError: It looks like an address, and is none.
    """
    if find_listen(text) is None and ":" in text and "/" not in text:
        raise ConfigurationError(
            f"health must be HOST:PORT or a file, not {text!r}; a file of that name is ./{text}"
        )
    return text
