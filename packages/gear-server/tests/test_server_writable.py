"""Whether a file could be written."""

import errno
from pathlib import Path

import pytest

from gear_server.geard.writable import check_writable


def test_a_file_that_can_be_written_or_created_is_left_as_it_is(tmp_path: Path) -> None:
    present = tmp_path / "present.log"
    present.write_text("line\n")
    check_writable(str(present))
    check_writable(str(tmp_path / "absent.log"))
    assert present.read_text() == "line\n"
    assert [path.name for path in tmp_path.iterdir()] == ["present.log"]


def test_a_name_without_a_folder_is_in_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable("geard.log")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "number"),
    [("", errno.EISDIR), ("file/geard.log", errno.ENOTDIR), ("none/geard.log", errno.ENOENT)],
)
def test_the_error_is_the_one_that_opening_it_would_raise(
    tmp_path: Path, name: str, number: int
) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / name)
    with pytest.raises(OSError) as checked:
        check_writable(path)
    with pytest.raises(OSError) as opened, open(path, "w"):
        pass
    assert checked.value.errno == opened.value.errno == number
