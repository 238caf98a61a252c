"""Columns of numbers are read as numbers, and whatever is not spelled as one keeps its text."""

import gzip
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.table_file import open_table
from likely.errors import LikelyError

FIELDS = st.sampled_from(
    ["0", "7", "07", "-7", "+7", "00", "2147483647", "2147483648", "1.5", "1e3", " 7", "inf", "nan", "x"]
)


@given(st.lists(st.tuples(FIELDS, FIELDS), min_size=1))
def test_a_column_becomes_numbers_only_where_that_loses_nothing(rows):
    content = "id,number\n" + "".join(f"{one},{other}\n" for one, other in rows)
    table = open_table("a.csv", content.encode())
    text, read = table.read(["id", "number"]), table.read(["id", "number"], ids=["id"], numbers=["number"])
    whole = all(field.isdigit() and str(int(field)) == field and int(field) < 2**31 for field, _ in rows)
    assert read["id"].dtype == (pl.Int32 if whole else pl.String)
    assert read["id"].cast(pl.String).to_list() == text["id"].to_list() == [field for field, _ in rows]
    if all(field not in ("inf", "nan", "x", " 7") for _, field in rows):
        assert read["number"].to_list() == [float(field) for _, field in rows]
    else:
        assert read["number"].to_list() == text["number"].to_list() == [field for _, field in rows]


def test_a_gzip_file_that_inflates_to_far_more_than_it_has_is_refused():
    with pytest.raises(LikelyError, match=r"ratings\.csv\.gz .* would inflate to more than 67 MB"):
        open_table("ratings.csv.gz", gzip.compress(b"user,item\n" + bytes(70 * 10**6)))


@pytest.mark.parametrize(("asked", "meant"), [("asin", "parent_asin"), ("ASIN", "parent_asin"), ("ratng", "rating")])
def test_a_column_that_is_not_there_names_the_one_that_was_meant(asked, meant):
    with pytest.raises(LikelyError, match=f"names no column '{asked}'; did you mean {meant}\\?"):
        open_table("a.jsonl", b'{"rating": 1, "parent_asin": "B"}').read([asked])


def parquet(**columns):
    written = io.BytesIO()
    pl.DataFrame(columns).write_parquet(written)
    return written.getvalue()


def test_only_columns_that_may_hold_lists_do():
    table = open_table("a.parquet", parquet(id=["a", "b"], genres=[["x"], []], more=[{"a": 1}, None]))
    assert table.read(["id", "genres"], lists=["genres"])["genres"].to_list() == [["x"], []]
    with pytest.raises(LikelyError, match=r"Column 'genres' of a\.parquet holds List\(String\); make it a text"):
        table.read(["id", "genres"])
    with pytest.raises(LikelyError, match="Column 'more' of"):
        table.read(["more"], lists=["more"])


@pytest.mark.parametrize("content", [b"id,x\ry\n1,2\n", b"id,name\n1,a\rb\n2,c\n3\n"])
def test_a_carriage_return_within_a_line_is_white_space(content):
    table = open_table("a.csv", content)
    assert table.columns[0] == "id"
    assert table.place(0)[1][0] == "1"
    assert table.place(99) == ("Row 100 of a.csv", ())


def test_a_field_that_is_far_too_long_is_said():
    with pytest.raises(LikelyError, match="cannot be read as a table"):
        open_table("a.csv", b"id," + b"x" * 200_000 + b"\n1,2\n")


def test_a_file_that_makes_polars_panic_is_a_damaged_file(monkeypatch):
    def panic(*_):
        raise pl.exceptions.PanicException("assertion failed")

    table = open_table("a.parquet", parquet(id=["a", "b"]))
    monkeypatch.setattr(pl, "scan_parquet", panic)
    with pytest.raises(LikelyError, match=r"a\.parquet cannot be read as a table \(assertion failed\)"):
        table.read(["id"])
