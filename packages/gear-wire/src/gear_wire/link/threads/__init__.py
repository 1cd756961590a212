"""Connections for threads: one poll thread a client."""
