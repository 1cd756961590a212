"""Sockets, TLS, threads and event loops; the logic of the protocol is in the sessions."""
