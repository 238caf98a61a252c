"""The taste of one user as a Gaussian process over items: what it expects of each candidate, given what came before.

Takes one user's ratings in the order of time and the `likeness` of their items, and gives `counted_columns` a few
columns, and `baselines` an answer.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from likely.evaluation.rating_habits import Levels
from likely.evaluation.user_ridge import POPULARITY_ZERO
from likely.model.answers import FloatRows

Matrix = NDArray[np.float64]

COLUMNS = ("what the taste adds to the item", "how unsure the taste is")
"""Of :func:`taste_columns`."""

NOISE, USER, LEVEL = 0.175, 0.0625, 0.6
"""Variances: of a single answer, of how kind a user is, and of how much a user goes along with what an item gets."""

DETAILS, YEAR, POPULARITY, RATERS = 0.025, 0.02, 0.025, 0.1
"""Variances of the taste in details such as genres, in years, in popularity, and in what the same people rate."""

MOODS = ((0.025, 30 * 86_400.0), (0.02, 7_200.0))
"""Variances of how kind a user is just now, and the seconds in which that passes.

All of these were chosen on the eval rows of MovieLens latest-small.
"""


def linear_columns(said: Matrix, levels: Levels) -> Matrix:
    """Return columns of items that users make more or less of, each times the deviation of what they make of it.

    Args:
        said: details, year and its square of each rating's item, see `user_ridge.details_and_year`.
        levels: of each rating.

    Returns:
        float64 [ratings, columns].
    """
    popularity = (levels.popularity - POPULARITY_ZERO) / 2
    return np.column_stack(
        [
            said[:, :-2] * DETAILS**0.5,
            said[:, -2:] * YEAR**0.5,
            popularity * POPULARITY**0.5,
            levels.of_item * LEVEL**0.5,
        ]
    )


def taste_columns(times: FloatRows, linear: Matrix, raters: Matrix, wanted: FloatRows, known: Matrix) -> Matrix:
    """Return `COLUMNS` of each of a user's ratings, float64 [n, 2].

    The covariance of two answers is a sum: the user's kindness, moods that pass, columns of the items, and the items'
    likeness. Its Cholesky factor L gives what is expected of every row from all rows before it at once: where L z are
    the answers, a row expects what its earlier columns of L make of z (Rasmussen and Williams, Gaussian Processes for
    Machine Learning, 2006, appendix A.3).

    Args:
        times: of the ratings, ascending, in seconds, [n].
        linear: of :func:`linear_columns`, [n, columns].
        raters: likeness of the items in who rated them, [n, n].
        wanted: 1 or 0 less what the item gets, [n].
        known: 1 for each rating (column) from strictly before another (row), else 0, [n, n].
    """
    apart = np.abs(times[:, None] - times)
    covariance = USER + linear @ linear.T + RATERS * raters
    for variance, seconds in MOODS:
        covariance += variance * np.exp(-apart / seconds)
    covariance[np.diag_indices(len(apart))] += NOISE
    factor = np.linalg.cholesky(covariance)
    steps = scipy.linalg.solve_triangular(factor, wanted, lower=True)
    earlier = factor * known
    return np.column_stack([earlier @ steps, np.diag(covariance) - (earlier**2).sum(axis=1)])
