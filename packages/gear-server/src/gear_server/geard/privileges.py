"""Whose rights the process has, and how many files it may open."""

import os

from gear_wire.errors import ConfigurationError


def become(user: str) -> None:
    """Give up the rights of root for those of a user, with all of its groups, for good.

    Args:
        user: The user's name.

    Raises:
        ConfigurationError: There is no such user, or the process is not root's.
    """
    try:
        import pwd
    except ImportError:
        raise ConfigurationError("this platform has no users to become") from None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(f"there is no user {user}") from None
    if os.geteuid() != 0:
        raise ConfigurationError(f"only root can become the user {user}")
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def allow_descriptors(number: int) -> None:
    """Set how many files and connections the process may have open at a time.

    Raises:
        ConfigurationError: It may not have so many.
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
        raise ConfigurationError(f"cannot have {number} file descriptors: {error}") from error
