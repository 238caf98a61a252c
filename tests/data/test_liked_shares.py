"""A hint says what others had said before, in few words, and never what the candidate's own user will say.

The shares in it are plain sums over earlier ratings, and a user's own later ratings are never among them.
"""

import math
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data import liked_shares as tastes
from likely.data.liked_shares import (
    NORM_PRIOR,
    PRIOR_WEIGHT,
    TASTES,
    add_tastes,
    rating_deviations,
    share_of_genres,
)
from likely.data.movielens import read_movielens
from likely.data.opinions import count_earlier_ratings
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.data.timelines import build_timelines
from likely.sources.invented_ratings import make_sample


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


GENRES = dict(enumerate([["Drama"], ["Drama", "War"], [], ["Comedy"], ["War", "Crime"]]))
MOVIES = pl.DataFrame(
    {"item_id": list(GENRES), "details": list(GENRES.values())}, schema_overrides={"item_id": pl.Int32}
)
RATINGS = st.dictionaries(
    st.tuples(st.integers(1, 4), st.sampled_from(list(GENRES))),
    st.tuples(st.sampled_from([1.0, 2.5, 4.0, 5.0]), st.integers(0, 9)),
    min_size=1,
).map(lambda pairs: [(*pair, *rating) for pair, rating in pairs.items()])


