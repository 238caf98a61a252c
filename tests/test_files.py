"""A file is whole or not there, whatever happens while it is written."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.files import make_writable_folder, replacing, replacing_bytes, write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def without_infinities(value):
    if isinstance(value, dict):
        return {key: without_infinities(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_infinities(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(value=JSON)
def test_json_reads_back_with_null_for_what_is_not_a_number(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.json"
    write_json(path, value)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == without_infinities(value)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"auc": 0.5})
    with pytest.raises(TypeError):
        write_json(path, {"auc": object()})
    assert json.loads(path.read_text()) == {"auc": 0.5}
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_bytes(tmp_path, interruption):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"old")

    def write():
        with replacing_bytes(path) as out:
            out.write(b"new")
            raise interruption

    with pytest.raises(interruption):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_can_be_read_by_others(tmp_path):
    with replacing(tmp_path / "rows.txt") as out:
        out.write("Amélie\n")
    assert (tmp_path / "rows.txt").read_bytes() == "Amélie\n".encode()
    assert (tmp_path / "rows.txt").stat().st_mode & 0o777 == 0o644


def test_a_folder_is_made_and_tried(tmp_path):
    make_writable_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        make_writable_folder(tmp_path / "file" / "b")
