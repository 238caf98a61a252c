"""The catalogue lists every movie with the counts that were known when training ended, as a file of candidates."""

import json
from collections import Counter
from pathlib import Path

import pytest

from likely.data.catalogue_file import CATALOGUE_FILE, catalogue_beside, read_catalogue
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.ratings import RatingTable
from likely.errors import LikelyError
from likely.inference.movies import read_candidates
from likely.sources.invented_ratings import make_sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> RatingTable:
    return read_movielens(make_sample(tmp_path_factory.mktemp("sample"), users=12, movies=40, ratings_per_user=25))


def test_counts_are_of_warm_up_and_training_rows_of_all_users(sample: RatingTable, tmp_path: Path) -> None:
    """What is held out is in nobody's count; `max_users` leaves out records and not counts."""
    prepare(sample, tmp_path, SplitProtocol(warmup=4, like_threshold=4), max_users=None)
    everybody = read_catalogue(tmp_path)
    assert everybody is not None
    rated, liked = Counter[int](), Counter[int]()
    held_out = {
        (row["user_id"], row["item_id"])
        for part in ("eval", "test")
        for row in json.loads((tmp_path / f"{part}.json").read_text())
    }
    for user, movie, rating in sample.ratings.select("user_id", "item_id", "rating").iter_rows():
        if (user, movie) not in held_out:
            rated[movie] += 1
            liked[movie] += rating >= 4
    assert {row["id"]: (row["earlier_likes"], row["earlier_ratings"]) for row in everybody} == {
        movie: (liked[movie], rated[movie]) for movie in sample.items["item_id"]
    }
    counts = [row["earlier_ratings"] for row in everybody]
    assert counts == sorted(counts, reverse=True)
    prepare(sample, tmp_path, SplitProtocol(warmup=4, like_threshold=4), max_users=2)
    assert read_catalogue(tmp_path) == everybody


def test_it_is_a_file_of_candidates(sample: RatingTable, tmp_path: Path) -> None:
    prepare(sample, tmp_path)
    candidates = read_candidates(tmp_path / CATALOGUE_FILE)
    named = {number: rest for number, *rest in sample.items.select("item_id", "title", "year", "details").iter_rows()}
    assert len(candidates) == len(named)
    for movie in candidates:
        assert [movie.title, movie.year, list(movie.genres)] == named[movie.extra["id"]]


def test_it_is_taken_only_as_it_was_prepared(sample: RatingTable, tmp_path: Path) -> None:
    prepare(sample, tmp_path)
    text = (tmp_path / CATALOGUE_FILE).read_text(encoding="utf-8")
    assert catalogue_beside(tmp_path / "train.json") == text
    (tmp_path / CATALOGUE_FILE).write_text(text.replace('"earlier_likes": 0', '"earlier_likes": 9'), encoding="utf-8")
    assert catalogue_beside(tmp_path / "train.json") is None


def test_a_folder_without_one_and_a_damaged_one(tmp_path: Path) -> None:
    assert read_catalogue(tmp_path) is None
    assert catalogue_beside(tmp_path / "train.json") is None
    (tmp_path / CATALOGUE_FILE).write_text("{}")
    with pytest.raises(LikelyError, match="holds no list of items"):
        read_catalogue(tmp_path)
