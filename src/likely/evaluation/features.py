"""What a record says in numbers: how its user and its candidate were rated before, and what its history looks like.

Takes records as `data.timelines` writes them, reads ratings and years back out of their words (`data.wording`),
and gives `baselines` and `fusion` their columns.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.special

from likely.data.question import history_lines, read_candidate
from likely.data.records import Labels, Record
from likely.data.shares import OF_DETAILS
from likely.data.wording import YEAR, Words, read_line
from likely.errors import LikelyError
from likely.evaluation.like_counts import Known, LikeCounts, known_of, like_rates
from likely.evaluation.metrics import CLIP
from likely.model.answers import BoolRows, FloatRows, Matrix

FEATURES = (
    "item like-rate",
    "log count of the item's rows",
    "fraction of the history liked",
    "mean rating of the history",
    "standard deviation of the history's ratings",
    "last rating of the history",
    "length of the history",
    "release year of the candidate",
    "user like-rate",
    "log count of the user's rows",
)
"""Columns of :func:`feature_matrix`."""

IN_WORDS = slice(3, 8)
"""Those of them that the text of a record tells."""

SHARES = ("of_all", "above", "of_genres", "of_similar", "others")
"""Columns of :func:`share_matrix`: what the hint of a record puts into words (`liked_shares.Shares`)."""


def has_history_counts(records: Sequence[Record]) -> bool:
    """Say whether all records have `history_likes` and `history_length`, as prepared files have."""
    return all(_history_counts(record) is not None for record in records)


def history_fraction(rows: Sequence[Record]) -> FloatRows:
    """Return the share of each row's history that the user liked; no training at all.

    Returns:
        float64 [rows], a half where a history is empty.

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
        likes, length = counted
        fractions[place] = likes / length if length else 0.5
    return fractions


def feature_matrix(
    records: Sequence[Record],
    items: LikeCounts,
    own: BoolRows | None = None,
    users: LikeCounts | None = None,
    words: Words | None = None,
) -> Matrix:
    """Return the columns of `FEATURES`.

    Args:
        records: with `item_id`, `history_likes` and `history_length`.
        items: of the rows that are counted.
        own: the truth of the records if they are those rows, which are then left out of their own rates and counts.
            Where the counts are by time, only earlier rows count anyway.
        users: likewise; None where users or times are unknown. Without times, a training row's own label would show
            in what is left of its user.
        words: in which the records speak of ratings; None for a guess.

    Returns:
        float64 [rows, 10]; nan where the text shows no rating or no year, and in the columns of unknown users.

    Raises:
        LikelyError: records lack what is needed.
    """
    times = times_of(records)
    of_items = known_of(items, item_keys(records), times, own)
    of_users = known_of(users, user_keys(records), times) if users else None
    return feature_columns(records, of_items, of_users, words)


def feature_columns(records: Sequence[Record], of_items: Known, of_users: Known | None, words: Words | None) -> Matrix:
    """Return the columns of `FEATURES` for what is known of the records' items and users, None where nothing is."""
    texts = np.array([*_text_features(records, words)]).reshape(len(records), 5)
    items = _rate_and_count(of_items)
    users = _rate_and_count(of_users) if of_users else np.full_like(items, np.nan)
    return np.column_stack([items, history_fraction(records), texts, users])


def _rate_and_count(known: Known) -> Matrix:
    return np.column_stack([like_rates(known), np.log1p(known.ratings)])


def unread_columns(features: Matrix) -> list[str]:
    """Say which columns of :func:`feature_matrix` no record's words tell, in a line; nothing if there are none."""
    names = [
        name for name, column in zip(FEATURES[IN_WORDS], features[:, IN_WORDS].T, strict=True) if np.isnan(column).all()
    ]
    told = (
        "The words of these records are not those of likely prepare: logistic regression and boosted trees do without"
    )
    return [f"{told} {', '.join(names)}."] if names else []


def has_shares(records: Sequence[Record]) -> bool:
    """Say whether all records have the shares of likes that their hints were made of."""
    return all(isinstance(record.extra.get("shares"), dict) for record in records)


def share_matrix(records: Sequence[Record]) -> Matrix:
    """Return the columns of `SHARES` of records that have them, float64 [rows, 5]; nan for a share that is unknown.

    Raises:
        LikelyError: one is no number from 0 to 1; names file and row.
    """
    return np.array([_shares_of(record) for record in records], dtype=float).reshape(len(records), len(SHARES))


