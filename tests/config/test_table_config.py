"""The keys of a table of ratings are typed and checked like those of a run, from YAML and from options alike."""

from pathlib import Path
from typing import Any

import pytest

from likely.config.table_config import describe_table, load_table
from likely.errors import LikelyError

BOOKS = {
    "ratings": "ratings.csv",
    "noun": "book",
    "scale": "1-10",
    "details": "genre, by {author}",
    "like_threshold": "8",
}


def test_yaml_and_options_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "books.yaml").write_text(
        "ratings: ratings.csv\nnoun: book\nscale: [1, 10]\ntime: none\n"
        'details: [genre, "by {author}"]\nlike_threshold: 8\n'
    )
    described = load_table(tmp_path / "books.yaml", {})
    assert described == describe_table(BOOKS, "options")
    assert (described.scale, described.details) == ((1, 10), ("genre", "by {author}"))
    assert (described.time, described.threshold) == (None, 8)
    assert load_table(tmp_path / "books.yaml", {"noun": "novel"}).noun == "novel"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"detail": "x"}, r"unknown key 'detail'; did you mean details\?"),
        ({"short_hints": True}, r"unknown key 'short_hints'; .* an option of likely prepare: --short-hints\."),
        ({"scale": "10-1"}, "scale: 10 is not below 1"),
        ({"scale": "wide"}, r"scale: 'wide' is not allowed \(write the lowest and the highest rating, such as 1-10\)"),
        ({"like_threshold": "many"}, "like_threshold: 'many' is not a number"),
        ({"like_threshold": "11"}, "like_threshold 11 would make all ratings or none a like"),
        ({"like_threshold": "1"}, "like_threshold 1 would make"),
        ({"ids": "words"}, "ids: words is unknown; it can be any, numbers"),
        ({"noun": ""}, "noun: '' is not allowed"),
        ({"details_noun": "title"}, "details_noun cannot be title"),
        ({"details_noun": "rating"}, "details_noun cannot be rating"),
        ({"details": "genre,title"}, "details cannot hold the column title"),
        ({"details": "from {year}"}, "details cannot hold the column year"),
        ({"details": "name", "title": "name"}, "details cannot hold the column name"),
        ({"details": "stars", "rating": "stars", "items": None}, "details cannot hold the column stars"),
    ],
)
def test_what_is_wrong_names_its_key(values: dict[str, Any], message: str) -> None:
    with pytest.raises(LikelyError, match=message):
        describe_table({**BOOKS, **values}, "books.yaml")


def test_only_five_stars_need_no_threshold() -> None:
    assert describe_table({"ratings": "x", "scale": "1-5"}, "options").threshold == 4
    for scale in (None, "1-10"):
        with pytest.raises(LikelyError, match="Nothing says from which rating on a user likes a book"):
            _ = describe_table({"ratings": "x", "noun": "book", "scale": scale}, "options").threshold


PLAYS = {"ratings": "plays.csv", "noun": "game", "implicit": "True"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"eval_ratings": "valid.csv"}, "eval_ratings and test_ratings belong together"),
        ({"history_from": "train"}, "history_from train is about a given split"),
        ({"history_from": "test"}, "history_from: test is unknown; it can be all, train"),
        ({"negatives": "-1"}, "negatives: -1 has to be at least 0"),
        ({"scale": "1-5"}, "scale is for ratings"),
        ({"like_threshold": "5"}, "like_threshold needs a quantity"),
        ({}, "nothing would be a No; add negatives 1"),
        ({"rating": "hours"}, "nothing would be a No"),
        ({"implicit": "maybe"}, "implicit: 'maybe' is neither true nor false"),
        ({"label": "liked", "negatives": "1"}, "label takes the place of ratings"),
        ({"implicit": "false", "negatives": "1"}, "negatives are drawn for implicit data"),
    ],
)
def test_what_does_not_go_together_is_said(values: dict[str, Any], message: str) -> None:
    with pytest.raises(LikelyError, match=message):
        describe_table({**PLAYS, **values}, "plays.yaml")


@pytest.mark.parametrize(
    ("values", "threshold", "shows", "done"),
    [
        ({"rating": "hours", "like_threshold": "5", "verb": "played"}, 5, "quantity", "played"),
        ({"rating": "hours", "negatives": "1"}, 0, "quantity", "used"),
        ({"negatives": "2"}, 1, "nothing", "used"),
        ({"implicit": "false", "label": "click"}, 1, "label", "liked"),
    ],
)
def test_likes_follow_from_what_lines_show(values: dict[str, Any], threshold: float, shows: str, done: str) -> None:
    described = describe_table({**PLAYS, **values}, "plays.yaml")
    assert (described.threshold, described.shows, described.done) == (threshold, shows, done)


def test_scales_may_be_below_zero() -> None:
    assert describe_table({"ratings": "x", "scale": "-10-10"}, "options").scale == (-10, 10)
