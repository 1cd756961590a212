"""Finds the app that a command line names as ``MODULE:APP``."""

import importlib
import os
import sys

from gear_wire.errors import ConfigurationError
from gear_wire.functions.app import App


class NoSuchApp(ConfigurationError):
    """The command line names no app."""


def load_app(name: str) -> App:
    """Import a module, with the current directory among those searched, and return its app.

    Whatever the module's own code raises, passes: its traceback is its author's.

    Args:
        name: The module and, after a colon, the app's name in it; by default ``app``.

    Raises:
        NoSuchApp: There is no such module, it has no such attribute, or that is no app.
    """
    module_name, _, attribute = name.partition(":")
    attribute = attribute or "app"
    if not all(part.isidentifier() for part in f"{module_name}.{attribute}".split(".")):
        raise NoSuchApp(f"an app is MODULE:APP, such as jobs:app, not {name!r}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise
        raise NoSuchApp(
            f"there is no module {missing} in {here} or among the installed ones"
        ) from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            apps = [known for known, value in vars(found).items() if isinstance(value, App)]
            hint = f"; its apps are {', '.join(apps)}" if apps else ""
            raise NoSuchApp(f"{module_name} has no attribute {attribute}{hint}")
        found = getattr(found, part)
    if not isinstance(found, App):
        raise NoSuchApp(f"{name} is not a gear.App but a {type(found).__name__}")
    return found
