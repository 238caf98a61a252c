"""What other users had said of a candidate before its own time.

Takes the timelines of `timelines`; `wording` puts the share of likes among these ratings into words for the prompt.
Ratings of warm-up and training rows alone count, and none that is not from strictly before.
"""

import math

import polars as pl

OTHERS_PRIOR = (2, 4)
"""Imaginary likes and ratings of every candidate, so that a single rating is not yet an opinion."""


def count_earlier_ratings(table: pl.DataFrame, like_threshold: float) -> pl.DataFrame:
    """Count what other users had said of each row's item before.

    Args:
        table: from :func:`likely.data.timelines.build_timelines`, in any order.
        like_threshold: the rating that makes a like.

    Returns:
        The table with the columns earlier_likes and earlier_ratings, i64: among warm-up and training
        rows of the same item with a smaller timestamp.
    """
    known = pl.col("split").is_in(["warmup", "train"])
    liked = known & (pl.col("rating") >= like_threshold)
    at_once = table.group_by("item_id", "timestamp").agg(
        earlier_likes=liked.sum().cast(pl.Int64), earlier_ratings=known.sum().cast(pl.Int64)
    )
    counts = pl.col("earlier_likes", "earlier_ratings")
    before = at_once.sort("item_id", "timestamp").with_columns(counts.cum_sum().over("item_id") - counts)
    return table.join(before, on=["item_id", "timestamp"], how="left", maintain_order="left")


def opinion_of_others(likes: int, ratings: int) -> float:
    """Return the share of likes among other users' earlier ratings, drawn towards a half; nan without any."""
    return (likes + OTHERS_PRIOR[0]) / (ratings + OTHERS_PRIOR[1]) if ratings else math.nan
