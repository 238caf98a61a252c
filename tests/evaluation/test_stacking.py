"""Parts are weighed by what they know, none against the others, and what comes out is calibrated."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from likely.evaluation.metrics import auc
from likely.evaluation.stacking import PENALTY, fit_stack


def drawn(rows=4000, seed=0):
    """Two parts that each know a half of the truth, one that repeats the first, and one that knows nothing."""
    random = np.random.default_rng(seed)
    halves = random.normal(size=(rows, 2))
    liked = random.random(rows) < scipy.special.expit(halves @ [1.0, 0.7] + 0.3)
    echo = halves[:, :1] + random.normal(0, 0.5, (rows, 1))
    return liked, np.hstack([halves, echo, -halves[:, 1:]])


def test_without_a_bound_in_the_way_it_is_scikit_learns_logistic_regression():
    liked, parts = drawn()
    found = fit_stack(liked, parts[:, :2])
    oracle = LogisticRegression(C=1 / PENALTY, tol=1e-8).fit(parts[:, :2], liked)
    assert found.weights == pytest.approx(oracle.coef_[0].tolist(), abs=1e-3)
    assert found.intercept == pytest.approx(oracle.intercept_[0], abs=1e-3)


@given(st.integers(0, 50))
def test_no_part_speaks_against_itself_and_the_mean_is_the_share_of_likes(seed):
    liked, parts = drawn(300, seed)
    found = fit_stack(liked, parts)
    assert min(found.weights) >= 0
    assert found.p_yes(parts).mean() == pytest.approx(liked.mean(), abs=1e-3)


def test_together_they_know_more_than_each_and_what_says_the_opposite_is_silent():
    liked, parts = drawn()
    found = fit_stack(liked, parts)
    assert found.weights[3] == 0
    assert auc(liked, found.p_yes(parts)) > max(auc(liked, part) for part in parts.T) + 0.02
