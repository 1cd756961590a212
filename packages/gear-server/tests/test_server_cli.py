"""The command line, the files and the environment together; running is tested with the program."""

from pathlib import Path

import pytest

from gear_server import __version__
from gear_server.geard.cli import main, read_options
from gear_server.geard.options import Options
from gear_server.geard.program import check
from gear_wire.errors import ConfigurationError


def test_the_command_line_counts_most_then_the_files_then_the_environment(tmp_path: Path) -> None:
    toml, tokens = tmp_path / "geard.toml", tmp_path / "gearmand.conf"
    toml.write_text("[geard]\nport = 2\nbacklog = 2\ngrace = 2\n")
    tokens.write_text("--port=3 --backlog=3 --grace=3 --worker-wakeup=3 -t 4")
    files = ["--config", str(toml), "--config-file", str(tokens)]
    options, notes = read_options(
        [*files, "-p", "1", "-R"], {"GEARMAND_PORT": "4", "STATSD_PORT": "4"}
    )
    assert (options.settings.port, options.settings.backlog, options.grace) == (1, 2, 2)
    assert (options.settings.worker_wakeup, options.settings.statsd_port) == (3, 4)
    assert [note.split()[0] for note in notes] == ["-t", "-R"]


def test_nothing_said_is_the_default() -> None:
    assert read_options([], {}) == (Options(), [])


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ([], "--ssl-key, --ssl-cert, --ssl-ca"),
        (["--ssl-ca", "x"], "--ssl-key, --ssl-cert"),
        (["--ssl-certificate", "x", "--ssl-key", "x"], "--ssl-ca"),
    ],
)
def test_tls_needs_three_files(given: list[str], missing: str) -> None:
    options, _ = read_options(["--ssl", *given], {})
    with pytest.raises(ConfigurationError, match=f"; missing: {missing}$"):
        check(options)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "none.pem")
    options, _ = read_options(["--ssl-ca", path, "--ssl-cert", path, "--ssl-key", path], {})
    with pytest.raises(ConfigurationError, match=f"there is no file {path}"):
        check(options)


def test_an_access_control_list_needs_tls(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--acl requires TLS: "):
        check(Options(acl=str(tmp_path)))


def test_check_args(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--check-args", "-p", "4730"]) == 0
    assert main(["--check-args", "-p", "x"]) == 1
    assert main(["--check-args", "--ssl"]) == 1
    assert main(["--check-args", "--config", str(tmp_path / "none")]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert [line.partition(":")[0] for line in output.err.splitlines()] == ["geard"] * 3


@pytest.mark.parametrize("spelling", ["--version", "-V"])
def test_version(spelling: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([spelling])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"geard {__version__}\n"
