"""Clients, workers, servers and the network between them in one process: one seed, one world."""
