"""A Gearman job server: in the background of a process, as `geard`, and in tests."""

from gear_server.__about__ import __version__
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
