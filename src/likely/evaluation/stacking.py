"""Several answers to the same question become one: a weighted sum of their log-odds, with weights that are learnt.

`answer` fits the weights on eval rows, which none of the parts has seen, and `blend` keeps them.
"""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.special

from likely.model.answers import BoolRows, FloatRows, Matrix

PENALTY = 1.0
"""Of the squares of the weights, in nats, beside the log-loss summed over rows."""


@dataclass(frozen=True)
class Stack:
    """Weights of parts; their sum is the log-odds of the answer.

    Attributes:
        intercept: what is added.
        weights: one a part, none below 0.
    """

    intercept: float
    weights: tuple[float, ...]

    def p_yes(self, parts: Matrix) -> FloatRows:
        """Return the answer as a probability, float64 [rows], from log-odds of the parts, float64 [rows, parts]."""
        return np.asarray(scipy.special.expit(self.intercept + parts @ np.array(self.weights)))


def fit_stack(liked: BoolRows, parts: Matrix) -> Stack:
    """Fit the weights by logistic regression; as such it is calibrated on the rows that it is fitted to.

    No weight is below 0 (Breiman, Stacked regressions, 1996): parts that say much the same would otherwise be played
    off against each other, and a part that knows nothing gets a weight of 0.

    Args:
        liked: bool [rows], with both labels.
        parts: log-odds, float64 [rows, parts].
    """
    truth = liked.astype(float)

    def loss(fitted: FloatRows) -> tuple[float, FloatRows]:
        log_odds = fitted[0] + parts @ fitted[1:]
        beyond = scipy.special.expit(log_odds) - truth
        penalised = np.r_[0.0, fitted[1:]]
        value = np.logaddexp(0, log_odds).sum() - truth @ log_odds + PENALTY / 2 * penalised @ penalised
        return float(value), np.r_[beyond.sum(), beyond @ parts] + PENALTY * penalised

    count = parts.shape[1]
    bounds = [(None, None), *[(0.0, None)] * count]
    found = scipy.optimize.minimize(loss, np.zeros(count + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    return Stack(float(found.x[0]), tuple(found.x[1:].tolist()))
