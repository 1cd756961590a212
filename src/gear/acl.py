"""The documented access control lists of a server."""

from gear_server.engine.acl import ACL, ACLEntry, ACLError

__all__ = ["ACL", "ACLEntry", "ACLError"]
