"""Configuration files: geard's in TOML, and gearmand's."""

import re
import socket
import tomllib
from pathlib import Path

import pytest

from gear_server.geard.configfile import read_tokens, read_toml
from gear_server.geard.options import BY_KEY, OPTIONS
from gear_server.geard.sample import sample
from gear_wire.errors import ConfigurationError

SAMPLE = Path(__file__).parents[1] / "geard.toml"


def write(path: Path, text: str) -> str:
    file = path / "geard.toml"
    file.write_text(text)
    return str(file)


def refusal(path: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_toml(path)
    return str(caught.value)


def test_a_table_gives_options_by_their_long_names(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '[geard]\nport = 4731\nlisten-address = "127.0.0.1"\ngrace = 5\nssl = true\n'
        'verbose = "info"\n',
    )
    assert read_toml(path) == {
        "port": 4731, "host": "127.0.0.1", "grace": 5.0, "ssl": True, "verbose": "INFO",
    }  # fmt: skip


def test_a_port_may_be_the_name_of_a_service(tmp_path: Path) -> None:
    try:
        socket.getservbyname("http")
    except OSError:
        pytest.skip("this machine has no list of services")
    assert read_toml(write(tmp_path, '[geard]\nport = "http"\n')) == {"port": 80}


@pytest.mark.parametrize("text", ["", "[geard]\n"])
def test_a_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    assert read_toml(write(tmp_path, text)) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[geard]\nprot = 1", "unknown key prot; did you mean port?"),
        ("[geard]\njob_retries = 1", "unknown key job_retries; did you mean job-retries?"),
        ("[geard]\nxyzzy = 1", "unknown key xyzzy; the keys are acl, backlog, "),
        ('[geard]\nbacklog = "32"', "backlog must be a whole number from 1 to 65535, not '32'"),
        ("[geard]\nbacklog = 0", "backlog must be a whole number from 1 to 65535, not 0"),
        ("[geard]\nssl = 1", "ssl must be true or false, not 1"),
        ("[geard]\nlog-file = 3", "log-file must be a non-empty string, not 3"),
        ("[geard]\ngrace = []", "grace must be a number from 0 to 31536000, not []"),
        ('[geard]\nconfig = "x"', "config is allowed on the command line only"),
        ("[geard]\nthreads = 4", "threads is not supported: one thread serves all connections"),
        ('[geard]\nqueue-type = "x"', "queue-type is not supported: jobs are kept in memory"),
        (
            '[geard]\npidfile = "a"\npid-file = "b"',
            "pid-file is given twice, under different names",
        ),
        ("port = 1\n[geard]", "port is out of place; options belong under [geard]"),
        ("[other]", "other is out of place; options belong under [geard]"),
        ("geard = 1", "geard must be a table: a line [geard], then options"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_file(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, text)
    assert refusal(path).startswith(f"{path}: {message}")


def test_a_file_that_is_no_toml_is_told_the_place(tmp_path: Path) -> None:
    path = write(tmp_path, "[geard]\nport 4730\n")
    assert re.search(f"^{re.escape(path)} is not valid TOML: .*line 2", refusal(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.toml")
    assert refusal(missing) == (
        f"cannot read the configuration file {missing}: No such file or directory"
    )
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    assert refusal(str(binary)).startswith(f"cannot read the configuration file {binary}: ")


def test_a_file_of_gearmand_is_a_command_line(tmp_path: Path) -> None:
    file = tmp_path / "gearmand.conf"
    file.write_text("--port=4731\n--verbose INFO  --round-robin\n\n-b\n5\n")
    given = read_tokens(str(file))
    assert given.values == {"port": 4731, "verbose": "INFO", "backlog": 5}
    assert given.notes == ["--round-robin is ignored: a worker's functions always take turns"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--port=x", "port must be a number from 0 to 65535 or the name of a service, not 'x'"),
        ("# comment", "unrecognized arguments: # comment; see geard --help"),
        (
            "-q mysql",
            "-q mysql is not supported: jobs are kept in memory, in a file of SQLite or in "
            "PostgreSQL",
        ),
        ("--config-file x", "--config-file is allowed on the command line only"),
    ],
)
def test_a_wrong_file_of_gearmand_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "gearmand.conf"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_tokens(str(file))
    assert str(caught.value).startswith(f"{file}: {message}")


def test_the_sample_is_written_from_the_options() -> None:
    assert SAMPLE.read_text() == sample(), "run python -m gear_server.geard.sample > geard.toml"


def test_the_sample_names_every_option_and_its_default() -> None:
    lines = SAMPLE.read_text().splitlines()
    assert read_toml(str(SAMPLE)) == {}
    shown = tomllib.loads("\n".join(line[1:] for line in lines if re.match(r"#[a-z-]+ = ", line)))
    assert set(shown) == {option.name for option in OPTIONS.values() if option.in_files}
    for key, value in shown.items():
        option = OPTIONS[BY_KEY[key]]
        assert option.from_value(value) is not None
        if option.program_default is not None:
            assert value == option.program_default, key
