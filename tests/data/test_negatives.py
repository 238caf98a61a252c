"""Negatives are items that the user had not taken by then; nothing later than their candidate decides about them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.negatives import add_negatives, count_missing, draw
from likely.data.preparation import prepare
from likely.data.protocol import SPLITS, SplitProtocol
from likely.data.ratings import RatingTable
from likely.data.timelines import build_timelines, make_rows
from likely.data.wording import Words

Touch = tuple[int, int, int]
WORDS = Words("game", shows="nothing", verb="played", lowest=0, highest=1)
# Few users, items and times, so that items run out and many touches tie.
touches = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(0, 9)),
    min_size=3,
    max_size=40,
    unique_by=lambda touch: touch[:2],
)
protocols = st.builds(
    SplitProtocol,
    warmup=st.integers(1, 2),
    history_length=st.integers(1, 3),
    like_threshold=st.just(1.0),
    negatives=st.integers(1, 3),
)


def table_of(rows: list[Touch], timed: bool = True) -> RatingTable:
    types = {"user_id": pl.Int32, "item_id": pl.Int32, "timestamp": pl.Int64}
    ratings = pl.DataFrame(rows, schema=types, orient="row").with_columns(rating=pl.lit(1.0))
    ids = list(range(1, 13))
    items = pl.DataFrame(
        {"item_id": ids, "title": [f"game {item}" for item in ids], "year": None, "details": [[]] * len(ids)},
        schema={"item_id": pl.Int32, "title": pl.String, "year": pl.Int32, "details": pl.List(pl.String)},
    )
    return RatingTable("invented", ratings, items, WORDS, timed=timed)


def drawn(data: RatingTable, protocol: SplitProtocol, seed: int = 0) -> pl.DataFrame:
    table = build_timelines(data.ratings, protocol)
    return add_negatives(table, table, data, protocol, seed)


@given(rows=touches, protocol=protocols, seed=st.integers(0, 5))
def test_negatives_are_what_the_user_had_not_taken_and_others_had(
    rows: list[Touch], protocol: SplitProtocol, seed: int
) -> None:
    table = drawn(table_of(rows), protocol, seed)
    ranks = {"warmup": 0, "train": 1, "eval": 2, "test": 3}
    missing = 0
    for row in table.iter_rows(named=True):
        if row["split"] == "warmup":
            assert row["negatives"] is None
            continue
        mine = [one for one in table.iter_rows(named=True) if one["user_id"] == row["user_id"]]
        excluded = {
            one["item_id"]
            for one in mine
            if one["timestamp"] <= row["timestamp"] or ranks[one["split"]] <= ranks[row["split"]]
        }
        on_offer = {item for _, item, time in rows if time <= row["timestamp"]}
        assert len(set(row["negatives"])) == len(row["negatives"])
        assert len(row["negatives"]) == min(protocol.negatives, len(on_offer - excluded))
        assert set(row["negatives"]) <= on_offer - excluded
        missing += protocol.negatives - len(row["negatives"])
    assert count_missing(table, protocol) == missing


@given(rows=touches, protocol=protocols, later=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 12)), max_size=8))
def test_what_others_take_later_changes_no_negative(
    rows: list[Touch], protocol: SplitProtocol, later: list[tuple[int, int]]
) -> None:
    before = drawn(table_of(rows), protocol)
    more = [(user + 10, item, 10 + place) for place, (user, item) in enumerate(dict.fromkeys(later))]
    after = drawn(table_of([*rows, *more]), protocol).filter(pl.col("user_id") < 10)
    assert before.equals(after)
    # Nor does the order of the file.
    assert drawn(table_of(rows[::-1]), protocol).equals(before)


@given(rows=touches, protocol=protocols)
def test_records_show_no_negative_and_ask_about_each_after_the_history_of_its_like(
    rows: list[Touch], protocol: SplitProtocol
) -> None:
    data = table_of(rows)
    table = drawn(data, protocol)
    times = {(user, item): time for user, item, time in rows}
    asked = 0
    for split in SPLITS:
        above: dict[str, Any] = {}
        for row in make_rows(table, data, split, protocol):
            asked += 1
            lines = [line for line in row["input"].split("\n") if line.startswith("- ")]
            assert len(lines) == row["history_length"]
            shown = [int(line.removeprefix("- game ")) for line in lines]
            assert all(times[row["user_id"], item] <= row["timestamp"] for item in shown)
            assert row["drawn"] is (row["output"] == "No")
            if row["output"] == "Yes":
                above = row
                assert times[row["user_id"], row["item_id"]] == row["timestamp"]
            else:
                assert row["item_id"] not in shown
                assert row["input"].rpartition("\n")[0] == above["input"].rpartition("\n")[0]
    likes = table.filter(pl.col("negatives").is_not_null())
    assert asked == len(likes) + likes["negatives"].list.len().sum()


def test_the_seed_decides() -> None:
    data = table_of([(user, item, 3 * item + user) for user in range(1, 5) for item in range(user, user + 8)])
    protocol = SplitProtocol(warmup=1, like_threshold=1, negatives=2)
    first, again, other = (drawn(data, protocol, seed)["negatives"].to_list() for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("timed", [True, False])
def test_only_with_times_has_an_item_to_be_taken_before(timed: bool) -> None:
    rows = [(1, item, item) for item in range(1, 4)] + [(2, item, 10 + item) for item in range(4, 9)]
    negatives = drawn(table_of(rows, timed), SplitProtocol(warmup=1, like_threshold=1, negatives=2))
    of_first = negatives.filter(pl.col("user_id") == 1)["negatives"].drop_nulls().to_list()
    assert [len(items) for items in of_first] == ([0, 0] if timed else [2, 2])


def test_popular_items_are_drawn_as_often_as_they_were_taken() -> None:
    touched = np.repeat(np.array([1, 2, 3, 4], np.int32), [60, 30, 10, 900])
    random = np.random.default_rng(0)
    counts = np.bincount([draw(touched, {4}, 1, random)[0] for _ in range(3000)], minlength=5)[1:]
    assert counts[3] == 0
    np.testing.assert_allclose(counts[:3] / 3000, [0.6, 0.3, 0.1], atol=0.03)


def test_what_is_drawn_for_training_is_seen_in_training(tmp_path: Path) -> None:
    data = table_of([(user, item, 3 * item + user) for user in range(1, 5) for item in range(user, user + 8)])
    protocol = SplitProtocol(warmup=1, history_length=2, like_threshold=1, negatives=2)
    made = prepare(data, tmp_path, protocol, max_users=1)
    rows = {split: json.loads((tmp_path / f"{split}.json").read_text()) for split in SPLITS}
    seen = {row["item_id"] for row in rows["train"]}
    warmup = build_timelines(data.ratings, protocol).filter(
        (pl.col("user_id") == rows["train"][0]["user_id"]) & (pl.col("split") == "warmup")
    )
    seen |= set(warmup["item_id"].to_list())
    assert made.train.cold == 0
    assert made.test.cold == sum(row["item_id"] not in seen for row in rows["test"])


def test_users_may_be_chosen_afterwards() -> None:
    data = table_of([(user, item, 3 * item + user) for user in range(1, 5) for item in range(user, user + 8)])
    protocol = dataclasses.replace(SplitProtocol(warmup=1, like_threshold=1), negatives=2)
    everybody = build_timelines(data.ratings, protocol)
    some = everybody.filter(pl.col("user_id") == 3)
    chosen = add_negatives(some, everybody, data, protocol, 0)
    assert chosen.equals(add_negatives(everybody, everybody, data, protocol, 0).filter(pl.col("user_id") == 3))
