"""What a sceptic would try first, on the same rows as the model.

Takes records (`records`) and gives a probability for each, which `metrics` treats like the model's.
"""

from collections.abc import Sequence

import numpy as np

from likely.answers import FloatRows
from likely.errors import LikelyError
from likely.records import Labels, Record


def item_like_rate(
    train: Sequence[Record], rows: Sequence[Record], labels: Labels, smoothing: float = 5.0
) -> FloatRows:
    """Return the share of the training records of each row's candidate that were likes.

    Args:
        train: records to count in.
        rows: records to answer.
        labels: which output is a like.
        smoothing: number of imaginary records with the overall rate that every candidate gets, above 0;
            one that was never seen has just these, that is, the overall rate.

    Returns:
        float64 [rows].

    Raises:
        LikelyError: records have no `item_id`.
    """
    assert train
    assert smoothing > 0
    likes: dict[str, int] = {}
    counts: dict[str, int] = {}
    for record in train:
        item = _item(record)
        counts[item] = counts.get(item, 0) + 1
        likes[item] = likes.get(item, 0) + (record.output == labels.positive)
    overall = sum(likes.values()) / len(train)
    return np.array(
        [(likes.get(_item(row), 0) + smoothing * overall) / (counts.get(_item(row), 0) + smoothing) for row in rows]
    )


def history_fraction(rows: Sequence[Record]) -> FloatRows:
    """Return the share of each row's history that the user liked; no training at all.

    Returns:
        float64 [rows].

    Raises:
        LikelyError: records have no `history_likes` and `history_length`, as prepared files have.
    """
    fractions = np.empty(len(rows))
    for place, row in enumerate(rows):
        likes, length = row.extra.get("history_likes"), row.extra.get("history_length")
        if not isinstance(likes, int) or not isinstance(length, int):
            raise LikelyError(
                f"Row {place + 1} has no history_likes and history_length, so the fraction of the history liked is "
                "unknown; prepare the data with likely prepare."
            )
        fractions[place] = likes / max(length, 1)
    return fractions


def always_yes(rows: Sequence[Record]) -> FloatRows:
    """Return 1 for each row: the F1 that knowing nothing gives.

    Returns:
        float64 [rows].
    """
    return np.ones(len(rows))


def _item(record: Record) -> str:
    if record.item_id is None:
        raise LikelyError("Records without item_id have no like-rate by item; prepare the data with likely prepare.")
    return record.item_id
