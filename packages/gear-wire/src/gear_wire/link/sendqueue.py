"""What a socket has sent and the other side's kernel does not have yet."""

import socket
import struct


def unacknowledged(sock: socket.socket) -> int:
    """Return how many bytes the other side has not acknowledged; 0 where nobody can tell.

    Args:
        sock: A connected TCP socket.
    """
    try:
        import fcntl
        import termios

        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except (ImportError, OSError, ValueError):
        return 0  # not on Windows; not of a socket that is closed
    return int(struct.unpack("i", answer)[0])
