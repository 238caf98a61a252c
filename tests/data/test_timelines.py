"""Records follow the protocol to the letter and never show anything later than their candidate."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.data import preparation as preparing
from likely.data.catalogue_file import CATALOGUE_FILE
from likely.data.preparation import SplitSummary, prepare
from likely.data.protocol import SPLITS, SplitProtocol
from likely.data.ratings import RatingTable
from likely.data.records import Labels, read_records, write_records
from likely.data.timelines import build_timelines, make_rows, window_start
from likely.errors import LikelyError

Rating = tuple[int, int, float, int]


def make_data(ratings: Iterable[Rating]) -> RatingTable:
    """Return ratings of movies whose titles are their ids."""
    types = {"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
    table = pl.DataFrame(list(ratings), schema=types, orient="row")
    return RatingTable("invented", table, numbered_movies(table["item_id"].unique().sort()))


def numbered_movies(item_ids: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(
        {"item_id": item_ids, "title": item_ids.cast(pl.String), "year": None, "details": [[]] * len(item_ids)},
        schema_overrides={"year": pl.Int32, "details": pl.List(pl.String)},
    )


def one_user(count: int, user: int = 1) -> list[Rating]:
    return [(user, movie, 4.0 if movie % 2 else 2.0, 100 + movie) for movie in range(1, count + 1)]


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {split: json.loads((folder / f"{split}.json").read_text(encoding="utf-8")) for split in SPLITS}


def slow_rows(data: RatingTable, protocol: SplitProtocol) -> dict[str, list[dict[str, Any]]]:
    """Return what the protocol says, one rating after another."""
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for user in sorted(set(data.ratings["user_id"].to_list())):
        mine = [row for row in data.ratings.rows() if row[0] == user]
        mine.sort(key=lambda row: (row[3], row[1]))
        rest = list(range(protocol.warmup, len(mine)))
        tests = max(1, math.floor(Fraction(str(protocol.test_fraction)) * len(rest)))
        evals = max(1, math.floor(Fraction(str(protocol.eval_fraction)) * len(rest)))
        rest, test = rest[:-tests], rest[-tests:]
        of = {"train": rest[:-evals], "eval": rest[-evals:], "test": test}
        for split, places in of.items():
            for place in places:
                length = protocol.history_length
                start = 0
                if protocol.window == "sliding":
                    start = max(0, place - length)
                elif protocol.window != "all":
                    times = {"anchored": 2, "3H": 3}[protocol.window]
                    while place - start >= times * length:
                        start += (times - 1) * length
                history = mine[start:place]
                _, movie, rating, timestamp = mine[place]
                lines = [f"- {row[1]} | rated {row[2]:g}" for row in history]
                rows[split].append(
                    {
                        "input": "\n".join(["History, oldest first:", *lines, f"Candidate: {movie}"]),
                        "output": "Yes" if rating >= protocol.like_threshold else "No",
                        "user_id": user,
                        "item_id": movie,
                        "timestamp": timestamp,
                        "history_likes": sum(row[2] >= protocol.like_threshold for row in history),
                        "history_length": len(history),
                        **({"cut_at_anchors": True} if protocol.window in ("all", "3H") else {}),
                    }
                )
    return rows


protocols = st.builds(
    SplitProtocol,
    warmup=st.integers(1, 6),
    history_length=st.integers(1, 6),
    window=st.sampled_from(["anchored", "sliding", "all", "3H"]),
    like_threshold=st.sampled_from([2.5, 3.5, 4.0]),
    test_fraction=st.sampled_from([0.1, 0.29, 0.5]),
    eval_fraction=st.sampled_from([0.05, 0.3, 0.49]),
)
# Few distinct times, so that many ratings tie.
data_sets = st.dictionaries(
    st.tuples(st.integers(1, 3), st.integers(1, 30)),
    st.tuples(st.integers(1, 10).map(lambda half_stars: half_stars / 2), st.integers(0, 8)),
    max_size=60,
).map(lambda table: [(*pair, *values) for pair, values in table.items()])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ratings=data_sets, protocol=protocols)
def test_records_and_summary_equal_a_slow_reading_of_the_protocol(
    tmp_path: Path, ratings: list[Rating], protocol: SplitProtocol
) -> None:
    # A user with seven ratings of both kinds makes sure that there is something to prepare.
    data = make_data([*ratings, *one_user(7, user=9)])
    summary = prepare(data, tmp_path, protocol)
    expected = slow_rows(data, protocol)
    written = read(tmp_path)
    evaluated = {(row["user_id"], row["item_id"]) for split in ("eval", "test") for row in expected[split]}
    known = {movie for user, movie, _, _ in data.ratings.rows() if (user, movie) not in evaluated}
    for split in SPLITS:
        assert [{key: row[key] for key in row if key != "instruction"} for row in written[split]] == expected[split]
        assert getattr(summary, split) == SplitSummary(
            users=len({row["user_id"] for row in expected[split]}),
            rows=len(expected[split]),
            positives=sum(row["output"] == "Yes" for row in expected[split]),
            cold=sum(row["item_id"] not in known for row in expected[split]),
        )


def test_latest_small_has_the_published_number_of_rows(latest_small: RatingTable) -> None:
    table = build_timelines(latest_small.ratings, SplitProtocol())
    counts = dict(table["split"].value_counts().iter_rows())
    assert counts == {"warmup": 610 * 15, "train": 78_271, "eval": 4_450, "test": 8_965}


@pytest.mark.parametrize("window", ["anchored", pytest.param("sliding", marks=pytest.mark.minutes)])
def test_no_row_of_latest_small_shows_anything_later_than_its_candidate(latest_small: RatingTable, window: Any) -> None:
    ratings = latest_small.ratings
    data = RatingTable("numbered", ratings, numbered_movies(ratings["item_id"].unique()))
    protocol = SplitProtocol(window=window)
    table = build_timelines(ratings, protocol)
    rows = [row for split in SPLITS for row in make_rows(table, data, split, protocol)]
    shown = pl.DataFrame({key: [row[key] for row in rows] for key in ("user_id", "item_id", "timestamp", "input")})
    shown = shown.with_columns(pl.col("input").str.extract_all(r"(?m)^- \d+ \| rated").alias("line")).explode("line")
    shown = shown.with_columns(pl.col("line").str.extract(r"(\d+)").cast(pl.Int32).alias("shown_id"))
    times = ratings.select(pl.col("user_id").cast(pl.Int64), shown_id="item_id", shown_at="timestamp")
    shown = shown.join(times, on=["user_id", "shown_id"], how="left")
    assert len(rows) == 78_271 + 4_450 + 8_965
    assert len(shown) >= 15 * len(rows)
    assert shown["shown_at"].null_count() == 0
    assert (shown["shown_at"] <= shown["timestamp"]).all()
    assert (shown["shown_id"] != shown["item_id"]).all()


def test_no_evaluated_rating_is_earlier_than_a_trained_one_of_the_same_user(latest_small: RatingTable) -> None:
    table = build_timelines(latest_small.ratings, SplitProtocol())
    in_time = table.sort("user_id", "timestamp", "item_id")["split"].to_physical()
    users = table.sort("user_id", "timestamp", "item_id")["user_id"]
    steps = pl.DataFrame({"step": in_time.cast(pl.Int8).diff(), "same": users == users.shift()})
    assert (steps.filter(pl.col("same"))["step"] >= 0).all()


@given(position=st.integers(0, 500), length=st.integers(1, 40))
def test_windows_are_as_long_as_promised(position: int, length: int) -> None:
    anchored, sliding = SplitProtocol(history_length=length), SplitProtocol(history_length=length, window="sliding")
    assert position - window_start(position, sliding) == min(position, length)
    start = window_start(position, anchored)
    assert start % length == 0
    if position >= length:
        assert length <= position - start <= 2 * length - 1
    else:
        assert start == 0
    # Anchored windows of consecutive positions begin together, except once every `length` positions.
    assert window_start(position + 1, anchored) in (start, start + length)


@given(position=st.integers(0, 500), length=st.integers(1, 40), times=st.integers(2, 9))
def test_longer_windows_grow_to_so_many_times_the_length_and_begin_together(
    position: int, length: int, times: int
) -> None:
    longer = SplitProtocol(history_length=length, window=f"{times}H")
    start = window_start(position, longer)
    assert min(position, length) <= position - start < times * length
    assert window_start(position + 1, longer) in (start, start + (times - 1) * length)
    assert window_start(position, SplitProtocol(history_length=length, window="all")) == 0
    assert times > 2 or start == window_start(position, SplitProtocol(history_length=length))


@given(ratings=data_sets)
@settings(max_examples=20)
def test_a_window_of_everything_shows_all_that_is_earlier_and_nothing_else(ratings: list[Rating]) -> None:
    data, protocol = make_data([*ratings, *one_user(7, user=9)]), SplitProtocol(warmup=2, window="all")
    table = build_timelines(data.ratings, protocol)
    for row in (row for split in SPLITS for row in make_rows(table, data, split, protocol)):
        mine = table.filter(pl.col("user_id") == row["user_id"])
        (place,) = mine.filter(pl.col("item_id") == row["item_id"])["position"]
        assert row["history_length"] == place == row["input"].count("\n- ")


@pytest.mark.parametrize(("count", "expected"), [(16, (0, 0, 1)), (17, (0, 1, 1)), (18, (1, 1, 1)), (35, (17, 1, 2))])
def test_users_with_few_ratings_give_test_rows_first(
    tmp_path: Path, count: int, expected: tuple[int, int, int]
) -> None:
    summary = prepare(make_data(one_user(count)), tmp_path)
    assert (summary.train.rows, summary.eval.rows, summary.test.rows) == expected


def test_a_record_reads_as_documented_and_is_a_valid_record(tmp_path: Path) -> None:
    ratings = [(7, 1, 4.5, 10), (7, 2, 3.0, 10), (7, 3, 5.0, 5), (7, 4, 3.5, 20)]
    data = make_data(ratings)
    movies = pl.DataFrame(
        {
            "item_id": [4, 3, 2, 1],
            "title": ["Heat", "Les Misérables", "Cosmos", "Paterson"],
            "year": [1995, 1995, None, 2016],
            "details": [["Action", "Crime"], ["Drama"], ["Documentary"], []],
        },
        schema_overrides=data.items.schema,
    )
    prepare(dataclasses.replace(data, items=movies), tmp_path, SplitProtocol(warmup=3, like_threshold=3.5))
    (row,) = read(tmp_path)["test"]
    assert row["input"] == (
        "History, oldest first:\n"
        "- Les Misérables (1995) | Drama | rated 5\n"
        "- Paterson (2016) | rated 4.5\n"
        "- Cosmos | Documentary | rated 3\n"
        "Candidate: Heat (1995) | Action, Crime"
    )
    assert row["instruction"].endswith("that is, rate it 3.5 or higher? Answer Yes or No.")
    assert {key: row[key] for key in ("output", "user_id", "item_id", "timestamp")} == {
        "output": "Yes", "user_id": 7, "item_id": 4, "timestamp": 20,
    }  # fmt: skip
    assert (row["history_likes"], row["history_length"]) == (2, 3)
    (record,) = read_records(tmp_path / "test.json", Labels())
    assert (record.user_id, record.item_id, record.output) == ("7", "4", "Yes")


def test_the_preparation_is_described_beside_the_files(tmp_path: Path) -> None:
    protocol = SplitProtocol(warmup=4, window="sliding")
    summary = prepare(make_data(one_user(30)), tmp_path, protocol, max_users=1, seed=3)
    description = json.loads((tmp_path / "preparation.json").read_text())
    assert description["dataset"] == "invented"
    assert SplitProtocol(**description["protocol"]) == protocol
    assert description["labels"] == {"positive": "Yes", "negative": "No"}
    assert (description["noun"], description["instruction"]) == ("movie", read(tmp_path)["train"][0]["instruction"])
    for name, digest in description["sha256"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    files = {*(f"{split}.json" for split in SPLITS), CATALOGUE_FILE}
    assert set(description["sha256"]) == files
    assert (description["max_users"], description["seed"]) == (1, 3)
    assert description["splits"] == {split: dataclasses.asdict(getattr(summary, split)) for split in SPLITS}
    assert {path.name for path in tmp_path.iterdir()} == {*files, "preparation.json"}


def test_max_users_keeps_whole_users_chosen_by_the_seed(tmp_path: Path) -> None:
    # Users 1 to 9 have too few ratings for any row and must not take up places.
    ratings = [row for user in range(1, 30) for row in one_user(5 if user < 10 else 25, user)]
    data = make_data(ratings)
    prepare(data, tmp_path / "all")
    everything = read(tmp_path / "all")
    chosen = []
    for seed in (0, 0, 1, 2):
        prepare(data, tmp_path / "some", max_users=6, seed=seed)
        some = read(tmp_path / "some")
        users = {row["user_id"] for row in some["train"]}
        assert len(users) == 6
        for split in SPLITS:
            assert some[split] == [row for row in everything[split] if row["user_id"] in users]
        chosen.append(users)
    assert chosen[0] == chosen[1]
    assert len({frozenset(users) for users in chosen}) > 1
    prepare(data, tmp_path / "some", max_users=1000)
    assert read(tmp_path / "some") == everything


def test_a_failure_leaves_the_files_of_the_last_preparation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(make_data(one_user(20)), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def run_out_of_space(path: Path, rows: Iterable[Mapping[str, Any]], nested: Any) -> int:
        if path.name == "test.json":
            raise OSError(28, "No space left on device")
        return write_records(path, rows, nested)

    monkeypatch.setattr(preparing, "write_records", run_out_of_space)
    with pytest.raises(LikelyError, match="No space left"):
        prepare(make_data(one_user(40)), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"warmup": 0}, "warmup is 0"),
        ({"history_length": 0}, "history_length is 0"),
        ({"window": "rolling"}, "window is 'rolling'"),
        ({"window": "1H"}, "window is '1H'"),
        ({"like_threshold": math.nan}, "like_threshold is nan"),
        ({"test_fraction": 0.0}, "test_fraction is 0.0"),
        ({"eval_fraction": 1.0}, "eval_fraction is 1.0"),
        ({"test_fraction": 0.6, "eval_fraction": 0.4}, "leave nothing to train on"),
    ],
)
def test_a_protocol_out_of_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(LikelyError, match=message):
        SplitProtocol(**values)


def test_data_without_rows_or_without_both_answers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LikelyError, match="No user of invented has more than 15 ratings"):
        prepare(make_data(one_user(15)), tmp_path / "out")
    with pytest.raises(LikelyError, match="like_threshold 5 none of the ratings"):
        prepare(make_data(one_user(30)), tmp_path / "out", SplitProtocol(like_threshold=5))
    with pytest.raises(LikelyError, match="like_threshold 2 all of the ratings"):
        prepare(make_data(one_user(30)), tmp_path / "out", SplitProtocol(like_threshold=2))
    for threshold in (5.5, 0.5):
        with pytest.raises(LikelyError, match=f"like_threshold is {threshold}, so that all ratings or none"):
            prepare(make_data(one_user(30)), tmp_path / "out", SplitProtocol(like_threshold=threshold))
    with pytest.raises(LikelyError, match="max_users is 0"):
        prepare(make_data(one_user(30)), tmp_path / "out", max_users=0)
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(LikelyError, match=r"Cannot write to .*choose another output folder"):
            prepare(make_data(one_user(30)), folder)
