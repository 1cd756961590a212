"""Loads the modules that HTTP needs, which are not installed with the server alone."""

import importlib

from gear_wire.errors import ConfigurationError


def load_modules() -> None:
    """Load the modules, before the user changes or a socket is bound.

    Raises:
        ConfigurationError: They are not installed.
    """
    try:
        importlib.import_module("gear_server.http.service")
    except ImportError as error:
        raise ConfigurationError(
            f"serving HTTP requires aiohttp: pip install 'gear-server[http]' ({error})"
        ) from error
