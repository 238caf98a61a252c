"""What a user's own ratings and other users' ratings say about a candidate, in words for the prompt.

A small model reads "Other users liked the candidate" long before it has learnt to count ratings.
`timelines` asks for the shares (`tastes`) and the counts and writes the sentences at the end of a
record's input; `ranking` writes them for new candidates. A hint tells nothing from the future: only
ratings of the warm-up and training rows, strictly before the candidate's time, are counted as those
of others; the candidate's own rating, or a later or evaluated one, never is.
"""

import math
from dataclasses import dataclass

import polars as pl

OPINIONS = (
    (0.20, "hated"),
    (0.32, "disliked"),
    (0.44, "slightly disliked"),
    (0.56, "had mixed feelings about"),
    (0.68, "slightly liked"),
    (0.80, "liked"),
    (1.01, "loved"),
)
"""Words for shares of likes: each holds below its bound and from the bound before on."""

PRIOR_LIKES, PRIOR_RATINGS = 2, 4
"""Imaginary ratings of every candidate, half of them likes, so that a single rating is not yet an opinion."""


@dataclass(frozen=True)
class Shares:
    """Shares of likes, from 0 to 1, that a hint puts into words; nan where there is nothing to go by.

    Attributes:
        of_all: among all earlier movies of the user.
        above: among the movies of the history that the prompt shows.
        of_genres: among earlier movies with genres of the candidate.
        of_similar: among earlier movies that the same people like as the candidate.
        others: of the candidate's earlier ratings by other users.
    """

    of_all: float
    above: float
    of_genres: float
    of_similar: float
    others: float

    def known(self) -> dict[str, float]:
        """Return the shares that there are, by name, rounded to four places as files hold them."""
        return {name: round(share, 4) for name, share in vars(self).items() if not math.isnan(share)}


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


def opinion_of_others(likes: int, ratings: int) -> float:
    """Return the share of likes among other users' earlier ratings, drawn towards a half; nan without any."""
    return (likes + PRIOR_LIKES) / (ratings + PRIOR_RATINGS) if ratings else math.nan


def hint(shares: Shares) -> str:
    """Return the sentences of a record.

    >>> hint(Shares(of_all=0.6, above=0.9, of_genres=0.5, of_similar=0.1, others=0.3))  # doctest: +NORMALIZE_WHITESPACE
    'This user slightly liked earlier movies, loved those above, had mixed feelings about these genres,
     hated similar movies. Other users disliked the candidate.'
    >>> hint(Shares(of_all=0.6, above=0.9, of_genres=math.nan, of_similar=math.nan, others=math.nan))
    'This user slightly liked earlier movies, loved those above. No other user has rated the candidate before.'
    """
    objects = {
        "earlier movies": shares.of_all,
        "those above": shares.above,
        "these genres": shares.of_genres,
        "similar movies": shares.of_similar,
    }
    user = ", ".join(f"{opinion(share)} {name}" for name, share in objects.items() if not math.isnan(share))
    if math.isnan(shares.others):
        return f"This user {user}. No other user has rated the candidate before."
    return f"This user {user}. Other users {opinion(shares.others)} the candidate."


def opinion(share_liked: float) -> str:
    """Return a share of likes between 0 and 1 as a verb."""
    return next(word for bound, word in OPINIONS if share_liked < bound)
