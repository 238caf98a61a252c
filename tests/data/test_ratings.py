"""Any table of ratings, in any format and any order, gives the same records, and none shows what came later."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.config.table_config import describe_table
from likely.data.protocol import SPLITS, SplitProtocol
from likely.data.ratings import RatingTable, read_ratings
from likely.data.timelines import build_timelines, make_rows
from likely.errors import LikelyError

Row = dict[str, Any]
COLUMNS = ("reader", "isbn", "stars", "when")
KEYS = {"user": "reader", "item": "isbn", "rating": "stars", "time": "when", "noun": "book", "scale": "1-10"}


def separated(rows: Sequence[Row], separator: str) -> bytes:
    """Return lines with a header, every field in quotes where quotes count."""
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if separator in ",;" else csv.QUOTE_NONE
    writer = csv.writer(out, delimiter="\x1f" if separator == "::" else separator, quoting=quoting)
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return out.getvalue().replace("\x1f", "::").encode()


def parquet(rows: Sequence[Row]) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows).write_parquet(out)
    return out.getvalue()


FORMATS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "csv": lambda rows: separated(rows, ","),
    "csv with semicolons": lambda rows: separated(rows, ";"),
    "csv with a byte order mark": lambda rows: b"\xef\xbb\xbf" + separated(rows, ","),
    "tsv": lambda rows: separated(rows, "\t"),
    "colons": lambda rows: separated(rows, "::"),
    "json lines": lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode(),
    "parquet": parquet,
}
TIMES: dict[str, Callable[[int], Any]] = {
    "seconds": lambda time: time,
    "milliseconds": lambda time: time * 1000,
    "dates": lambda time: datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    "dates with a zone": lambda time: datetime.fromtimestamp(time, UTC).isoformat(),
}
SHOWS: dict[str, dict[str, Any]] = {
    "rating": {},
    "quantity": {"scale": None, "implicit": True, "like_threshold": 8},
    "nothing": {"scale": None, "rating": None, "implicit": True, "negatives": 1},
    "label": {"scale": None, "rating": None, "label": "stars"},
}
"""Keys of tables whose lines say one thing or another of an item."""


def read(folder: Path, content: bytes, **keys: Any) -> RatingTable:
    path = folder / "ratings.table"
    path.write_bytes(content)
    return read_ratings(describe_table({"ratings": str(path), **KEYS, **keys}, "a test"))


def records_of(data: RatingTable) -> list[Row]:
    protocol = SplitProtocol(warmup=2, history_length=3, like_threshold=8)
    timelines = build_timelines(data.ratings, protocol)
    return [row for split in SPLITS for row in make_rows(timelines, data, split, protocol)]


# Few distinct times, so that many ratings tie.
tables = st.dictionaries(
    st.tuples(st.sampled_from(["Ann", "Bob", "7"]), st.sampled_from(["0306406152", "a b", "x", "17", "043965548X"])),
    st.tuples(st.integers(1, 10), st.integers(0, 3).map(lambda step: 1_300_000_000 + step)),
    min_size=4,
).map(lambda table: [dict(zip(COLUMNS, (*pair, *values), strict=True)) for pair, values in table.items()])
scratch = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@scratch
@given(
    rows=tables,
    kind=st.sampled_from(list(FORMATS)),
    times=st.sampled_from(list(TIMES)),
    shows=st.sampled_from(list(SHOWS)),
    zipped=st.booleans(),
    draw=st.data(),
)
def test_no_order_and_no_format_changes_the_records(
    tmp_path: Path, rows: list[Row], kind: str, times: str, shows: str, zipped: bool, draw: st.DataObject
) -> None:
    if shows == "label":
        rows = [{**row, "stars": int(row["stars"] >= 8)} for row in rows]
    expected = records_of(read(tmp_path, FORMATS["csv"](rows), **SHOWS[shows]))
    columns = draw.draw(st.permutations([*COLUMNS, "shop"]), label="columns")
    shuffled = draw.draw(st.permutations(rows), label="rows")
    spelled = [{**row, "when": TIMES[times](row["when"]), "shop": "any"} for row in shuffled]
    content = FORMATS[kind]([{column: row[column] for column in columns} for row in spelled])
    records = records_of(read(tmp_path, gzip.compress(content) if zipped else content, **SHOWS[shows]))
    assert records == expected
    # Ids stand for titles here, and all of a user's times are known: nothing shown is later than its candidate.
    at = {(row["reader"], row["isbn"]): row["when"] for row in rows}
    for record in records:
        shown = re.findall(r"^- ([^|\n]*?)(?: \|.*)?$", record["input"], re.MULTILINE)
        assert shown
        assert str(record["item_id"]) not in shown
        assert all(at[str(record["user_id"]), item] <= record["timestamp"] for item in shown)


def test_ids_that_are_words_are_words_in_the_records_and_numbers_are_numbers(tmp_path: Path) -> None:
    rows = [dict(zip(COLUMNS, (user, "007", 5, time), strict=True)) for time, user in enumerate((3, 1, 2))]
    data = read(tmp_path, separated(rows, ","))
    assert data.ratings["user_id"].to_list() == [3, 1, 2]
    assert data.item_names is not None
    assert data.item_names.to_list() == ["007"]


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([978300760, 978300761], [978300760, 978300761]),
        ([1594485210123, 1594485210000], [1594485210.123, 1594485210.0]),
        ([1594485210000000, 1594485211000000], [1594485210, 1594485211]),
        (["881250949.0", "8.81250950e8"], [881250949, 881250950]),
        (["2020-01-01", "2020-01-02"], [1577836800, 1577923200]),
        ([20200101, 20200102], [1577836800, 1577923200]),
        ([20200101, 20200132], [20200101, 20200132]),  # seconds of 1970, as not all are dates
        (["20200101000001", "20200102000000"], [1577836801, 1577923200]),
        (["2020-01-01T00:00:00Z", "2020-01-01 02:00:00.5+01:00"], [1577836800.0, 1577840400.5]),
        (["2020-01-01 00:00:00 UTC", "2020-01-01T00:01"], [1577836800, 1577836860]),
    ],
)
def test_times_are_read_as_seconds(tmp_path: Path, times: list[Any], seconds: list[float]) -> None:
    rows = [dict(zip(COLUMNS, (1, item, 5, time), strict=True)) for item, time in enumerate(times)]
    read_times = read(tmp_path, separated(rows, ",")).ratings["timestamp"].to_list()
    assert read_times == seconds
    assert [type(time) for time in read_times] == [type(second) for second in seconds]


@pytest.mark.parametrize("unit", [10**3, 10**6, 10**9])
@pytest.mark.parametrize("smaller", [1, 10**3, 10**6])
def test_times_in_two_units_are_refused(tmp_path: Path, unit: int, smaller: int) -> None:
    def content(early: int) -> bytes:
        return f"reader,isbn,stars,when\n1,a,9,{1600000000 * unit}\n1,b,3,0\n1,c,5,{1700000000 * early}\n".encode()

    if smaller < unit:
        with pytest.raises(LikelyError, match=r"Line 4 of .* has no valid time .*; write .*the same in all lines"):
            read(tmp_path, content(smaller))
    assert read(tmp_path, content(unit)).ratings["timestamp"].to_list() == [1600000000, 0, 1700000000]


def test_a_single_time_that_is_too_large_is_blamed_itself(tmp_path: Path) -> None:
    content = b"reader,isbn,stars,when\n1,a,9,1600000000\n1,b,3,1700000000\n1,c,5,160000000000\n"
    with pytest.raises(LikelyError, match=r"Line 4 of .* has no valid time"):
        read(tmp_path, content)


def test_without_times_the_order_of_the_file_counts_and_without_a_scale_that_of_the_data(tmp_path: Path) -> None:
    content = b"reader,isbn,stars\n1,b,3\n1,a,9\n"
    data = read(tmp_path, content, time=None, scale=None)
    assert data.ratings["timestamp"].to_list() == [0, 1]
    assert (data.words.lowest, data.words.highest) == (3, 9)
    assert any("order of the file" in note for note in data.notes)
    assert any("3 to 9" in note for note in data.notes)


@pytest.mark.parametrize(("users", "said"), [("1122", True), ("1212", False), ("1111", False)])
def test_that_nothing_is_known_of_users_further_down_is_said(tmp_path: Path, users: str, said: bool) -> None:
    lines = "".join(f"{user},{item},{3 + item}\n" for item, user in enumerate(users))
    for time in (None, "isbn"):
        notes = read(tmp_path, f"reader,isbn,stars\n{lines}".encode(), time=time).notes
        assert any("users further down" in note for note in notes) == (said and time is None)


def test_a_column_called_timestamp_is_the_time_unless_another_or_none_is_named(tmp_path: Path) -> None:
    content = b"user_id,item_id,rating,timestamp,seen\n1,b,3,900,7\n1,a,9,100,8\n"
    path = tmp_path / "ratings.csv"
    path.write_bytes(content)

    def times(**named: Any) -> tuple[list[int], bool]:
        data = read_ratings(describe_table({"ratings": str(path), **named}, "the test"))
        assert data.timed == (not any("order of the file" in note for note in data.notes))
        return data.ratings["timestamp"].to_list(), data.timed

    assert times() == ([900, 100], True)
    assert times(time="seen") == ([7, 8], True)
    assert times(time="none") == ([0, 1], False)


@pytest.mark.parametrize(("again", "said"), [(1, "1 rating is left out"), (2, "2 ratings are left out")])
def test_what_is_left_out_is_counted_in_words(tmp_path: Path, again: int, said: str) -> None:
    lines = [f"{user},5,{stars},100" for user in range(1, 1 + again) for stars in (2, 9)]
    data = read(tmp_path, "\n".join(["reader,isbn,stars,when", *lines]).encode())
    assert sum(note.startswith(said) for note in data.notes) == 1


def test_of_repeated_ratings_the_first_in_time_counts(tmp_path: Path) -> None:
    """Histories between the two would not show the item where a later rating took the place of an earlier one."""
    content = b"reader,isbn,stars,when\n1,5,9,300\n1,5,2,100\n2,5,4,100\n2,5,6,100\n"
    data = read(tmp_path, content)
    assert data.ratings.rows() == [(1, 5, 2.0, 100), (2, 5, 4.0, 100)]
    assert "2 ratings are left out because the user had rated the same book before." in data.notes


few = st.integers(1, 3)


@scratch
@given(rows=st.lists(st.tuples(few, few, st.integers(1, 9), few), min_size=1))
def test_of_any_repeated_ratings_the_first_in_time_and_then_in_the_file_counts(
    tmp_path: Path, rows: list[tuple[int, ...]]
) -> None:
    first: dict[tuple[int, ...], int] = {}
    for place, (*pair, _, time) in enumerate(rows):
        before = first.get(tuple(pair))
        if before is None or time < rows[before][3]:
            first[tuple(pair)] = place
    content = "reader,isbn,stars,when\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    assert read(tmp_path, content.encode()).ratings.rows() == [rows[place] for place in sorted(first.values())]


def test_equal_times_are_said(tmp_path: Path) -> None:
    data = read(tmp_path, b"reader,isbn,stars,when\n1,5,9,7\n1,6,2,7\n")
    assert any(note.startswith("All times are equal") for note in data.notes)


@pytest.mark.parametrize("times", [("2020", "2021"), ("200207", "210207"), ("43868.4", "44000.5")])
def test_times_that_are_hardly_seconds_are_said(tmp_path: Path, times: tuple[str, str]) -> None:
    content = "reader,isbn,stars,when\n" + "".join(f"1,{item},9,{time}\n" for item, time in enumerate(times))
    assert any("within days of 1970" in note for note in read(tmp_path, content.encode()).notes)
    whole = "reader,isbn,stars,when\n1,5,9,1577836800\n1,6,2,1609459200\n"
    assert not any("1970" in note for note in read(tmp_path, whole.encode()).notes)


ITEMS = (
    b'ISBN;Title;Writer;Kinds\n"a";"Lathe of Heaven, The (1971)";"Ursula K. Le Guin";"Novel|Science fiction"\n'
    b'"b";"Caf\xe9";;""\n"c";;;\n'
)


def test_items_have_titles_years_and_details_in_their_own_words(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes(ITEMS)
    keys = {"items": str(tmp_path / "items.csv"), "item_in_items": "ISBN", "title": "Title"}
    content = b"reader,isbn,stars,when\n1,a,9,1\n1,b,9,2\n1,c,9,3\n1,d,3,4\n"
    data = read(tmp_path, content, details="Kinds,by {Writer}", **keys)
    assert data.item_names is not None
    items = {data.item_names[item]: rest for item, *rest in data.items.rows()}
    assert items["a"] == ["The Lathe of Heaven", 1971, ["Novel", "Science fiction", "by Ursula K. Le Guin"]]
    assert items["b"] == ["Café", None, []]
    assert (items["c"][0], items["d"][0]) == ("c", "d")
    assert any(note.startswith("2 of 4 rated books have no title") for note in data.notes)


def test_a_detail_that_two_columns_tell_counts_once(tmp_path: Path) -> None:
    content = b"reader,isbn,stars,when,genre,subgenre\n1,a,5,1,Drama,Drama\n1,b,4,2,Drama,War\n"
    assert read(tmp_path, content, details="genre,subgenre").items["details"].to_list() == [["Drama"], ["Drama", "War"]]


def test_lists_of_details_are_read_however_they_are_spelled(tmp_path: Path) -> None:
    spelled = [["x", "y"], '["x", "y"]', "['x', 'y']", [["x"], ["y"]], "x|y", "x|y|x"]
    rows = [{"reader": 1, "isbn": str(place), "stars": 5, "when": place, "kinds": s} for place, s in enumerate(spelled)]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    assert read(tmp_path, content, details="kinds").items["details"].to_list() == [["x", "y"]] * len(spelled)
    table = parquet([{**row, "kinds": ["x", "y"]} for row in rows])
    assert read(tmp_path, table, details="kinds").items["details"].to_list() == [["x", "y"]] * len(spelled)


@pytest.mark.parametrize("written", ["json lines", "parquet"])
def test_empty_lists_and_what_is_nothing_in_one_are_no_details(tmp_path: Path, written: str) -> None:
    kinds: list[Any] = [[], None, [None], [None, "x"], ["x", "", "x"]]
    rows = [{"reader": 1, "isbn": str(place), "stars": 5, "when": place, "kinds": k} for place, k in enumerate(kinds)]
    items = read(tmp_path, FORMATS[written](rows), details="kinds").items
    assert items["details"].to_list() == [[], [], [], ["x"], ["x"]]
    assert read(tmp_path, FORMATS[written](rows), details="by {kinds}").items["details"][3].to_list() == ["by x"]


def test_lists_in_lists_of_parquet_are_unfolded_like_those_of_json(tmp_path: Path) -> None:
    rows = [{"reader": 1, "isbn": "1", "stars": 5, "when": 1, "kinds": [["x", "y"], ["x", None], None]}]
    for written in ("json lines", "parquet"):
        assert read(tmp_path, FORMATS[written](rows), details="kinds").items["details"].to_list() == [["x", "y"]]


def test_parts_of_a_given_split_may_spell_lists_in_other_ways(tmp_path: Path) -> None:
    spelled: list[Any] = [["x", "y"], None, "x|y"]
    paths = [tmp_path / f"{place}.parquet" for place in range(3)]
    for place, path in enumerate(paths):
        path.write_bytes(parquet([{"reader": 1, "isbn": f"a{place}", "stars": 5, "when": 1, "kinds": spelled[place]}]))
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        files = dict(
            zip(("ratings", "eval_ratings", "test_ratings"), (str(paths[place]) for place in order), strict=True)
        )
        data = read_ratings(describe_table({**KEYS, **files, "details": "kinds"}, "a test"))
        assert data.items["details"].to_list() == [["x", "y"], [], ["x", "y"]]


def test_what_ratings_say_of_an_item_in_lists_does_not_depend_on_their_order(tmp_path: Path) -> None:
    rows = [{"reader": n, "isbn": "a", "stars": 5, "when": n, "kinds": ["x"] if n % 3 else ["y"]} for n in range(9)]
    for some in (rows, rows[::-1], rows[1:] + rows[:1]):
        assert read(tmp_path, parquet(some), details="kinds").items["details"].to_list() == [["y"]]


def test_what_only_begins_like_a_list_stays_text(tmp_path: Path) -> None:
    spelled = ["[x", "[{[]: 1}]", "[x] and y"]
    rows = [{"reader": 1, "isbn": str(place), "stars": 5, "when": place, "kinds": k} for place, k in enumerate(spelled)]
    items = read(tmp_path, FORMATS["json lines"](rows), details="kinds").items
    assert items["details"].to_list() == [[text] for text in spelled]


def test_flags_are_spelled_in_many_ways_and_others_are_refused(tmp_path: Path) -> None:
    content = "reader,isbn,stars,when,War,Love\n1,a,9,1,True,0\n1,b,9,2,1.0,false\n1,c,9,3,,yes\n"
    items = read(tmp_path, content.encode(), flags="War,Love").items
    assert items["details"].to_list() == [["War"], ["War"], ["Love"]]
    with pytest.raises(LikelyError, match=r"Column 'Love' of .* holds '2'; write 1 or 0"):
        read(tmp_path, content.replace("yes", "2").encode(), flags="War,Love")


@pytest.mark.parametrize("title", ["Schindler’s List", "Amélie – “vrai”", "plain"])
def test_titles_of_windows_keep_their_quotes_and_dashes(tmp_path: Path, title: str) -> None:
    content = f"reader,isbn,stars,when,name\n1,a,9,1,{title}\n"
    assert read(tmp_path, content.encode("cp1252"), title="name").items["title"].to_list() == [title]


def test_what_ratings_say_of_their_items_is_taken_from_them(tmp_path: Path) -> None:
    content = b"reader,isbn,stars,when,name\n1,a,9,1,Emma\n2,a,9,1,Emma\n1,b,9,1,\n"
    data = read(tmp_path, content, title="name")
    assert data.items["title"].to_list() == ["Emma", "b"]


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (b"reader,ISBN,stars,when\n1,a,9,1\n", {}, r"Line 1 of .* names no column 'isbn'; did you mean ISBN\?"),
        (b'{"reader": 1, "isbn": "a", "rating": 3, "when": 1}\n', {}, "names no column 'stars'"),
        (b"reader,isbn,stars,when\n1,a,0,1\n", {}, r"Line 2 of .* has the rating 0 outside of the scale 1 to 10"),
        (b"reader,isbn,stars,when\n\n1,a,many,1\n", {}, r"Line 3 of .* has no valid rating \('1,a,many,1'\)"),
        (b'reader,isbn,stars,when\n1,"a\nb",9,1\n1,c,9,soon\n', {}, r"Line 4 of .* has no valid time"),
        (b"reader,isbn,stars,when\n1,a,9,31/05/2024\n", {}, r"write seconds since 1970 or a date such as 2024-05-31"),
        (
            b'\xef\xbb\xbf [\n {"reader": 1, "isbn": "a", "stars": 9, "when": 1}\n]',
            {},
            "is a list in JSON; write it as JSON",
        ),
        (b"reader,isbn,stars,when\n1,,9,1\n", {}, r"Line 2 of .* has no valid item"),
        (b"reader,isbn,stars,when\n1,a,9,1,5\n", {}, r"Line 2 of .* has 5 fields instead of 4"),
        (b"reader,isbn,stars,when\n1,a,9\n", {}, r"Line 2 of .* has 3 fields instead of 4"),
        (b"reader,isbn,stars,when\n", {}, "holds no ratings"),
        (b"", {}, "is empty"),
        (b"\x1f\x8bnothing", {}, "is not a whole gzip file"),
        (b"PAR1 and no more", {}, "is no whole Parquet file"),
        (b'{"reader": 1, "isbn": "a", "stars": 9, "when": 1}\n{"reader": 1,\n', {}, r"Line 2 of .* is not JSON"),
        (b'{"reader": 1,\n"isbn": "a", "stars": 9, "when": 1}\n', {}, r"Line 1 of .* is not JSON"),
        (b"reader,isbn,stars,when\n1,a,9,1\n1,b,9,1\n", {"scale": None}, "All ratings of .* are 9"),
        (
            b"reader,isbn,stars,when\n1,a,9,1\n",
            {"items": "missing.csv"},
            r"missing\.csv does not exist; give the path of a table",
        ),
        (b'reader,isbn,stars,when\n"1,a,9,1\n', {}, "cannot be read as a table"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    tmp_path: Path, content: bytes, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(LikelyError, match=message) as caught:
        read(tmp_path, content, **keys)
    assert "\n" not in str(caught.value)


def test_an_items_file_that_knows_none_of_the_items_is_refused(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes(b"isbn,name\nA,Emma\n")
    with pytest.raises(LikelyError, match=r"items\.csv lists none of the 1 rated books, .* 'a' .* 'A'"):
        read(tmp_path, b"reader,isbn,stars,when\n1,a,9,1\n", items=str(tmp_path / "items.csv"), title="name")
