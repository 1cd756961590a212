"""A Gearman job server: in the background of a process, as `geard`, and in tests."""

import importlib
from typing import TYPE_CHECKING, Final

from gear_server.__about__ import __version__

if TYPE_CHECKING:
    from gear_server.engine.acl import ACL, ACLEntry, ACLError
    from gear_server.engine.state import ServerJob
    from gear_server.face.connections import ServerAdminRequest, ServerConnection
    from gear_server.face.server import Server
    from gear_server.settings import ServerSettings

__all__ = [
    "ACL",
    "ACLEntry",
    "ACLError",
    "Server",
    "ServerAdminRequest",
    "ServerConnection",
    "ServerJob",
    "ServerSettings",
    "__version__",
]

_MODULES: Final = {
    "ACL": "engine.acl",
    "ACLEntry": "engine.acl",
    "ACLError": "engine.acl",
    "Server": "face.server",
    "ServerAdminRequest": "face.connections",
    "ServerConnection": "face.connections",
    "ServerJob": "engine.state",
    "ServerSettings": "settings",
}


def __getattr__(name: str) -> object:
    # Every run of pytest loads this package for its plugin: the server waits until it is used.
    if name in _MODULES:
        value: object = getattr(importlib.import_module(f"gear_server.{_MODULES[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
