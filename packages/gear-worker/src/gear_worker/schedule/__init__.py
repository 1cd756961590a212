"""Periodic work: which functions of an app are due when, and who hands their jobs to a server."""
