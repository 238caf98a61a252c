"""What a user made of the items that are like the candidate.

Takes one user's ratings in the order of time and the `likeness` of their items, and gives `counted_columns` a few
columns.
"""

import numpy as np

from likely.evaluation.likeness import Likeness
from likely.model.answers import FloatRows, Matrix

COLUMNS = (
    "user on items with the same raters",
    "likeness of the user's items in raters",
    "user on items with like opinions",
    "share liked of items with like opinions",
    "likeness of the user's items in opinions",
)
"""Of :func:`neighbour_columns`."""

WEIGHT_PRIOR, COUNT_PRIOR = 0.3, 4.0
"""Imaginary likeness to an item that the user takes as always, and imaginary ratings as always."""


def neighbour_columns(alike: Likeness, beyond: FloatRows, liked: FloatRows, known: Matrix) -> Matrix:
    """Return `COLUMNS` of each of a user's ratings, float64 [n, 5].

    Args:
        alike: the items.
        beyond: what the user gave each more than others do, [n].
        liked: 1 for a like and 0 for none, [n].
        known: 1 for each rating (column) from strictly before another (row), else 0, [n, n].
    """
    counts = known.sum(axis=1)
    as_always = known @ beyond / (counts + COUNT_PRIOR)

    def opinion(weights: Matrix, total: FloatRows) -> FloatRows:
        return np.asarray((weights @ beyond - as_always * total) / (total + WEIGHT_PRIOR))

    raters, opinions = alike.raters * known, alike.opinions.clip(min=0) * known
    of_raters, of_opinions = raters.sum(axis=1), opinions.sum(axis=1)
    share = (opinions @ liked + WEIGHT_PRIOR / 2) / (of_opinions + WEIGHT_PRIOR)
    return np.column_stack(
        [opinion(raters, of_raters), of_raters / (counts + 1), opinion(opinions, of_opinions), share, of_opinions]
    )
