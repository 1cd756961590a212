"""How many files, and so connections, the process may have open."""


def descriptor_limit() -> int | None:
    """Return how many files the process may have open; None for no limit."""
    try:
        import resource
    except ImportError:
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft
