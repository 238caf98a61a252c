"""A hint says what others had said before, in few words, and never what the candidate's own user will say."""

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.liked_shares import count_earlier_ratings, opinion_of_others
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.data.timelines import build_timelines
from likely.data.wording import opinion
from likely.sources.invented_ratings import make_sample

SPLITS = ("warmup", "train", "eval", "test")
TABLES = st.dictionaries(
    st.tuples(st.integers(1, 6), st.integers(1, 3)),
    st.tuples(st.sampled_from([1.0, 4.0, 5.0]), st.integers(0, 4), st.sampled_from(SPLITS)),
    min_size=1,
    max_size=20,
).map(lambda table: [(*pair, *values) for pair, values in table.items()])


@given(TABLES)
def test_only_earlier_ratings_of_the_warm_up_and_of_training_count(rows):
    """The slow way round: every row against every other."""
    names = ["user_id", "item_id", "rating", "timestamp", "split"]
    counted = count_earlier_ratings(pl.DataFrame(rows, schema=names, orient="row"), like_threshold=4.0)
    assert counted.select(names).rows() == rows
    for (_, movie, _, time, _), *counts in zip(rows, counted["earlier_likes"], counted["earlier_ratings"], strict=True):
        before = [row for row in rows if row[1] == movie and row[3] < time and row[4] in ("warmup", "train")]
        assert counts == [sum(row[2] >= 4 for row in before), len(before)]


def test_a_candidates_own_rating_changes_no_hint(tmp_path: Path):
    """Turning every eval and test rating upside down changes their answers and nothing that is shown for them."""
    data = read_movielens(make_sample(tmp_path / "sample"))
    protocol = SplitProtocol(hints=True)
    held_out = build_timelines(data.ratings, protocol).filter(pl.col("split").is_in(["eval", "test"]))
    flipped = data.ratings.join(
        held_out.select("user_id", "item_id", held_out=pl.lit(True)), on=["user_id", "item_id"], how="left"
    ).with_columns(rating=pl.when("held_out").then(5.5 - pl.col("rating")).otherwise("rating").cast(pl.Float32))
    shown: dict[str, list[str]] = {}
    for name, ratings in (("as they are", data.ratings), ("flipped", flipped.drop("held_out"))):
        prepare(type(data)(name, ratings, data.items), tmp_path / name, protocol)
        shown[name] = [record.input.split("\n")[-1] for record in read_records(tmp_path / name / "eval.json", Labels())]
    # What the user liked before may have been held out itself, as in a history; what others say is not.
    others = {name: [line.rpartition(". ")[2] for line in lines] for name, lines in shown.items()}
    assert others["as they are"] == others["flipped"]
    assert len(set(others["as they are"])) > 3


def test_records_have_hints_only_where_asked_and_begin_alike_all_the_same(tmp_path: Path):
    data = read_movielens(make_sample(tmp_path / "sample"))
    inputs = {}
    for hints in (False, True):
        prepare(data, tmp_path / str(hints), SplitProtocol(hints=hints))
        inputs[hints] = [record.input for record in read_records(tmp_path / str(hints) / "train.json", Labels())]
    for plain, hinted in zip(inputs[False], inputs[True], strict=True):
        assert hinted.startswith(f"{plain}\nThis user ")
        assert hinted.endswith(("the candidate.", "the candidate before."))


def test_few_ratings_are_not_yet_an_opinion():
    assert math.isnan(opinion_of_others(0, 0))
    assert opinion(opinion_of_others(1, 1)) == "slightly liked"
    assert opinion(opinion_of_others(30, 30)) == "loved"


@pytest.mark.parametrize("threshold", [2.5, 4.0])
def test_likes_follow_the_threshold(threshold):
    rows = [(1, 1, 3.0, 0, "train"), (2, 1, 5.0, 1, "train"), (3, 1, 1.0, 2, "test")]
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "timestamp", "split"], orient="row")
    assert count_earlier_ratings(table, threshold)["earlier_likes"].to_list() == [
        0,
        int(threshold < 3),
        1 + (threshold < 3),
    ]
