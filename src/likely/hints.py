"""What a user's own history and other users' ratings say about a candidate, in words for the prompt.

A small model reads "Other users liked the candidate" long before it has learnt to count ratings.
`timelines` asks for the counts and writes the sentence at the end of a record's input. A hint tells
nothing from the future: only ratings of the warm-up and training rows, strictly before the
candidate's time, are counted; the candidate's own rating, or a later or evaluated one, never is.
"""

import polars as pl

OPINIONS = ((0.25, "hated"), (0.42, "disliked"), (0.55, "had mixed feelings about"), (0.7, "liked"), (1.1, "loved"))
"""Words for shares of likes: each holds below its bound and from the bound before on."""

PRIOR_LIKES, PRIOR_RATINGS = 2, 4
"""Imaginary ratings of every candidate, half of them likes, so that a single rating is not yet an opinion."""


def count_earlier_ratings(table: pl.DataFrame, like_threshold: float) -> pl.DataFrame:
    """Count what other users had said of each row's movie before.

    Args:
        table: from :func:`likely.timelines.build_timelines`, in any order.
        like_threshold: stars that make a like.

    Returns:
        The table with the columns earlier_likes and earlier_ratings, i64: among warm-up and training
        rows of the same movie with a smaller timestamp.
    """
    known = pl.col("split").is_in(["warmup", "train"])
    liked = known & (pl.col("rating") >= like_threshold)
    at_once = table.group_by("movie_id", "timestamp").agg(
        earlier_likes=liked.sum().cast(pl.Int64), earlier_ratings=known.sum().cast(pl.Int64)
    )
    counts = pl.col("earlier_likes", "earlier_ratings")
    before = at_once.sort("movie_id", "timestamp").with_columns(counts.cum_sum().over("movie_id") - counts)
    return table.join(before, on=["movie_id", "timestamp"], how="left", maintain_order="left")


def hint(history_likes: int, history_length: int, likes: int, ratings: int) -> str:
    """Return the sentences of a record.

    >>> hint(9, 10, 5, 30)
    'This user loved the movies above. Other users hated the candidate.'
    >>> hint(9, 10, 0, 0)
    'This user loved the movies above. No other user has rated the candidate before.'
    """
    user = f"This user {opinion(history_likes / history_length)} the movies above."
    if not ratings:
        return f"{user} No other user has rated the candidate before."
    return f"{user} Other users {opinion((likes + PRIOR_LIKES) / (ratings + PRIOR_RATINGS))} the candidate."


def opinion(share_liked: float) -> str:
    """Return a share of likes between 0 and 1 as a verb."""
    return next(word for bound, word in OPINIONS if share_liked < bound)
