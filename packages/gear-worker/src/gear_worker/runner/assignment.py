"""What a process of the pool is told when it is started."""

import sys
from collections.abc import Callable

import msgspec

from gear_wire.errors import ConfigurationError
from gear_wire.functions.app import App

Setup = Callable[[], object]
"""What a process does first, such as to configure logging."""


class Assignment(msgspec.Struct, frozen=True):
    """What a process is told when it is started.

    Attributes:
        module: The module that has the app.
        attribute: The name of the app there.
        setup: What to call first; None for nothing.
        max_jobs: After how many jobs it ends; 0 for no limit.
        max_memory: With how many MiB in use after a job it ends; 0 for no limit.
    """

    module: str
    attribute: str
    setup: Setup | None
    max_jobs: int
    max_memory: int


def find(app: App) -> tuple[str, str]:
    """Return the module that has an app, and the app's name there.

    Raises:
        ConfigurationError: No module has it as a global variable.
    """
    likely = [function.__module__ for function in app.functions.values()]
    for name in dict.fromkeys([*likely, *sys.modules]):
        variables = getattr(sys.modules.get(name), "__dict__", {})
        for attribute, value in [*variables.items()]:
            if value is app:
                return name, attribute
    raise ConfigurationError(
        "processes import the app, so it must be a global variable of a module that they can import"
    )
