"""What the texts of items say of a user's taste: how like a candidate is to what this user liked and disliked before.

Takes vectors of items, those of the base model (`model.item_embeddings`) or of `text_control`, and who liked what when,
and gives `text_rows` six columns for each row. A user and candidates that no file knows are asked in the same way.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from likely.model.answers import BoolRows, FloatRows, Matrix, Places

Vectors = NDArray[np.float32]

TEXT_COLUMNS = (
    "likeness to the mean of what was liked",
    "likeness to the mean of what was disliked",
    "liked less disliked",
    "share of likes among like items, wide",
    "share of likes among like items, narrow",
    "share of likes of the nearest items",
)
"""Of :func:`text_columns`."""

WIDE, NARROW, NEAREST = 0.3, 0.1, 10
"""Temperatures of likeness (an item that is this much less alike counts 1/e as much), and how many items are near.

Chosen on the eval rows of MovieLens latest-small; with 0.1, 0.05 and 5, boosted trees lose 0.0013 of AUC.
"""

BLOCK = 4_000_000
"""Most pairs of an asked and an earlier item whose likeness is held at once."""


class Moments(NamedTuple):
    """Who was asked about which item, and when.

    Attributes:
        users: number of each row's user, int64 [rows].
        items: row of its item's vector, int64 [rows].
        times: float64 [rows], in any unit; infinity asks after everything.
    """

    users: Places
    items: Places
    times: FloatRows


def prepared(vectors: NDArray[np.floating], centre: NDArray[np.floating]) -> Vectors:
    """Return vectors of length 1 from the mean of all items: what items have in common says nothing of one.

    Args:
        vectors: [items, dimensions].
        centre: that mean, [dimensions]; of other items where these are few.

    Returns:
        float32 [items, dimensions].
    """
    centred = vectors.astype(np.float64) - centre
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, 1e-12), dtype=np.float32)


def text_columns(asked: Moments, told: Moments, liked: BoolRows, vectors: Vectors) -> Matrix:
    """Return the columns of `TEXT_COLUMNS`, float64 [asked rows, 6].

    A row knows what its user said at strictly earlier times, and nothing of others. Likeness is the cosine. Shares are
    drawn towards the user's own share of likes by one imaginary item, and are what they are beyond that share.

    Args:
        asked: rows to answer.
        told: what users said, in any order; of rows that are asked too, among others.
        liked: whether it was a like, bool [told rows].
        vectors: of items, float32 [items, dimensions], from :func:`prepared`.
    """
    columns = np.zeros((len(asked.users), len(TEXT_COLUMNS)))
    order = np.lexsort((told.times, told.users))
    users, times = told.users[order], told.times[order]
    for rows, begin, end in _by_user(asked.users, users):
        known = order[begin:end]
        earlier = np.searchsorted(times[begin:end], asked.times[rows], side="left")
        size = max(BLOCK // max(end - begin, 1), 1)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            candidates, items = vectors[asked.items[rows[part]]], vectors[told.items[known]]
            columns[rows[part]] = _columns_of(candidates, items, liked[known].astype(float), earlier[part])
    return columns


def _by_user(asked: Places, told: Places) -> Iterator[tuple[Places, int, int]]:
    """Yield the asked rows of each user, and where in the told rows, which are sorted by user, theirs begin and end."""
    order = np.argsort(asked, kind="stable")
    names, starts = np.unique(asked[order], return_index=True)
    begins, ends = np.searchsorted(told, names, side="left"), np.searchsorted(told, names, side="right")
    yield from zip(np.split(order, starts[1:]), begins.tolist(), ends.tolist(), strict=True)


def _columns_of(candidates: Vectors, items: Vectors, liked: FloatRows, earlier: Places) -> Matrix:
    """Return the columns of one user's rows.

    Args:
        candidates: vectors of what is asked, [rows, dimensions].
        items: vectors of what the user rated, in the order of time, [rated, dimensions].
        liked: 1 for a like, 0 for none, float64 [rated].
        earlier: how many of them are earlier than each row, int64 [rows].
    """
    known = (np.arange(len(items)) < earlier[:, None]).astype(float)
    likeness = (candidates @ items.T).astype(float)
    likes, ratings = known @ liked, earlier.astype(float)
    means, sums = [], []
    for chosen in (known * liked, known * (1 - liked)):
        sums.append((likeness * chosen).sum(axis=1))
        means.append(sums[-1] / np.maximum(np.linalg.norm(chosen @ items, axis=1), 1e-9))
    profile = sums[0] / (likes + 1) - sums[1] / (ratings - likes + 1)
    weights = [known * np.exp((likeness - 1) / temperature) for temperature in (WIDE, NARROW)]
    shares = [_share_beyond(one, liked, (likes + 0.5) / (ratings + 1)) for one in (*weights, _nearest(likeness, known))]
    return np.column_stack([*means, profile, *shares])


def _share_beyond(weights: Matrix, liked: FloatRows, share: FloatRows) -> FloatRows:
    """Return the weighted share of likes less the user's own share, which an imaginary item of the mean weight has.

    Args:
        weights: float64 [rows, rated], 0 for what does not count.
        liked: float64 [rated].
        share: the user's own share of likes, float64 [rows].

    Returns:
        float64 [rows], 0 where nothing counts.
    """
    total, number = weights.sum(axis=1), (weights > 0).sum(axis=1)
    one = total / np.maximum(number, 1)
    weighted = (weights @ liked + one * share) / np.where(number, total + one, 1)
    return np.where(number, weighted - share, 0.0)


def _nearest(likeness: Matrix, known: Matrix) -> Matrix:
    """Return 1 for each row's `NEAREST` most alike items of those that it knows, else 0, float64 [rows, rated]."""
    masked = np.where(known > 0, likeness, -np.inf)
    number = min(NEAREST, masked.shape[1])
    nearest = np.zeros_like(known)
    if number:
        np.put_along_axis(nearest, np.argpartition(-masked, number - 1, axis=1)[:, :number], 1.0, axis=1)
    return nearest * known
