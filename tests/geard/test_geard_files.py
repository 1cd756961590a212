"""geard and its configuration files."""

from collections.abc import Callable
from pathlib import Path

from support.geard_program import HOST, Geard, error_of, run_geard

Start = Callable[..., Geard]
SAMPLE = Path(__file__).parents[2] / "packages" / "gear-server" / "geard.toml"


def test_a_file_in_toml_counts_less_than_the_command_line(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "geard.toml"
    file.write_text('[geard]\nport = 1\njob-handle-prefix = "x"\nverbose = "ERROR"\n')
    geard = start("--config", str(file))
    assert geard.port != 1
    assert geard.ask("verbose") == "OK INFO"


def test_a_file_in_toml_gives_options(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "geard.toml"
    file.write_text("[geard]\nmax-line-size = 20\n")
    with start("--config", str(file)).connect() as sock:
        sock.sendall(b"x" * 21)
        assert sock.recv(1) == b""


def test_a_wrong_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "geard.toml"
    file.write_text("[geard]\nlisten-adress = 'x'\n")
    assert error_of("--config", str(file)) == (
        f"{file}: unknown key listen-adress; did you mean listen-address?"
    )


def test_a_file_of_gearmand_gives_options(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "gearmand.conf"
    file.write_text("--max-line-size=20\n--threads 4 --port=1\n")
    geard = start("--config-file", str(file))
    with geard.connect() as sock:
        sock.sendall(b"x" * 21)
        assert sock.recv(1) == b""
    assert "--threads is ignored" in geard.stop()


def test_the_sample_is_right() -> None:
    done = run_geard("--check-args", "-L", HOST, "--config", str(SAMPLE))
    assert (done.returncode, done.stderr) == (0, "")