def timelines_of(rows) -> pl.DataFrame:
    types = {"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
    return build_timelines(pl.DataFrame(rows, schema=types, orient="row"), SplitProtocol(warmup=1))


def tastes_of(table: pl.DataFrame, movies: pl.DataFrame = MOVIES) -> pl.DataFrame:
    return add_tastes(table, movies, 4.0, rating_deviations(table))


def one_at_a_time(table: pl.DataFrame) -> list[tuple[float, float, float]]:
    """The same by the definition, with nothing shared and nothing subtracted: other users' earlier rows only."""
    rows = table.to_dicts()

    def likeness(user: int, time: int, one: int, other: int) -> float:
        known = [row for row in rows if row["split"] in ("warmup", "train") and row["timestamp"] < time]
        means = {
            user: float(np.mean([row["rating"] for row in known if row["user_id"] == user]))
            for user in {row["user_id"] for row in known}
        }
        columns = []
        for movie in (one, other):
            rated = {row["user_id"]: row["rating"] for row in known if row["item_id"] == movie}
            columns.append({who: stars - means[who] for who, stars in rated.items() if who != user})
        product = sum(columns[0][who] * columns[1][who] for who in columns[0].keys() & columns[1].keys())
        norms = [math.sqrt(sum(value**2 for value in column.values()) + NORM_PRIOR) for column in columns]
        return max(product, 0) / (norms[0] * norms[1])

    def jaccard(one: int, other: int) -> float:
        return len({*GENRES[one]} & {*GENRES[other]}) / max(len({*GENRES[one], *GENRES[other]}), 1)

    found = []
    for row in rows:
        earlier = [one for one in rows if one["user_id"] == row["user_id"] and one["position"] < row["position"]]
        of_all = (sum(one["rating"] >= 4 for one in earlier) + 1) / (len(earlier) + 2)
        shares = [of_all]
        for alike in (jaccard, partial(likeness, row["user_id"], row["timestamp"])):
            weights = [alike(row["item_id"], one["item_id"]) for one in earlier]
            likes = sum(weight for weight, one in zip(weights, earlier, strict=True) if one["rating"] >= 4)
            share = (likes + PRIOR_WEIGHT * of_all) / (sum(weights) + PRIOR_WEIGHT)
            shares.append(share if sum(weights) > 1e-6 else math.nan)
        found.append(tuple(shares))
    return found


@given(RATINGS)
def test_shares_are_what_the_definition_gives(rows):
    table = timelines_of(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tastes, "GROWTH", 1.0)  # all that was there before, to the last rating
        shares = tastes_of(table).select(TASTES).to_numpy()
    np.testing.assert_allclose(shares, one_at_a_time(table), rtol=1e-4, atol=1e-5)


def test_long_timelines_in_blocks_give_the_same(tmp_path, monkeypatch):
    data = read_movielens(make_sample(tmp_path / "sample"))
    table = build_timelines(data.ratings, SplitProtocol())
    whole = tastes_of(table, data.items).select(TASTES).to_numpy()
    monkeypatch.setattr(tastes, "BLOCK", 7)
    np.testing.assert_allclose(tastes_of(table, data.items).select(TASTES).to_numpy(), whole, rtol=1e-5)
    assert np.isfinite(whole[:, 0]).all()


def test_some_users_have_the_shares_that_they_have_among_all(tmp_path):
    data = read_movielens(make_sample(tmp_path / "sample"))
    table = build_timelines(data.ratings, SplitProtocol())
    some = table.filter(pl.col("user_id").is_in(table["user_id"].unique().sort()[::3].implode()))
    chosen = add_tastes(some, data.items, 4.0, rating_deviations(table))
    joined = some.join(tastes_of(table, data.items), on=["user_id", "item_id"], maintain_order="left")
    np.testing.assert_array_equal(chosen.select(TASTES).to_numpy(), joined.select(TASTES).to_numpy())


def test_where_there_are_too_many_users_some_tell_what_is_alike(tmp_path):
    """As if the others had rated nothing; also for a user whose own ratings are not among those that tell."""
    data = read_movielens(make_sample(tmp_path / "sample"))
    table = build_timelines(data.ratings, SplitProtocol())
    few = rating_deviations(table, most_users=20, seed=3)
    assert len(few.users) == 20
    told = table.filter(pl.col("user_id").is_in(pl.Series(few.users).implode()))
    shares = add_tastes(table, data.items, 4.0, few)
    inside = shares.filter(pl.col("user_id").is_in(pl.Series(few.users).implode())).select(TASTES).to_numpy()
    np.testing.assert_allclose(inside, tastes_of(told, data.items).select(TASTES).to_numpy(), rtol=1e-4)
    outside = shares.filter(~pl.col("user_id").is_in(pl.Series(few.users).implode()))
    assert np.isfinite(outside["liked_of_similar"].to_numpy()).mean() > 0.5


@given(RATINGS, st.integers(0, 9), st.randoms())
def test_nothing_that_anybody_rates_later_changes_what_is_told_of_a_candidate(rows, time, random):
    """Ratings from some time on, whoever gave them, may be any others: all up to that time have the same hints."""
    stars = [1.0, 2.5, 4.0, 5.0]
    changed = [row if row[3] < time else (*row[:2], random.choice(stars), row[3]) for row in rows]
    told = []
    for one in (rows, changed):
        # The first of a time, whose user says nothing before it at the same time.
        table = count_earlier_ratings(tastes_of(timelines_of(one)), 4.0)
        first = pl.col("position") == pl.col("position").min().over("user_id", "timestamp")
        told.append(table.filter((pl.col("timestamp") <= time) & first).drop("rating"))
    assert told[0].equals(told[1], null_equal=True)


def test_the_real_rounds_tell_nothing_of_the_future_either_and_little_less_than_all_of_the_past(tmp_path):
    data = read_movielens(make_sample(tmp_path / "sample"))
    table = build_timelines(data.ratings, SplitProtocol())
    time = table["timestamp"].sort()[len(table) // 2]
    turned = pl.when(pl.col("timestamp") > time).then(5.5 - pl.col("rating")).otherwise("rating").cast(pl.Float32)
    until = pl.col("timestamp") <= time
    one, other = (tastes_of(part, data.items).filter(until) for part in (table, table.with_columns(rating=turned)))
    assert one.equals(other, null_equal=True)
    deviations = rating_deviations(table)
    known = table.filter(pl.col("split").is_in(["warmup", "train"]))["timestamp"].sort().to_numpy()
    rounds = np.searchsorted(deviations.rounds, table["timestamp"].to_numpy(), side="right") - 1
    there = np.searchsorted(known, table["timestamp"].to_numpy())
    assert (deviations.counts[rounds] <= there).all()
    assert (deviations.counts[rounds] >= there / 1.1 - 1).all()


@given(RATINGS, st.data())
def test_no_row_knows_its_own_or_a_later_rating_of_its_user(rows, data):
    """Whatever the user says from some place on, nothing changes up to that place."""
    table = timelines_of(rows)
    user = data.draw(st.sampled_from(table["user_id"].unique().to_list()))
    place = data.draw(st.integers(0, len(table.filter(pl.col("user_id") == user)) - 1))
    changed = pl.when((pl.col("user_id") == user) & (pl.col("position") >= place)).then(5.5 - pl.col("rating"))
    turned = table.with_columns(rating=changed.otherwise(pl.col("rating")).cast(pl.Float32))
    until = (pl.col("user_id") == user) & (pl.col("position") <= place)
    before, after = (tastes_of(one).filter(until).select(TASTES).to_numpy() for one in (table, turned))
    np.testing.assert_allclose(before, after, atol=2e-3)


@given(RATINGS)
def test_held_out_ratings_of_others_change_nothing(rows):
    table = timelines_of(rows)
    user = table["user_id"].max()
    held_out = pl.col("split").is_in(["eval", "test"]) & (pl.col("user_id") != user)
    turned = table.with_columns(
        rating=pl.when(held_out).then(5.5 - pl.col("rating")).otherwise(pl.col("rating")).cast(pl.Float32)
    )
    before, after = (
        tastes_of(one).filter(pl.col("user_id") == user).select(TASTES).to_numpy() for one in (table, turned)
    )
    np.testing.assert_array_equal(before, after)


def test_a_history_given_by_itself_has_the_same_share_of_genres():
    rows = [(1, movie, rating, movie) for movie, rating in enumerate([4.0, 1.0, 5.0, 2.0, 4.5])]
    table = tastes_of(timelines_of(rows))
    liked = (table["rating"] >= 4).to_numpy().astype(np.float32)
    for place in range(1, 5):
        genres = [GENRES[movie] for movie in range(place)]
        (share,) = share_of_genres(liked[:place], genres, [GENRES[place]])
        assert share == pytest.approx(table["liked_of_genres"][place], nan_ok=True)
