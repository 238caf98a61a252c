"""Files are read row by row, and give the rows and complaints that reading them whole gives."""

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data import row_files
from likely.data.row_files import iter_rows
from likely.errors import LikelyError
from likely.files import parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, min_size=1), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_a_list_in_blocks_of_any_size_has_the_items_of_the_whole(items, block, indent, is_ascii):
    text = json.dumps(items, indent=indent, ensure_ascii=is_ascii)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_files, "BLOCK", block)
        assert list(iter_rows(Path("a.json"), text.encode())) == items


@given(st.lists(VALUES, min_size=1), st.integers(1, 40), st.data())
def test_a_damaged_list_is_described_as_the_whole_would_be(items, block, data):
    text = json.dumps(items, indent=1)
    place = data.draw(st.integers(1, len(text) - 1))
    text = data.draw(st.sampled_from([text[:place], text[:place] + "@" + text[place:], text + "@"]))
    try:
        assert json.loads(text)
    except json.JSONDecodeError:
        with pytest.raises(LikelyError) as whole:
            parse_json(text, Path("a.json"), row_files.REMEDY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(row_files, "BLOCK", block)
            with pytest.raises(LikelyError) as in_blocks:
                list(iter_rows(Path("a.json"), text.encode()))
        assert str(in_blocks.value) == str(whole.value)


def test_a_number_that_goes_on_as_none_is_named_where_it_stands():
    with pytest.raises(LikelyError, match=r"line 2, column 3: Expecting ',' delimiter"):
        list(iter_rows(Path("a.json"), b"[\n 0@\n]"))


def test_of_a_list_no_more_than_a_few_blocks_are_held(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "BLOCK", 64)
    content = json.dumps([{"input": "x" * 20}] * 500).encode()
    file = io.BytesIO(content)
    rows = row_files._json_rows(row_files._texts(file, Path("a.json")), Path("a.json"))
    for place, _ in zip(range(400), rows, strict=False):
        assert file.tell() < 35 * (place + 1) + 300


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"))


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1), st.sampled_from(",;\t"))
def test_csv_has_the_values_that_were_written(rows, delimiter):
    out = io.StringIO()
    table = csv.writer(out, delimiter=delimiter)
    table.writerows([("input", "output"), *rows])
    found = list(iter_rows(Path("a.csv"), b"\xef\xbb\xbf" + out.getvalue().encode()))
    assert found == [{"input": one, "output": other} for one, other in rows]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"input,output\n", "holds no records"),
        (b"input,input\n1,2\n", "two columns 'input'"),
        (b"input,output\na,b,c\n", "line 2: 3 values under the 2 names"),
        (b'input,output\n"a,b\n', r"is not CSV \(line 2: unexpected end of data\)"),
        (b"input,output\na,\xff\n", r"not UTF-8 text \(line 2\)"),
    ],
)
def test_wrong_csv_is_named_by_line(content, complaint):
    with pytest.raises(LikelyError, match=complaint):
        list(iter_rows(Path("a.csv"), content))


def test_parquet_comes_in_slices(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "SLICE", 7)
    rows = [{"n": n, "turns": [{"role": "user", "content": str(n)}]} for n in range(40)]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    assert [frame.height for frame in row_files.parquet_frames(tmp_path / "a.parquet")] == [7, 7, 7, 7, 7, 5]
    assert list(iter_rows(tmp_path / "a.parquet")) == rows
    assert list(iter_rows(Path("a.parquet"), (tmp_path / "a.parquet").read_bytes())) == rows
    with pytest.raises(LikelyError, match="not a Parquet file"):
        list(iter_rows(Path("a.parquet"), b"PAR1 or not"))
