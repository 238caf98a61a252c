"""The taste of one user as a Gaussian process over items: what it expects of each candidate, given what came before.

Takes one user's ratings in the order of time and the `likeness` of their items, and gives `counted_columns` a few
columns, and `baselines` an answer.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from likely.evaluation.rating_habits import Levels
from likely.evaluation.user_ridge import POPULARITY_ZERO
from likely.model.answers import FloatRows, Matrix

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
    taste = Taste.of(times, linear, raters, wanted)
    return taste.said(taste.factor * known, taste.variances)


@dataclass(frozen=True)
class Taste:
    """What one user's ratings say of the next ones.

    Attributes:
        times: of the ratings, ascending, in seconds, [n].
        linear: of :func:`linear_columns`, [n, columns].
        variances: of the answers, [n].
        factor: Cholesky factor of their covariance, [n, n].
        steps: what the factor makes the answers of, [n].
    """

    times: FloatRows
    linear: Matrix
    variances: FloatRows
    factor: Matrix
    steps: FloatRows

    @classmethod
    def of(cls, times: FloatRows, linear: Matrix, raters: Matrix, wanted: FloatRows) -> "Taste":
        """Solve for the ratings of a user, arguments as of :func:`taste_columns`."""
        covariance = _covariance(times, times, linear, linear, raters)
        covariance[np.diag_indices(len(times))] += NOISE
        factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        steps = scipy.linalg.solve_triangular(factor, wanted, lower=True)
        return cls(times, linear, np.diag(covariance), factor, steps)

    def columns(self, times: FloatRows, linear: Matrix, raters: Matrix, to_itself: FloatRows) -> Matrix:
        """Return `COLUMNS` of candidates from after all of these ratings, float64 [m, 2].

        Args:
            times: of the candidates, [m].
            linear: of them, [m, columns].
            raters: likeness of the candidates to the ratings' items in who rated them, [m, n].
            to_itself: of each candidate to itself, [m].
        """
        covariance = _covariance(times, self.times, linear, self.linear, raters)
        earlier = scipy.linalg.solve_triangular(self.factor, covariance.T, lower=True).T
        moods = sum(variance for variance, _ in MOODS)
        return self.said(earlier, USER + (linear**2).sum(axis=1) + RATERS * to_itself + moods + NOISE)

    def said(self, earlier: Matrix, variances: FloatRows) -> Matrix:
        """Return `COLUMNS`, given what each row's factor has in the columns of what is earlier, and its variance."""
        return np.column_stack([earlier @ self.steps, variances - (earlier**2).sum(axis=1)])


def _covariance(
    times: FloatRows, other_times: FloatRows, linear: Matrix, other_linear: Matrix, raters: Matrix
) -> Matrix:
    """Return the covariance of answers (rows) with others (columns), without their noise."""
    apart = np.abs(times[:, None] - other_times)
    covariance = USER + linear @ other_linear.T + RATERS * raters
    for variance, seconds in MOODS:
        covariance += variance * np.exp(-apart / seconds)
    return covariance
