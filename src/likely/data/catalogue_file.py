"""What there is to rate: every item of a preparation with its counts, most rated first, in a file of candidates.

`preparation` writes it beside the records and `training` keeps it in the run, where `serving` searches it. It has the
form of `likely rank --candidates`. Counts are of warm-up and training ratings only, so that they give away nothing of
the ratings that are held out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from likely.data.protocol import NOT_HELD_OUT
from likely.data.ratings import RatingTable
from likely.data.task import prepared_files
from likely.errors import LikelyError
from likely.files import read_json, read_text

CATALOGUE_FILE = "catalogue.json"
_REMEDY = "copy it again from beside the run's training file, or remove it."


def catalogue_rows(table: pl.DataFrame, data: RatingTable, like_threshold: float) -> Iterator[dict[str, Any]]:
    """Yield an object for each item: id, title, year, details, earlier_likes and earlier_ratings; most rated first.

    The key of the details is what the data call them, such as genres.

    Args:
        table: ratings with their split, from :func:`likely.data.timelines.build_timelines`, of all users.
        data: the items, how their ids are spelled, and their words.
        like_threshold: the rating from which on it is a like.
    """
    known = table.filter(pl.col("split").is_in(NOT_HELD_OUT))
    counts = known.group_by("item_id").agg(
        (pl.col("rating") >= like_threshold).sum().alias("earlier_likes"), pl.len().alias("earlier_ratings")
    )
    named = data.items.select("item_id", "title", "year", "details").join(
        counts, on="item_id", how="left", maintain_order="left"
    )
    ordered = named.with_columns(pl.col("earlier_likes", "earlier_ratings").fill_null(0)).sort(
        "earlier_ratings", descending=True, maintain_order=True
    )
    if data.item_names is not None:
        ordered = ordered.with_columns(data.item_names.gather(ordered["item_id"]).alias("item_id"))
    yield from ordered.rename({"item_id": "id", "details": data.words.details}).iter_rows(named=True)


def catalogue_beside(training_file: Path) -> str | None:
    """Return the text of the catalogue that was prepared with a training file; None where there is none.

    One that preparation.json does not describe as it is was changed, or is of another preparation: its counts may be
    of ratings that are held out here.

    Raises:
        LikelyError: it cannot be read.
    """
    path = training_file.parent / CATALOGUE_FILE
    return read_text(path, _REMEDY) if CATALOGUE_FILE in prepared_files(training_file.parent) else None


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
        raise LikelyError(f"{path} holds no list of items; {_REMEDY}")
    return rows
