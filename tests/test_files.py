"""Files are whole or not there, and one that cannot be read is told in one sentence."""

import errno
import gzip
import json
import math
import os
import shutil
import stat
import tracemalloc
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.archives import gunzip, read_member
from likely.errors import LikelyError, did_you_mean
from likely.files import (
    check_writable,
    make_writable_folder,
    new_folder,
    parse_json,
    read_json,
    read_lines,
    replacing,
    replacing_bytes,
    replacing_folder,
    write_json,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values, mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_what_is_written_is_read_back_with_or_without_a_byte_order_mark(tmp_path, value, mark):
    write_json(tmp_path / "a.json", value)
    (tmp_path / "b.json").write_bytes(mark + (tmp_path / "a.json").read_bytes())
    assert read_json(tmp_path / "b.json", "") == value


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "a.json does not exist"),
        (b"", "a.json is empty"),
        (b"\n \n", "a.json is empty"),
        (b"{", r"a.json is not JSON \(line 1, column 2"),
        (b'{\n"a": 1,\n}', r"a.json is not JSON \(line 3, column 1"),
        (b"{}{}", r"a.json is not JSON \(line 1, column 3: Extra data\)"),
        (b'["a",\n"\xe9"]', r"a.json is not UTF-8 text \(line 2\)"),
        ("[]".encode("utf-16"), r"a.json is not UTF-8 text \(line 1\)"),
        (b"[" * 100_000, "a.json is nested too deeply"),
        (b"9" * 5000, "a.json holds a number that is too long"),
    ],
    ids=["missing", "empty", "blank", "cut off", "comma", "two", "latin-1", "utf-16", "deep", "long"],
)
def test_every_way_to_be_no_json_file_is_one_sentence(tmp_path, content, complaint):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(LikelyError, match=f"{complaint}.*(; |, or )write it anew.$"):
        read_json(tmp_path / "a.json", "write it anew.")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(LikelyError, match="cannot be read"):
        read_json(tmp_path, "name a file.")


def test_a_line_of_a_larger_file_keeps_its_number(tmp_path):
    with pytest.raises(LikelyError, match="line 7, column 1"):
        parse_json("x", tmp_path, "", line=7)


def test_lines_end_where_lines_end_in_json_and_nowhere_else(tmp_path):
    lines = [json.dumps(text, ensure_ascii=False) for text in ("a\u2028b", "c\x85d", "e")]
    (tmp_path / "a").write_text("\n".join(lines), encoding="utf-8")
    assert [json.loads(line) for line in read_lines(tmp_path / "a", "")] == ["a\u2028b", "c\x85d", "e"]


def test_a_set_of_files_takes_its_place_together(tmp_path):
    folder = tmp_path / "new" / "folder"
    with replacing_folder(folder, last="config.json") as scratch:
        for name in ("config.json", "zebra", "antelope"):
            (scratch / name).write_text("1")
            os.chmod(scratch / name, 0o600)
        assert list(folder.iterdir()) == [scratch]
    assert sorted(path.name for path in folder.iterdir()) == ["antelope", "config.json", "zebra"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


def test_a_folder_among_them_takes_the_place_of_an_earlier_one_and_everybody_may_read_it(tmp_path):
    for name in ("one", "other"):
        with replacing_folder(tmp_path, last="b") as scratch:
            (scratch / "templates").mkdir(mode=0o700)
            (scratch / "templates" / name).write_text("")
    assert [path.name for path in (tmp_path / "templates").iterdir()] == ["other"]
    with new_folder(tmp_path / "new") as scratch:
        shutil.copytree(tmp_path / "templates", scratch / "templates")
    for folder in (tmp_path, tmp_path / "new"):
        assert stat.S_IMODE((folder / "templates").stat().st_mode) == 0o755
        assert stat.S_IMODE((folder / "templates" / "other").stat().st_mode) == 0o644


def test_a_set_of_files_that_fails_leaves_the_old_ones(tmp_path):
    (tmp_path / "a").write_text("old")

    def fail():
        with replacing_folder(tmp_path, last="a") as scratch:
            (scratch / "a").write_text("new")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_the_file_that_marks_the_others_as_complete_comes_last(tmp_path, monkeypatch):
    moved = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (moved.append(new.name), replace(old, new)))
    with replacing_folder(tmp_path, last="b") as scratch:
        for name in "cab":
            (scratch / name).write_text("")
    assert moved == ["a", "c", "b"]


def test_the_nearest_word_is_named_only_where_one_is_near():
    assert did_you_mean("learning_rat", ["seed", "learning_rate"]) == "did you mean learning_rate?"
    assert did_you_mean("xyz", ["seed", "learning_rate"]) == ""


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


@pytest.fixture
def bomb(tmp_path):
    """A zip of 70 MB of nothing."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small.csv", "a")
        with archive.open("ratings.csv", "w") as out:
            for _ in range(70):
                out.write(bytes(10**6))
    assert path.stat().st_size < 10**5
    return path


def test_a_zip_that_inflates_to_far_more_than_it_has_is_refused_unread(bomb):
    with zipfile.ZipFile(bomb) as archive:
        assert read_member(archive, "small.csv") == b"a"
        with pytest.raises(LikelyError, match=r"bomb\.zip has 0\.1 MB and would inflate to 70 MB"):
            read_member(archive, "ratings.csv")


def test_a_zip_whose_header_lies_gives_no_more_than_it_says(bomb):
    """And the difference is noticed; memory for the rest is never asked for."""
    tracemalloc.start()
    with zipfile.ZipFile(bomb) as archive:
        archive.getinfo("ratings.csv").file_size = 1000
        with pytest.raises(zipfile.BadZipFile, match="CRC"):
            read_member(archive, "ratings.csv")
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_what_text_inflates_to_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "ratings.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("ratings.csv", b"1,2,3.5\n" * 10**6)
    with zipfile.ZipFile(tmp_path / "ratings.zip") as archive:
        assert read_member(archive, "ratings.csv") == b"1,2,3.5\n" * 10**6


def test_a_gzip_file_gives_what_was_packed_and_no_more_than_a_zip_may(tmp_path):
    text = b"1,2,3.5\n" * 10**6
    assert gunzip("ratings.csv.gz", gzip.compress(text[:80]) + gzip.compress(text[80:])) == text
    with pytest.raises(LikelyError, match=r"ratings\.csv\.gz is not a whole gzip file"):
        gunzip("ratings.csv.gz", gzip.compress(text)[:-9])
    bomb = gzip.compress(bytes(200 * 10**6), 1)
    tracemalloc.start()
    with pytest.raises(LikelyError, match=r"bomb\.gz has 0\.9 MB and would inflate to more than 67 MB"):
        gunzip("bomb.gz", bomb)
    assert tracemalloc.get_traced_memory()[1] < 150 * 10**6
    tracemalloc.stop()


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


def test_a_file_takes_the_place_of_no_device(tmp_path):
    """As root, an output called /dev/null would otherwise be one for every program of the machine."""
    os.mkfifo(tmp_path / "device")
    with pytest.raises(LikelyError, match="it is a device, not a file"):
        check_writable(tmp_path / "device")
    with pytest.raises(LikelyError, match="it is a device, not a file"), replacing(tmp_path / "device"):
        pass
    assert stat.S_ISFIFO((tmp_path / "device").stat().st_mode)
    assert list(tmp_path.iterdir()) == [tmp_path / "device"]
