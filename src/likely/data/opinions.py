"""What other users had said of a candidate before its own time.

Takes the timelines of `timelines`; `wording` puts the share of likes among these ratings into words for the prompt.
Ratings of warm-up and training rows alone count, and none that is not from strictly before.
"""

import math

import polars as pl

from likely.data.protocol import NOT_HELD_OUT

COUNTS = ("earlier_likes", "earlier_ratings")
"""Columns that :func:`count_earlier_ratings` adds to a table."""

OTHERS_PRIOR = (2, 4)
"""Imaginary likes and ratings of every candidate, so that a single rating is not yet an opinion."""


def count_earlier_ratings(table: pl.DataFrame, like_threshold: float, pairs_repeat: bool = False) -> pl.DataFrame:
    """Count what other users had said of each row's item before.

    Args:
        table: from :func:`likely.data.timelines.build_timelines`, in any order.
        like_threshold: the rating that makes a like.
        pairs_repeat: whether a user may have rated an item before, as in a given split; these do not count.

    Returns:
        The table with the columns earlier_likes and earlier_ratings, i64: among warm-up and training
        rows of the same item with a smaller timestamp.
    """
    counted = _count_before(table, ["item_id"], like_threshold)
    if not pairs_repeat:
        return counted
    own = _count_before(table, ["user_id", "item_id"], like_threshold)
    return counted.with_columns(counted[name] - own[name] for name in COUNTS)


def _count_before(table: pl.DataFrame, same: list[str], like_threshold: float) -> pl.DataFrame:
    """Count likes and ratings before each row, among the known ones that agree with it in some columns."""
    known = pl.col("split").is_in(NOT_HELD_OUT)
    counted = ((pl.col("rating") >= like_threshold) & known, known)
    sums = [one.sum().cast(pl.Int64).alias(name) for name, one in zip(COUNTS, counted, strict=True)]
    before = table.group_by(*same, "timestamp").agg(sums).sort(*same, "timestamp")
    before = before.with_columns(pl.col(name).cum_sum().over(same) - pl.col(name) for name in COUNTS)
    return table.join(before, on=[*same, "timestamp"], how="left", maintain_order="left")


def opinion_of_others(likes: int, ratings: int) -> float:
    """Return the share of likes among other users' earlier ratings, drawn towards a half; nan without any."""
    return (likes + OTHERS_PRIOR[0]) / (ratings + OTHERS_PRIOR[1]) if ratings else math.nan
