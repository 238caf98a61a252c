"""What others had said of a candidate is counted before its own time, and few ratings are not yet an opinion."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.opinions import count_earlier_ratings, opinion_of_others
from likely.data.wording import opinion

SPLITS = ("warmup", "train", "eval", "test")
NAMES = ["user_id", "item_id", "rating", "timestamp", "split"]
VALUES = st.tuples(st.sampled_from([1.0, 4.0, 5.0]), st.integers(0, 4), st.sampled_from(SPLITS))
TABLES = st.dictionaries(
    st.tuples(st.integers(1, 6), st.integers(1, 3)),
    VALUES,
    min_size=1,
    max_size=20,
).map(lambda table: [(*pair, *values) for pair, values in table.items()])


@given(TABLES)
def test_only_earlier_ratings_of_the_warm_up_and_of_training_count(rows):
    counted = count_earlier_ratings(pl.DataFrame(rows, schema=NAMES, orient="row"), like_threshold=4.0)
    assert_counts(counted, rows)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), VALUES).map(lambda row: (*row[:2], *row[2])), min_size=1)
)
def test_ones_own_earlier_ratings_of_an_item_are_no_opinion_of_others(rows):
    counted = count_earlier_ratings(pl.DataFrame(rows, schema=NAMES, orient="row"), 4.0, pairs_repeat=True)
    assert_counts(counted, rows)


def assert_counts(counted, rows):
    """Every row is there, with what the slow way round finds."""
    assert counted.select(NAMES).rows() == rows
    counts = zip(rows, counted["earlier_likes"], counted["earlier_ratings"], strict=True)
    for (user, movie, _, time, _), *found in counts:
        of_others = [row for row in rows if row[1] == movie and row[0] != user]
        before = [row for row in of_others if row[3] < time and row[4] in ("warmup", "train")]
        assert found == [sum(row[2] >= 4 for row in before), len(before)]


def test_few_ratings_are_not_yet_an_opinion():
    assert math.isnan(opinion_of_others(0, 0))
    assert opinion(opinion_of_others(1, 1)) == "slightly liked"
    assert opinion(opinion_of_others(30, 30)) == "loved"


@pytest.mark.parametrize("threshold", [2.5, 4.0])
def test_likes_follow_the_threshold(threshold):
    rows = [(1, 1, 3.0, 0, "train"), (2, 1, 5.0, 1, "train"), (3, 1, 1.0, 2, "test")]
    table = pl.DataFrame(rows, schema=NAMES, orient="row")
    assert count_earlier_ratings(table, threshold)["earlier_likes"].to_list() == [
        0,
        int(threshold < 3),
        1 + (threshold < 3),
    ]
