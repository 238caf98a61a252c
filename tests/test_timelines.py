"""Records tell nothing of the future, and the splits are exactly the protocol's."""

import json
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likely.errors import LikelyError
from likely.movielens import MovieLens, read_movielens
from likely.sample_data import make_sample
from likely.timelines import Protocol, prepare, window_start

LINE = re.compile(r"^- Movie (\d+) .*\| rated ([\d.]+)$", re.MULTILINE)


def release(ratings):
    """A release of (user, movie, rating, timestamp) rows; movie n is called Movie n."""
    table = pl.DataFrame(
        ratings,
        schema={"user_id": pl.Int32, "movie_id": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64},
        orient="row",
    )
    ids = sorted({row[1] for row in ratings})
    movies = pl.DataFrame(
        {
            "movie_id": ids,
            "title": [f"Movie {n}" for n in ids],
            "year": [1990 + n % 30 for n in ids],
            "genres": [["Drama"]] * len(ids),
        },
        schema_overrides={"movie_id": pl.Int32, "year": pl.Int32},
    )
    return MovieLens("invented", table, movies)


@st.composite
def ratings(draw):
    rows = []
    for user in range(draw(st.integers(1, 4))):
        count = draw(st.integers(1, 40))
        for movie in draw(st.permutations(range(count))):
            # Few different times, so that ties are common.
            rows.append((user, movie, draw(st.integers(1, 10)) / 2, draw(st.integers(0, 12))))
    return rows


def read_split(folder, split):
    return json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))


@settings(max_examples=40, deadline=None)
@given(rows=ratings(), window=st.sampled_from(["anchored", "sliding"]), warmup=st.integers(1, 6), length=st.integers(1, 6))
def test_every_record_is_its_users_past_and_next_movie(tmp_path_factory, rows, window, warmup, length):
    """The slow way round: every record is looked up in the sorted ratings of its user."""
    folder = tmp_path_factory.mktemp("prepared")
    protocol = Protocol(warmup=warmup, history_length=length, window=window)
    try:
        prepare(release(rows), folder, protocol)
    except LikelyError as error:
        assert "enough ratings" in str(error)
        return
    for split in ("train", "eval", "test"):
        for record in read_split(folder, split):
            timeline = sorted((t, m, r) for u, m, r, t in rows if u == record["user_id"])
            index = next(i for i, (_, movie, _) in enumerate(timeline) if movie == record["item_id"])
            shown = [(int(movie), float(stars)) for movie, stars in LINE.findall(record["input"])]
            assert shown == [(movie, stars) for _, movie, stars in timeline[index - len(shown) : index]]
            assert all(time <= record["timestamp"] for time, _, _ in timeline[:index])
            assert record["item_id"] not in [movie for movie, _ in shown]
            assert record["output"] == ("Yes" if timeline[index][2] >= 4 else "No")
            assert record["history_likes"] == sum(stars >= 4 for _, stars in shown)
            assert index >= warmup
            assert record["history_length"] == len(shown)
            if window == "sliding":
                assert len(shown) == min(length, index)
            elif index >= length:
                assert length <= len(shown) < 2 * length


@settings(max_examples=40, deadline=None)
@given(rows=ratings())
def test_splits_follow_each_other_in_every_timeline(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("prepared")
    try:
        prepare(release(rows), folder, Protocol(warmup=5))
    except LikelyError:
        return
    counts = {split: {} for split in ("train", "eval", "test")}
    order = []
    for split in counts:
        for record in read_split(folder, split):
            counts[split][record["user_id"]] = counts[split].get(record["user_id"], 0) + 1
            order.append((record["user_id"], record["timestamp"], record["item_id"], split))
    for user in {row[0] for row in rows}:
        rest = sum(row[0] == user for row in rows) - 5
        if rest > 0:
            assert counts["test"].get(user) == max(1, rest // 10)
            assert counts["eval"].get(user, 0) == min(max(1, rest // 20), rest - counts["test"][user])
        splits = [split for *_, split in sorted(entry for entry in order if entry[0] == user)]
        assert splits == sorted(splits, key=["train", "eval", "test"].index)


def test_anchored_windows_start_at_fixed_points_and_grow():
    protocol = Protocol(history_length=15)
    assert [window_start(i, protocol) for i in (15, 29, 30, 44, 45)] == [0, 0, 15, 15, 30]


def test_latest_small_gives_the_rows_of_the_protocol(shared_dir, tmp_path):
    figures = prepare(read_movielens(shared_dir / "ml-latest-small"), tmp_path, Protocol())
    assert [figures[split].rows for split in ("train", "eval", "test")] == [78_271, 4_450, 8_965]
    for split in ("eval", "test"):
        for record in read_split(tmp_path, split)[:500]:
            assert record["input"].count("\n- ") == record["history_length"] >= 15


def test_the_history_of_the_sliding_window_alone_ranks_as_measured(shared_dir, tmp_path):
    """The figures of the fraction of the last 15 movies that were liked, measured independently."""
    from likely.baselines import history_fraction
    from likely.metrics import probability_metrics
    from likely.records import Labels, read_records

    prepare(read_movielens(shared_dir / "ml-latest-small"), tmp_path, Protocol(window="sliding"))
    records = read_records(tmp_path / "test.json", Labels())
    liked = np.array([record.output == "Yes" for record in records])
    figures = probability_metrics(liked, history_fraction(records))
    assert figures["auc"] == pytest.approx(0.7680, abs=5e-4)
    assert figures["accuracy"] == pytest.approx(0.6918, abs=5e-4)
    assert figures["f1"] == pytest.approx(0.6666, abs=5e-4)


@pytest.mark.parametrize(
    ("protocol", "complaint"),
    [
        (Protocol(warmup=0), "warmup 0"),
        (Protocol(history_length=0), "history_len 0"),
        (Protocol(window="rolling"), "anchored or sliding"),
        (Protocol(like_threshold=6), "like_threshold 6"),
        (Protocol(test_fraction=0.8, eval_fraction=0.3), "leave something to train on"),
        (Protocol(warmup=500), "enough ratings"),
    ],
)
def test_a_protocol_that_makes_no_sense_writes_nothing(tmp_path, protocol, complaint):
    data = read_movielens(make_sample(tmp_path / "sample", users=3))
    with pytest.raises(LikelyError, match=complaint):
        prepare(data, tmp_path / "out", protocol)
    assert not (tmp_path / "out").exists()


def test_a_subset_is_of_whole_users_and_seeded(tmp_path):
    data = read_movielens(make_sample(tmp_path / "sample", users=9))
    prepare(data, tmp_path / "out", Protocol(), max_users=4, seed=1)
    users = {record["user_id"] for record in read_split(tmp_path / "out", "train")}
    prepare(data, tmp_path / "again", Protocol(), max_users=4, seed=1)
    assert len(users) == 4
    assert (tmp_path / "out" / "train.json").read_bytes() == (tmp_path / "again" / "train.json").read_bytes()
