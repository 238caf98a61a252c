"""What there is to rate: every movie of a preparation with its counts, most rated first, in a file of candidates.

`preparation` writes it beside the records and `training` keeps it in the run, where `serving` searches it. It has the
form of `likely rank --candidates`. Counts are of warm-up and training ratings only, so that they give away nothing of
the ratings that are held out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from likely.errors import LikelyError
from likely.files import read_json, read_text

CATALOGUE_FILE = "catalogue.json"
_REMEDY = "copy it again from beside the run's training file, or remove it."


def catalogue_rows(table: pl.DataFrame, movies: pl.DataFrame, like_threshold: float) -> Iterator[dict[str, Any]]:
    """Yield an object for each movie: id, title, year, genres, earlier_likes and earlier_ratings; most rated first.

    Args:
        table: ratings with their split, from :func:`likely.data.timelines.build_timelines`, of all users.
        movies: as in :class:`likely.data.movielens.MovieLens`.
        like_threshold: stars that make a like.
    """
    known = table.filter(pl.col("split").is_in(["warmup", "train"]))
    counts = known.group_by("movie_id").agg(
        (pl.col("rating") >= like_threshold).sum().alias("earlier_likes"), pl.len().alias("earlier_ratings")
    )
    named = movies.select("movie_id", "title", "year", "genres").join(
        counts, on="movie_id", how="left", maintain_order="left"
    )
    ordered = named.with_columns(pl.col("earlier_likes", "earlier_ratings").fill_null(0)).sort(
        "earlier_ratings", descending=True, maintain_order=True
    )
    yield from ordered.rename({"movie_id": "id"}).iter_rows(named=True)


def catalogue_beside(training_file: Path) -> str | None:
    """Return the text of the catalogue that was prepared with a training file; None where there is none.

    Raises:
        LikelyError: it cannot be read.
    """
    path = training_file.parent / CATALOGUE_FILE
    return read_text(path, _REMEDY) if path.is_file() else None


def read_catalogue(folder: Path) -> list[Any] | None:
    """Return the rows of a run's catalogue; None where it has none, as runs of earlier versions.

    Raises:
        LikelyError: it is damaged.
    """
    path = folder / CATALOGUE_FILE
    if not path.is_file():
        return None
    rows = read_json(path, _REMEDY)
    if not isinstance(rows, list) or not rows:
        raise LikelyError(f"{path} holds no list of movies; {_REMEDY}")
    return rows
