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
        ({"scale": "10-1"}, "scale: 10 is not below 1"),
        ({"scale": "wide"}, "scale: 'wide' is not allowed"),
        ({"like_threshold": "many"}, "like_threshold: 'many' is not a number"),
        ({"like_threshold": "11"}, "like_threshold 11 would make all ratings or none a like"),
        ({"like_threshold": "1"}, "like_threshold 1 would make"),
        ({"ids": "words"}, "ids: words is unknown; it can be any, numbers"),
        ({"noun": ""}, "noun: '' is not allowed"),
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


def test_scales_may_be_below_zero() -> None:
    assert describe_table({"ratings": "x", "scale": "-10-10"}, "options").scale == (-10, 10)
