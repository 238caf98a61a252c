"""The synthetic sample looks like a MovieLens release, is the same every time, and can be learned from."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.timelines import build_timelines
from likely.errors import LikelyError
from likely.sources.invented_ratings import GENRES, make_sample


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_equal_arguments_write_equal_files_and_another_seed_others(tmp_path: Path) -> None:
    first = contents(make_sample(tmp_path / "first"))
    assert set(first) == {"ratings.csv", "movies.csv"}
    assert contents(make_sample(tmp_path / "again")) == first
    other = contents(make_sample(tmp_path / "other", seed=1))
    assert all(other[name] != first[name] for name in first)


def test_it_reads_as_a_release_of_the_size_asked_for(tmp_path: Path) -> None:
    data = read_movielens(make_sample(tmp_path / "sample", users=7, movies=30, ratings_per_user=20, seed=5))
    assert data.ratings["user_id"].value_counts().sort("user_id").rows() == [(user, 20) for user in range(1, 8)]
    assert data.items["item_id"].to_list() == list(range(1, 31))
    assert data.items["title"].n_unique() == 30
    assert data.items["year"].null_count() == 0
    assert all(genres and set(genres) <= set(GENRES) for genres in data.items["details"].to_list())
    assert any(title.startswith("The ") for title in data.items["title"])
    assert data.ratings.select("user_id", "timestamp").is_duplicated().any()


def test_the_defaults_fill_all_three_files_with_both_answers(tmp_path: Path) -> None:
    summary = prepare(read_movielens(make_sample(tmp_path / "sample")), tmp_path / "out")
    for split in (summary.train, summary.eval, summary.test):
        assert split.users == 60
        assert 0.25 < split.positives / split.rows < 0.75


def test_genre_taste_and_quality_predict_held_out_likes(tmp_path: Path) -> None:
    data = read_movielens(make_sample(tmp_path / "sample", users=300, seed=2))
    table = build_timelines(data.ratings, SplitProtocol(test_fraction=0.3))
    genres_of = dict(data.items.select("item_id", "details").iter_rows())
    likes_of: dict[object, list[bool]] = defaultdict(lambda: [True, False])
    truth, by_taste, by_quality = [], [], []
    for user, movie, rating, split in table.select("user_id", "item_id", "rating", "split").iter_rows():
        liked = rating >= 4
        if split == "test":
            truth.append(liked)
            by_taste.append(np.mean([np.mean(likes_of[user, genre]) for genre in genres_of[movie]]))
            by_quality.append(np.mean(likes_of[movie]))
        else:
            for key in (movie, *((user, genre) for genre in genres_of[movie])):
                likes_of[key].append(liked)
    assert roc_auc_score(truth, by_taste) > 0.65
    assert roc_auc_score(truth, by_quality) > 0.6
    assert roc_auc_score(truth, np.add(by_taste, by_quality)) > 0.7


@pytest.mark.parametrize("sizes", [{"users": 0}, {"movies": 10}, {"movies": 401}, {"ratings_per_user": 0}])
def test_sizes_that_cannot_be_are_refused(tmp_path: Path, sizes: dict[str, int]) -> None:
    with pytest.raises(LikelyError, match="cannot be made"):
        make_sample(tmp_path / "sample", **sizes)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LikelyError, match="Cannot write to"):
        make_sample(tmp_path / "file")
