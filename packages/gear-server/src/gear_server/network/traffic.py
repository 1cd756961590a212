"""How many bytes the connections of a server have brought and taken."""


class Traffic:
    """The bytes of all connections of a server since its start, without those of TLS itself.

    Attributes:
        received: Bytes that were read.
        sent: Bytes that were handed to transports.
    """

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received: int = 0
        self.sent: int = 0
