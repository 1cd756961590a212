"""Bytes in, bytes out, over geard and gearmand."""
