"""The baseline that learns each user's taste as it goes: a small ridge regression for every user, row by row in time.

Takes records with users, items and times and gives `baselines` what was known of each before it was answered: what the
item got beyond what its users give, how popular it was by then, and what this user makes of its details, year and
popularity. Nothing at the time of a row or later enters it, and no weight is learnt from anybody's future.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likely.data.question import read_candidate
from likely.data.records import Labels, Record
from likely.data.wording import YEAR
from likely.evaluation.features import item_keys, likes_of, times_of, user_keys
from likely.evaluation.like_counts import SMOOTHING, Known, count_likes, known_of
from likely.model.answers import FloatRows, Matrix, Places

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


@dataclass(frozen=True)
class Levels:
    """What was known of each record before its own time, each float64 [records].

    Attributes:
        overall: share of likes.
        of_item_at_first: what the item gets beyond that and beyond its users' means.
        of_item: what the item gets beyond that and beyond what its users give.
        of_user: what the user gives beyond that and beyond what the items get.
        popularity: from :func:`log_share`.
    """

    overall: FloatRows
    of_item_at_first: FloatRows
    of_item: FloatRows
    of_user: FloatRows
    popularity: FloatRows


def levels_before(records: Sequence[Record], labels: Labels) -> Levels:
    """Return levels of users and items: shares of likes shrunk towards 0 by `SMOOTHING` imaginary ratings.

    They are those of Koren et al., Matrix factorization techniques for recommender systems, 2009, without the factors.

    Args:
        records: as of :func:`ridge_columns`.
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
    at_first = level(items, liked - overall - level(users, liked - overall))
    of_user = level(users, liked - overall - at_first)
    of_item = level(items, liked - overall - of_user)
    popularity = log_share(by_item.ratings, np.searchsorted(np.sort(times), times).astype(float))
    return Levels(overall, at_first, of_item, of_user, popularity)


def ridge_columns(records: Sequence[Record], labels: Labels) -> Matrix:
    """Return what was known of each record before its own time, float64 [records, 5], the columns of `COLUMNS`.

    On what the levels of items leave, a ridge regression of each user is solved anew at each of its times.

    Args:
        records: of all parts, with `user_id`, `item_id` and `timestamp`, in any order.
        labels: which output is a like.
    """
    times = times_of(records)
    assert times is not None
    known, lines = levels_before(records, labels), candidate_lines(records)
    columns = tastes(details_and_year(lines, frequent_details(lines)), known.popularity, known.of_item)
    of_user = np.unique(user_keys(records), return_inverse=True)[1]
    added = online_ridge(columns, likes_of(records, labels) - known.overall - known.of_item, of_user, times)
    of_item = known.overall + known.of_item
    return np.column_stack([of_item + added, added, of_item + known.of_user, known.of_item, known.popularity])


def user_ridge(columns: Matrix) -> FloatRows:
    """Return the ridge's answers as probabilities, float64 [rows], from :func:`ridge_columns`."""
    return columns[:, 0].clip(0.01, 0.99)


def log_share(ratings: FloatRows, everything: FloatRows) -> FloatRows:
    """Return the log of the share of all ratings that an item has, of few ratings a little less, float64 [rows]."""
    return np.asarray(np.log1p(ratings) - np.log(everything + 50))


def candidate_lines(records: Sequence[Record]) -> list[str]:
    """Return how each record names its candidate; empty where it does not."""
    return [read_candidate(record.input) for record in records]


def frequent_details(lines: Sequence[str]) -> list[str]:
    """Return the details that have a weight, given the lines of all items."""
    counts = Counter(detail for line in sorted(set(lines)) for detail in details_in(line))
    return [detail for detail, _ in counts.most_common(MOST_DETAILS)]


def details_and_year(lines: Sequence[str], details: Sequence[str]) -> Matrix:
    """Return what lines say of their items, float64 [lines, details + 2].

    Args:
        lines: from :func:`candidate_lines`.
        details: from :func:`frequent_details`; of length 1 together, and then come the year and its square.
    """
    place = {detail: number for number, detail in enumerate(details)}
    row_of = {line: row for row, line in enumerate(dict.fromkeys(lines))}
    told = np.zeros((len(row_of), len(place) + 2))
    for line, row in row_of.items():
        kept = {place[detail] for detail in details_in(line) if detail in place}
        for column in kept:
            told[row, column] = 1 / math.sqrt(len(kept))
        year = YEAR.search(line)
        told[row, -2] = (float(year[1]) - YEAR_ZERO) / YEAR_SCALE if year else 0.0
    told[:, -1] = told[:, -2] ** 2
    return told[[row_of[line] for line in lines]]


def details_in(line: str) -> list[str]:
    """Return the details of an item, such as its genres, as a line shows them."""
    return line.rpartition(" | ")[2].split(", ") if " | " in line else []


def tastes(told: Matrix, popularity: FloatRows, of_item: FloatRows) -> Matrix:
    """Return the columns of the regression of a user, the last one constant."""
    level = np.ones(len(told))
    return np.column_stack([told, (popularity - POPULARITY_ZERO) / 2, of_item * ITEM_SCALE, level])


def online_ridge(columns: Matrix, wanted: FloatRows, users: Places, times: FloatRows) -> FloatRows:
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
