"""The kinds of byte strings that travel in packets; how they are packed is in `packets`."""

from typing import NewType

Handle = NewType("Handle", bytes)
"""What the server calls a job, such as ``b"H:host:1"``; empty handles do not exist."""

FunctionName = NewType("FunctionName", bytes)
"""What a worker can do and a client asks for."""

UniqueKey = NewType("UniqueKey", bytes)
"""What the client calls a job; ``b""`` means that the job has none."""

ClientID = NewType("ClientID", bytes)
"""How a connection introduces itself with SET_CLIENT_ID."""