def _shares_of(record: Record) -> list[float | None]:
    shares = record.extra["shares"]
    known = [shares.get(name) for name in SHARES]
    if "of_genres" not in shares:
        known[SHARES.index("of_genres")] = shares.get(OF_DETAILS)
    for share in known:
        if share is not None and (not isinstance(share, int | float) or share < 0 or share > 1):
            raise LikelyError(
                f"{record.place or 'A record'}, key 'shares': {str(share)[:40]!r} is no share of likes; write a number "
                "from 0 to 1, or null."
            )
    return known


def item_keys(records: Sequence[Record]) -> list[str]:
    """Return the candidate of each record.

    Raises:
        LikelyError: a record has no `item_id`.
    """
    keys = [record.item_id for record in records if record.item_id is not None]
    if len(keys) < len(records):
        raise LikelyError("Records without item_id have no like-rate by item; prepare the data with likely prepare.")
    return keys


def times_of(records: Sequence[Record]) -> FloatRows | None:
    """Return the `timestamp` of each record in seconds, float64 [rows]; None where not all have a finite one."""
    times = [record.extra.get("timestamp") for record in records]
    known = [float(time) for time in times if isinstance(time, int | float) and abs(time) < 2**63]
    return np.array(known) if len(known) == len(times) else None


def user_keys(records: Sequence[Record]) -> list[str]:
    """Return the user of each record."""
    return [str(record.user_id) for record in records]


def not_among(records: Sequence[Record], others: Sequence[Record]) -> list[Record]:
    """Return the records that are not among others, by user, item and time.

    Not by what they say: the same rating may be asked about in other words. Only where user or item is unknown, or the
    item was drawn, words tell records apart: what was drawn for likes of one time is no rating, and may be drawn again.
    A user may rate an item twice; without all times, that counts as the same.
    """
    timed = times_of([*records, *others]) is not None

    def identity(record: Record) -> tuple[Any, ...]:
        named = record.user_id is not None and record.item_id is not None and not record.is_drawn
        words = () if named else (record.instruction, record.input, record.history)
        return record.user_id, record.item_id, record.extra["timestamp"] if timed else None, words

    known = {identity(record) for record in others}
    return [record for record in records if identity(record) not in known]


def counted_once(
    train: Sequence[Record], held_out: Sequence[Record], rows: Sequence[Record]
) -> tuple[list[Record], list[Record]]:
    """Return training records without the rows, and eval records without training records, where all have times.

    All are counted then, and a rating that stands in two files counts once. Without times training records alone are.
    """
    if times_of([*train, *held_out, *rows]) is None:
        return list(train), list(held_out)
    return not_among(train, rows), not_among(held_out, train)


def likes_of(records: Sequence[Record], labels: Labels) -> BoolRows:
    """Return the truth of each record, bool [rows]."""
    return np.array([record.output == labels.positive for record in records], dtype=bool)


def log_odds(probability: FloatRows) -> FloatRows:
    """Return the log-odds of probabilities, which are kept `CLIP` from 0 and 1."""
    return np.asarray(scipy.special.logit(probability.clip(CLIP, 1 - CLIP)))


def _history_counts(record: Record) -> tuple[int, int] | None:
    likes, length = record.extra.get("history_likes"), record.extra.get("history_length")
    if not isinstance(likes, int) or not isinstance(length, int):
        return None
    if not 0 <= likes <= length:
        raise LikelyError(
            f"{record.place or 'A record'} has history_likes {likes} and history_length {length}; write how many of so "
            "many ratings are likes, or leave both out."
        )
    return likes, length


def _text_features(records: Sequence[Record], words: Words | None) -> Iterator[tuple[float, ...]]:
    """Yield mean, standard deviation and last of each history's ratings, its length, and the candidate's year."""
    lines, told = list[str](), _summary([])
    for record in records:
        shown = history_lines(record.input)
        # Records of one history follow each other.
        if shown != lines:
            read = [read_line(line, words) for line in shown]
            lines, told = shown, _summary([one[1] for one in read if one is not None and one[1] is not None])
        year = YEAR.search(read_candidate(record.input))
        _, length = _history_counts(record) or (0, 0)
        yield *told, float(length), float(year[1]) if year else np.nan


def _summary(ratings: Sequence[float]) -> tuple[float, float, float]:
    """Return mean, standard deviation and last of ratings; nan without any."""
    if not ratings:
        return np.nan, np.nan, np.nan
    mean = sum(ratings) / len(ratings)
    # Plain sums: numpy's own mean and std take longer than all the rest on fifteen numbers.
    deviation = (sum((rating - mean) ** 2 for rating in ratings) / len(ratings)) ** 0.5
    return mean, deviation, ratings[-1]
