"""The job server without a network: packets in, bytes out; no socket, thread, clock or loop."""
