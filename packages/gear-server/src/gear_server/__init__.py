"""A Gearman job server: in the background of a process, as `geard`, and in tests."""

import importlib
from typing import TYPE_CHECKING, Final

from gear_server.__about__ import __version__

if TYPE_CHECKING:
    from gear_server.acl import ACL, ACLEntry, ACLError
    from gear_server.connections import ServerAdminRequest, ServerConnection
    from gear_server.jobs import ServerJob
    from gear_server.server import Server

__all__ = [
    "ACL",
    "ACLEntry",
    "ACLError",
    "Server",
    "ServerAdminRequest",
    "ServerConnection",
    "ServerJob",
    "__version__",
]

_MODULES: Final = {
    "ACL": "acl",
    "ACLEntry": "acl",
    "ACLError": "acl",
    "Server": "server",
    "ServerAdminRequest": "connections",
    "ServerConnection": "connections",
    "ServerJob": "jobs",
}


def __getattr__(name: str) -> object:
    # Every run of pytest loads this package for its plugin: the server waits until it is used.
    if name in _MODULES:
        value: object = getattr(importlib.import_module(f"gear_server.{_MODULES[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
