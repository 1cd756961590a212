"""Fixtures that all tests of all distributions have."""

pytest_plugins = [
    "support.fix_coverage",
    "support.fix_documents",
    "support.fix_geard",
    "support.fix_leaks",
    "support.fix_peers",
    "support.fix_hosts",
    "support.fix_postgresql",
    "support.fix_runner",
]
