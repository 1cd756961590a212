"""Switches the user of the process, and sets how many files it may open."""

import contextlib
import os
from typing import Final

from gear_wire.errors import ConfigurationError

SPARE_DESCRIPTORS: Final = 64
"""Open files that are no connections: listening sockets, the log, the event loop."""


def become(user: str) -> None:
    """Switch from root to another user, with all of its groups, for good.

    Args:
        user: The user's name.

    Raises:
        ConfigurationError: There is no such user, or the process does not run as root.
    """
    try:
        import pwd
    except ImportError:
        raise ConfigurationError("this platform cannot switch users") from None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(f"no such user: {user}") from None
    if os.geteuid() != 0:
        raise ConfigurationError(f"only root can switch to user {user}")
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def allow_descriptors(number: int) -> None:
    """Set the maximum number of open files and connections.

    Raises:
        ConfigurationError: The system does not allow that many.
    """
    try:
        import resource
    except ImportError:
        raise ConfigurationError("this platform has no limit for file descriptors") from None
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    unlimited = hard == resource.RLIM_INFINITY
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (number, hard if unlimited else max(hard, number))
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot set the limit of file descriptors to {number}: {error}"
        ) from error


def make_room(connections: int) -> None:
    """Raise the limit of open files to what connections need, as far as the system allows."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS has a lower limit than the one that it reports.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
