"""The documented `Connection`: one connection to one server; many of them are in `pool`."""

from gear_wire.codec import encode
from gear_wire.errors import DisconnectError, GearmanError, TimeoutError
from gear_wire.jobs import convert_to_bytes
from gear_wire.link.threads.echoes import Echo
from gear_wire.link.threads.endpoint import Endpoint
from gear_wire.link.threads.requests import AdminRequest
from gear_wire.packets import EchoReq
from gear_wire.timeouts import check_timeout


class Connection(Endpoint):
    """A connection to a Gearman server.

    On its own it has no thread: `readPacket`, `sendAdminRequest` and `echo` read from the socket
    themselves. As part of a Client or Worker, their poll thread reads, or a thread of theirs that
    waits for an answer.

    Args:
        host: The server's name or address.
        port: Its port; a number, or a number in text.
        ssl_key: Path of the private key; the three files go together.
        ssl_cert: Path of the certificate.
        ssl_ca: Path of the certificates of the authority.
        client_id: How log lines name the connection.
        keepalive: Whether TCP keepalive is on.
        tcp_keepidle: Seconds without traffic before the first probe.
        tcp_keepintvl: Seconds between probes.
        tcp_keepcnt: Probes without an answer before the connection is given up.
        ssl_check_hostname: Whether the server's certificate must name `host`.

    Attributes:
        connected: Whether it is.
        connect_time: When it was connected, in seconds since 1970; None before.
        related_jobs: The jobs of this connection by handle.
        options: The options that the server confirmed.
        state: What a worker does with it: INIT, IDLE, GRAB_WAIT or SLEEP.
        conn: The socket; None before connecting.
        session: The protocol's state of the present connection, as part of a Client or Worker.

    Raises:
        ConfigurationError: The host is empty, the port out of range, TLS files are missing.
    """

    def checkThread(self, what: str) -> None:
        """Raise GearmanError on the poll thread, where waiting for an answer would hang."""
        if self._loop is not None and self._loop.here():
            raise GearmanError(
                f"{what} was called on the poll thread, in a handler: the answer could never be "
                "read while it waits; call it from another thread"
            )

    def sendAdminRequest(self, request: AdminRequest, timeout: float | None = 90) -> None:
        """Send an administrative request and wait for its response.

        Args:
            request: The request; its `response` has the reply afterwards.
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: No reply came in time.
            ConnectionError: The connection is gone.
        """
        self.checkThread("sendAdminRequest")
        if not isinstance(request, AdminRequest):
            raise TypeError(
                f"sendAdminRequest takes a gear.AdminRequest, not {type(request).__name__}"
            )
        limit = check_timeout(timeout)
        command = request.getCommand()
        with self._lock:
            request.begin()
            self.queue(command)
            self._replies.waiting.append(request)
        self.flush()
        if self._loop is not None:
            came = request.waitForResponse(limit)
        else:
            came = self._inbox.readUntil(lambda: request.response is not None, limit)
            self._inbox.discard(request)
        if not came:
            raise TimeoutError(f"no reply to {command!r} from {self!r} in {timeout} s")
        if request.response is None:
            raise DisconnectError(f"{self!r} was lost before the reply to {command!r}")

    def echo(self, data: str | bytes | None = None, timeout: float | None = 30) -> bytes:
        """Have the server send data back.

        Args:
            data: What to send; something unique by default.
            timeout: Seconds to wait; None for no limit.

        Returns:
            The data that came back.

        Raises:
            TimeoutError: Nothing came in time.
            ConnectionError: The connection is gone.
        """
        self.checkThread("echo")
        limit = check_timeout(timeout)
        waiting = Echo(data)
        with self._lock:
            self.queue(encode(EchoReq(waiting.data)))
            self._echoes.add(waiting)
        self.flush()
        if self._loop is not None:
            came = waiting.settled.wait(limit)
        else:
            came = self._inbox.readUntil(waiting.settled.is_set, limit)
        if not came:
            with self._lock:
                self._echoes.discard(waiting)
            raise TimeoutError(f"no ECHO_RES from {self!r} in {timeout} s")
        if waiting.reply is None:
            raise DisconnectError(f"{self!r} was lost before the ECHO_RES")
        return waiting.reply

    def sendEchoReq(self, data: str | bytes) -> None:
        """Send an ECHO_REQ without waiting; raises as `sendRaw` does."""
        self.sendRaw(encode(EchoReq(convert_to_bytes(data))))

    def handleOptionRes(self, option: bytes) -> None:
        """Note an option that the server confirmed."""
        self.options.add(option)
