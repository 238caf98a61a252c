"""Files are whole or not there, and what the file system refuses is a sentence."""

import errno
import os

import pytest

from likely.errors import LikelyError
from likely.files import check_writable, replacing, write_json


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path):
    path = tmp_path / "scores.jsonl"
    path.write_text("old")

    def write():
        with replacing(path) as out:
            out.write("new")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(LikelyError, match=rf"{path} cannot be written \(No space left on device\)"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_can_be_written_is_left_as_it_is(tmp_path):
    check_writable(tmp_path / "new.json")
    assert list(tmp_path.iterdir()) == []
    write_json(tmp_path / "old.json", 1)
    check_writable(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_text() == "1\n"


@pytest.mark.parametrize("name", ["missing/scores.json", "file/scores.json", "", "/dev/full/scores.json"])
def test_what_cannot_be_written_is_said_before_anything_is_computed(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LikelyError, match=r"written"):
        check_writable(tmp_path / name)
