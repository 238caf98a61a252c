"""What a record says in numbers: how its user and its candidate were rated before, and what its history looks like.

Takes records as `data.timelines` writes them, reads ratings and years back out of their words (`data.wording`),
and gives `baselines` and `fusion` their columns.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import NDArray

from likely.data.liked_shares import OF_DETAILS
from likely.data.records import Labels, Record
from likely.data.wording import CANDIDATE_LINE, RATED_LINE, YEAR, Words, read_rated
from likely.errors import LikelyError
from likely.evaluation.metrics import CLIP
from likely.model.answers import BoolRows, FloatRows

FEATURES = (
    "item like-rate",
    "log count of the item's training rows",
    "fraction of the history liked",
    "mean rating of the history",
    "standard deviation of the history's ratings",
    "last rating of the history",
    "length of the history",
    "release year of the candidate",
)
"""Columns of :func:`feature_matrix`."""

SHARES = ("of_all", "above", "of_genres", "of_similar", "others")
"""Columns of :func:`share_matrix`: what the hint of a record puts into words (`liked_shares.Shares`)."""

SMOOTHING = 5.0
"""Imaginary training rows with the overall rate for every item and user.

Of 2, 5, 10 and 20 it gives both rates together the best AUC on the eval rows of MovieLens latest-small.
"""


@dataclass(frozen=True)
class LikeCounts:
    """How often each key, an item or a user, was rated and liked in the training rows.

    Attributes:
        ratings: training rows of a key.
        likes: those of them that are likes.
        overall: share of all training rows that are likes.
    """

    ratings: Counter[str]
    likes: Counter[str]
    overall: float


def count_likes(keys: Sequence[str], liked: BoolRows) -> LikeCounts:
    """Count training rows.

    Args:
        keys: item or user of each row, any number above 0.
        liked: bool [rows].
    """
    assert len(keys) == len(liked) > 0
    likes = Counter(key for key, like in zip(keys, liked.tolist(), strict=True) if like)
    return LikeCounts(Counter(keys), likes, float(liked.mean()))


def like_rates(
    counts: LikeCounts, keys: Sequence[str], own: BoolRows | None = None, smoothing: float = SMOOTHING
) -> FloatRows:
    """Return the share of likes of each key, drawn towards the overall one where there are few training rows.

    Args:
        counts: of the training rows.
        keys: item or user of each row.
        own: the truth of these rows, bool [rows], if they are the training rows that were counted: each is then
            left out of its own rate, which would otherwise tell its label.
        smoothing: imaginary training rows of every key with the overall rate, above 0.

    Returns:
        float64 [rows], strictly between 0 and 1 if the training rows have both labels.
    """
    assert smoothing > 0
    likes = np.array([counts.likes[key] for key in keys], dtype=float)
    if own is not None:
        likes -= own
    ratings = rating_counts(counts, keys, leave_one_out=own is not None)
    return (likes + smoothing * counts.overall) / (ratings + smoothing)


def rating_counts(counts: LikeCounts, keys: Sequence[str], leave_one_out: bool = False) -> FloatRows:
    """Return the number of training rows of each key, float64 [rows]; without the row itself if left out."""
    ratings = np.array([counts.ratings[key] for key in keys], dtype=float)
    return ratings - 1 if leave_one_out else ratings


def has_history_counts(records: Sequence[Record]) -> bool:
    """Say whether all records have `history_likes` and `history_length`, as prepared files have."""
    return all(_history_counts(record) is not None for record in records)


def history_fraction(rows: Sequence[Record]) -> FloatRows:
    """Return the share of each row's history that the user liked; no training at all.

    Returns:
        float64 [rows].

    Raises:
        LikelyError: records have no `history_likes` and `history_length`, as prepared files have.
    """
    fractions = np.empty(len(rows))
    for place, row in enumerate(rows):
        counted = _history_counts(row)
        if counted is None:
            raise LikelyError(
                f"Row {place + 1} has no history_likes and history_length, so the fraction of the history liked is "
                "unknown; prepare the data with likely prepare."
            )
        fractions[place] = counted[0] / max(counted[1], 1)
    return fractions


def feature_matrix(
    records: Sequence[Record], items: LikeCounts, own: BoolRows | None = None, words: Words | None = None
) -> NDArray[np.float64]:
    """Return the columns of `FEATURES`.

    Args:
        records: with `item_id`, `history_likes` and `history_length`.
        items: of the training rows.
        own: the truth of the records if they are those training rows, which are then left out of their own rates
            and counts.
        words: in which the records speak of ratings; None for a guess.

    Returns:
        float64 [rows, 8]; nan where the text shows no rating or no year.

    Raises:
        LikelyError: records lack what is needed.
    """
    keys = item_keys(records)
    texts = np.array([_text_features(record, words) for record in records]).reshape(len(records), 5)
    counts = rating_counts(items, keys, leave_one_out=own is not None)
    return np.column_stack([like_rates(items, keys, own), np.log1p(counts), history_fraction(records), texts])


def unread_columns(features: NDArray[np.float64]) -> list[str]:
    """Say which columns of :func:`feature_matrix` no record's words tell, in a line; nothing if there are none."""
    names = [name for name, column in zip(FEATURES, features.T, strict=True) if np.isnan(column).all()]
    told = (
        "The words of these records are not those of likely prepare: logistic regression and boosted trees do without"
    )
    return [f"{told} {', '.join(names)}."] if names else []


