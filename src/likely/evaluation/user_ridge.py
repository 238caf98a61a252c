"""The baseline that learns each user's taste as it goes: a small ridge regression for every user, row by row in time.

Takes records with users, items and times and gives `baselines` what was known of each before it was answered: what the
item got beyond what its users give, how popular it was by then, and what this user makes of its details, year and
popularity. Nothing at the time of a row or later enters it, and no weight is learnt from anybody's future.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from likely.data.records import Labels, Record
from likely.data.wording import CANDIDATE_LINE, YEAR
from likely.evaluation.features import item_keys, likes_of, times_of, user_keys
from likely.evaluation.like_counts import SMOOTHING, Known, count_likes, known_of
from likely.model.answers import FloatRows

Matrix = NDArray[np.float64]

COLUMNS = (
    "answer of the user's ridge",
    "what the ridge adds to the item",
    "overall like-rate, and what item and user add",
    "what the item adds",
    "log share of the ratings that the item has",
)
"""Of :func:`ridge_columns`."""

MOST_DETAILS = 30
"""Details, such as genres, that have a weight: the most frequent ones, since time grows with the square of them."""

PENALTY_OF_USER, PENALTY_OF_TASTE = 4.0, 8.0
"""Of the squares of a user's own level, and of the weight of anything else."""

ITEM_SCALE, YEAR_SCALE, YEAR_ZERO, POPULARITY_ZERO = 5.0, 15.0, 1990.0, -5.0
"""Put columns on the scale of one, on which the penalties are."""


def ridge_columns(records: Sequence[Record], labels: Labels) -> Matrix:
    """Return what was known of each record before its own time, float64 [records, 5], the columns of `COLUMNS`.

    Levels of users and items are shares of likes beyond the overall one, shrunk towards 0 by `SMOOTHING` imaginary
    ratings (Koren et al., Matrix factorization techniques for recommender systems, 2009, without the factors). On what
    they leave, a ridge regression of each user is solved anew at each of its times.

    Args:
        records: of all parts, with `user_id`, `item_id` and `timestamp`, in any order.
        labels: which output is a like.
    """
    times = times_of(records)
    assert times is not None
    users, items, liked = user_keys(records), item_keys(records), likes_of(records, labels).astype(float)

    def earlier(keys: Sequence[str], values: FloatRows) -> Known:
        return known_of(count_likes(keys, values, times), keys, times)

    def level(keys: Sequence[str], values: FloatRows) -> FloatRows:
        known = earlier(keys, values)
        return known.likes / (known.ratings + SMOOTHING)

    by_item = earlier(items, liked)
    overall = by_item.overall
    of_item = level(items, liked - overall - level(users, liked - overall))
    of_user = level(users, liked - overall - of_item)
    of_item = level(items, liked - overall - of_user)
    everything = np.searchsorted(np.sort(times), times).astype(float)
    popularity = np.log1p(by_item.ratings) - np.log(everything + 50)
    columns = np.column_stack(
        [
            details_and_year(candidate_lines(records)),
            (popularity - POPULARITY_ZERO) / 2,
            of_item * ITEM_SCALE,
            np.ones(len(records)),
        ]
    )
    added = _online_ridge(columns, liked - overall - of_item, np.unique(users, return_inverse=True)[1], times)
    return np.column_stack([overall + of_item + added, added, overall + of_item + of_user, of_item, popularity])


def user_ridge(columns: Matrix) -> FloatRows:
    """Return the ridge's answers as probabilities, float64 [rows], from :func:`ridge_columns`."""
    return columns[:, 0].clip(0.01, 0.99)


def candidate_lines(records: Sequence[Record]) -> list[str]:
    """Return how each record shows its candidate; empty where it does in other words."""
    return [(CANDIDATE_LINE.findall(record.input) or [""])[-1] for record in records]


def details_and_year(lines: Sequence[str]) -> Matrix:
    """Return what lines say of items: details, of length 1 together, and year with its square.

    Args:
        lines: how each item is shown, [items].

    Returns:
        float64 [items, details + 2]; the year is `YEAR_ZERO` where a line says none, on the scale of `YEAR_SCALE`.
    """
    said = {line: line.rpartition(" | ")[2].split(", ") if " | " in line else [] for line in set(lines)}
    counts = Counter(detail for line in sorted(said) for detail in said[line])
    place = {detail: number for number, (detail, _) in enumerate(counts.most_common(MOST_DETAILS))}
    rows = {}
    for line, details in said.items():
        row = np.zeros(len(place) + 2)
        kept = [place[detail] for detail in details if detail in place]
        row[kept] = 1 / np.sqrt(max(len(kept), 1))
        year = YEAR.search(line)
        row[-2] = (float(year[1]) - YEAR_ZERO) / YEAR_SCALE if year else 0.0
        row[-1] = row[-2] ** 2
        rows[line] = row
    return np.array([rows[line] for line in lines])


def _online_ridge(columns: Matrix, wanted: FloatRows, users: NDArray[np.int64], times: FloatRows) -> FloatRows:
    """Return what each user's regression on its strictly earlier rows says of each row, float64 [rows].

    Args:
        columns: float64 [rows, columns], the last one constant.
        wanted: what to say of each row, float64 [rows].
        users: whose rows they are, int64 [rows].
        times: float64 [rows].
    """
    penalties = np.r_[np.full(columns.shape[1] - 1, PENALTY_OF_TASTE), PENALTY_OF_USER]
    order = np.lexsort((times, users))
    new_user = np.diff(users[order], prepend=-1) != 0
    starts = np.flatnonzero(new_user | (np.diff(times[order], prepend=np.nan) != 0))
    said = np.empty(len(order))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        if new_user[start]:
            curvature, slope = np.diag(penalties), np.zeros(len(penalties))
        rows = order[start:stop]
        asked = columns[rows]
        said[rows] = asked @ np.linalg.solve(curvature, slope)
        curvature += asked.T @ asked
        slope += asked.T @ wanted[rows]
    return said
