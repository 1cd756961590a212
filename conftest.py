"""Fixtures that all tests of all distributions have."""

pytest_plugins = ["documents", "leaks", "peers"]
