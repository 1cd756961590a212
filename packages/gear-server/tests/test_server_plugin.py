"""The pytest plugin, in test runs of its own."""

import pytest

pytest_plugins = ["pytester"]

TALK = """
    from gear_wire import constants
    from gear_wire.link.threads.connection import Connection
    from gear_wire.packet import Packet

    def connected(server):
        connection = Connection(server.host, server.port, *(server.tls or ()))
        connection.connect()
        return connection

    def send(connection, ptype, data=b""):
        connection.sendPacket(Packet(constants.REQ, ptype, data))

    def heard(connection):
        packet = connection.readPacket()
        return packet.ptype, packet.data
"""


def run(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    pytester.makepyfile(TALK + test)
    return pytester.runpytest_subprocess("-W", "error")


def test_geard_is_a_server(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_it(geard):
        connection = connected(geard)
        send(connection, constants.SUBMIT_JOB, b"reverse\\0\\0test")
        assert heard(connection)[0] == constants.JOB_CREATED
        assert [job.name for job in geard.server.getQueue()] == [b"reverse"]
        connection.disconnect()

    def test_each_test_has_its_own(geard):
        assert geard.server.getQueue() == []
    """,
    )
    result.assert_outcomes(passed=2)


def test_jobs_are_held_and_released(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import pytest
    from gear_wire.errors import TimeoutError

    def test_it(geard):
        connection = connected(geard)
        geard.hold()
        for name in (b"build", b"test"):
            send(connection, constants.SUBMIT_JOB_BG, name + b"\\0\\0x")
            heard(connection)
            send(connection, constants.CAN_DO, name)
        send(connection, constants.GRAB_JOB)
        assert heard(connection) == (constants.NO_JOB, b"")
        geard.wait_until_idle(10)
        send(connection, constants.PRE_SLEEP)
        geard.release("bui")
        assert heard(connection)[0] == constants.NOOP
        send(connection, constants.GRAB_JOB)
        ptype, data = heard(connection)
        handle, name, _ = data.split(b"\\0")
        assert (ptype, name) == (constants.JOB_ASSIGN, b"build")
        send(connection, constants.GRAB_JOB)
        assert heard(connection) == (constants.NO_JOB, b"")
        with pytest.raises(TimeoutError, match="1 jobs run"):
            geard.wait_until_idle(0.05)
        send(connection, constants.WORK_COMPLETE, handle + b"\\0")
        geard.wait_until_idle(10)
        geard.release()
        send(connection, constants.GRAB_JOB)
        assert heard(connection)[0] == constants.JOB_ASSIGN
        connection.disconnect()
    """,
    )
    result.assert_outcomes(passed=1)


def test_geard_tls_speaks_tls(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import pytest
    from gear_wire.errors import ConnectionError

    def test_it(geard_tls):
        connection = connected(geard_tls)
        assert connection.use_ssl
        assert connection.echo(b"x", 10) == b"x"
        connection.disconnect()
        plain = Connection(geard_tls.host, geard_tls.port)
        plain.connect()
        with pytest.raises(ConnectionError):
            plain.echo(b"x", 10)
    """,
    )
    result.assert_outcomes(passed=1)


def without(pytester: pytest.Pytester, *modules: str) -> None:
    """Have a test run without some modules, as if they were not installed."""
    lines = [f"sys.modules[{module!r}] = None" for module in modules]
    pytester.makeconftest("\n".join(["import sys", *lines]))


def test_without_trustme_the_message_says_what_to_install(pytester: pytest.Pytester) -> None:
    without(pytester, "trustme")
    result = run(
        pytester,
        """
    def test_tls(geard_tls):
        pass

    def test_plain(geard):
        connection = connected(geard)
        assert connection.echo(b"x", 10) == b"x"
        connection.disconnect()
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*geard_tls needs the package trustme: pip install 'gear-server[[]testing]'"]
    )


@pytest.mark.parametrize(
    ("call", "distribution"), [("client()", "gear-client"), ("worker('f')", "gear-worker")]
)
def test_without_a_distribution_the_message_says_what_to_install(
    pytester: pytest.Pytester, call: str, distribution: str
) -> None:
    without(pytester, distribution.replace("-", "_"))
    result = run(pytester, f"\n    def test_it(geard):\n        geard.{call}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"E*ConfigurationError: this needs the distribution {distribution}: "
         f"pip install {distribution}"]
    )  # fmt: skip


def test_on_asyncio_too(pytester: pytest.Pytester) -> None:
    without(pytester, "gear_client", "gear_worker")
    result = run(
        pytester,
        """
    import asyncio
    import pytest
    from gear_wire.errors import ConfigurationError

    @pytest.mark.parametrize("make", ["async_client", "async_worker"])
    def test_it(geard, make):
        async def enter():
            async with getattr(geard, make)():
                pass

        with pytest.raises(ConfigurationError, match="pip install gear-"):
            asyncio.run(enter())
    """,
    )
    result.assert_outcomes(passed=2)


def test_the_fixtures_are_listed(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(["geard -- *", "geard_tls -- *"])


def test_nothing_is_loaded_until_it_is_used(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import sys

    def test_it():
        assert "gear_server.pytest_plugin" in sys.modules
        assert "gear_server.face.server" not in sys.modules
    """,
    )
    result.assert_outcomes(passed=1)
