"""What the program makes of its options; its life is tested with the program itself."""

import logging
from pathlib import Path

import pytest

from gear_server.geard import program
from gear_server.geard.options import Options
from gear_server.network.statsd import Statsd
from gear_wire.errors import ConfigurationError

LOG = logging.getLogger("gear.Server.test_program")


def test_a_daemon_logs_where_gear_0_16_did_if_that_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "geard" / "geard.log"
    monkeypatch.setattr(program, "DAEMON_LOG", str(log))
    monkeypatch.setattr(program, "SYSLOG", str(tmp_path / "no-syslog"))
    with program.make_logs(Options()):
        LOG.error("nowhere")
    log.parent.mkdir()
    with program.make_logs(Options()):
        LOG.error("in the file")
    assert log.read_text().endswith(": in the file\n")
    assert capfd.readouterr() == ("", "")


def test_in_the_foreground_it_logs_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with program.make_logs(Options(foreground=True)):
        LOG.error("here")
    assert capfd.readouterr().err.endswith(": here\n")


def test_a_statsd_server_without_an_address_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^cannot find the statsd server a b: [^\[]+$"):
        Statsd("a b", 8125, None)
