"""The small files that say something about a process."""

import os
from pathlib import Path

import pytest

from gear_server.geard.runfile import RunFile
from gear_wire.errors import ConfigurationError


def test_it_is_there_for_the_time_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    with RunFile(str(path), "new"):
        assert path.read_text() == "new\n"
        assert os.listdir(tmp_path) == ["file"]
    assert os.listdir(tmp_path) == []


def test_that_of_another_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with RunFile(str(path), "1"):
        path.write_text("2\n")
    assert path.read_text() == "2\n"


def test_it_may_be_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with RunFile(str(path), "1"):
        path.unlink()
    assert os.listdir(tmp_path) == []


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with RunFile(str(path), "4730"):
            assert os.read(reading, 100) == b"4730\n"
    finally:
        os.close(reading)
    assert os.listdir(tmp_path) == ["pipe"]


def test_no_path_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with RunFile(None, "1"):
        assert os.listdir(tmp_path) == []


def test_a_place_where_it_cannot_be_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "none" / "file")
    with pytest.raises(ConfigurationError, match=f"^cannot write {path}: No such file"):
        with RunFile(path, "1"):
            pass