def has_shares(records: Sequence[Record]) -> bool:
    """Say whether all records have the shares of likes that their hints were made of."""
    return all(isinstance(record.extra.get("shares"), dict) for record in records)


def share_matrix(records: Sequence[Record]) -> NDArray[np.float64]:
    """Return the columns of `SHARES` of records that have them, float64 [rows, 5]; nan for a share that is unknown."""
    known = [record.extra["shares"] for record in records]
    known = [shares if "of_genres" in shares else {**shares, "of_genres": shares.get(OF_DETAILS)} for shares in known]
    return np.array([[shares.get(name) for name in SHARES] for shares in known], dtype=float)


def item_keys(records: Sequence[Record]) -> list[str]:
    """Return the candidate of each record.

    Raises:
        LikelyError: a record has no `item_id`.
    """
    keys = [record.item_id for record in records if record.item_id is not None]
    if len(keys) < len(records):
        raise LikelyError("Records without item_id have no like-rate by item; prepare the data with likely prepare.")
    return keys


def likes_of(records: Sequence[Record], labels: Labels) -> BoolRows:
    """Return the truth of each record, bool [rows]."""
    return np.array([record.output == labels.positive for record in records], dtype=bool)


def log_odds(probability: FloatRows) -> FloatRows:
    """Return the log-odds of probabilities, which are kept `CLIP` from 0 and 1."""
    return np.asarray(scipy.special.logit(probability.clip(CLIP, 1 - CLIP)))


def _history_counts(record: Record) -> tuple[int, int] | None:
    likes, length = record.extra.get("history_likes"), record.extra.get("history_length")
    return (likes, length) if isinstance(likes, int) and isinstance(length, int) else None


def _text_features(record: Record, words: Words | None) -> tuple[float, float, float, float, float]:
    """Return mean, standard deviation and last of the history's ratings, its length, and the candidate's year."""
    candidates = CANDIDATE_LINE.findall(record.input)
    year = YEAR.search(candidates[-1]) if candidates else None
    released = float(year[1]) if year else np.nan
    _, length = _history_counts(record) or (0, 0)
    ratings = _ratings_in(record.input, words)
    if not ratings:
        return np.nan, np.nan, np.nan, float(length), released
    mean = sum(ratings) / len(ratings)
    # Plain sums: numpy's own mean and std take longer than all the rest on fifteen numbers.
    deviation = (sum((rating - mean) ** 2 for rating in ratings) / len(ratings)) ** 0.5
    return mean, deviation, ratings[-1], float(length), released


def _ratings_in(text: str, words: Words | None) -> list[float]:
    """Return the ratings of a history, as far as its lines are in these words, or without any look like ratings."""
    if words is None:
        return [float(rating) for rating in RATED_LINE.findall(text)]
    ratings = []
    for line in text.split("\n"):
        if line.startswith("- "):
            try:
                ratings.append(read_rated(line, words)[1])
            except (KeyError, ValueError):  # a line in other words
                continue
    return [rating for rating in ratings if rating is not None]
