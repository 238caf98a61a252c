"""Figures are scikit-learn's where it has them, and say what their names say where it has not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from likely.evaluation.metrics import (
    answer_metrics,
    auc,
    calibration_error,
    f1,
    log_loss,
    probability_metrics,
    user_auc,
)
from likely.model.answers import Answers

# Probabilities from a coarse grid, so that ties are common.
ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=2, max_size=40).map(
    lambda rows: (np.array([liked for liked, _ in rows]), np.array([p / 10 for _, p in rows]))
)


@given(ROWS)
def test_auc_is_scikit_learns_and_nan_without_both_labels(rows):
    liked, p_yes = rows
    if liked.all() or not liked.any():
        assert math.isnan(auc(liked, p_yes))
    else:
        assert auc(liked, p_yes) == pytest.approx(oracle.roc_auc_score(liked, p_yes))


@given(ROWS)
def test_f1_is_the_harmonic_mean_of_precision_and_recall_and_0_without_any(rows):
    liked, p_yes = rows
    says_yes = p_yes >= 0.5
    right = (liked & says_yes).sum()
    expected = 0.0
    if right:
        precision, recall = right / says_yes.sum(), right / liked.sum()
        expected = 2 * precision * recall / (precision + recall)
    assert f1(liked, says_yes) == pytest.approx(expected)


@given(ROWS)
def test_log_loss_is_the_mean_surprise_in_nats_and_finite_where_the_surprise_is_whole(rows):
    liked, p_yes = rows
    p_true = np.where(liked, p_yes, 1 - p_yes).clip(1e-7, 1 - 1e-7)
    assert log_loss(liked, p_yes) == pytest.approx(-np.log(p_true).mean())


@given(ROWS, st.integers(1, 5))
def test_uauc_is_the_mean_over_users_with_both_labels(rows, users):
    liked, p_yes = rows
    owner = [str(row % users) for row in range(len(liked))]
    areas = []
    for user in set(owner):
        mine = np.array([o == user for o in owner])
        if liked[mine].any() and not liked[mine].all():
            areas.append(oracle.roc_auc_score(liked[mine], p_yes[mine]))
    if areas:
        assert user_auc(liked, p_yes, owner) == pytest.approx(np.mean(areas))
    else:
        assert math.isnan(user_auc(liked, p_yes, owner))


def test_calibration_error_is_the_gap_between_what_is_said_and_what_happens():
    liked = np.array([True] * 7 + [False] * 3)
    assert calibration_error(liked, np.full(10, 0.7)) == pytest.approx(0)
    assert calibration_error(liked, np.full(10, 1.0)) == pytest.approx(0.3)


def test_an_unanswered_row_is_wrong_and_no_yes():
    liked = np.array([True, False, True, False])
    answers = Answers(
        liked=liked,
        p_yes=np.array([0.9, 0.1, 0.8, 0.7]),
        says_yes=np.array([True, False, False, False]),
        says_no=np.array([False, True, False, False]),
        label_mass=np.array([1.0, 1.0, 0.2, 0.2]),
        loss=np.array([0.1, 0.1, 2.0, 2.0]),
    )
    figures = answer_metrics(answers, ["a", "a", "b", "b"])
    assert figures["accuracy"] == 0.5
    assert figures["f1"] == pytest.approx(2 / 3)
    assert figures["answered"] == 0.5
    assert figures["label_mass"] == pytest.approx(0.6)
    assert figures["loss"] == pytest.approx(1.05)
    assert figures["auc"] == figures["uauc"] == 1.0


def test_users_that_are_unknown_give_no_uauc():
    liked, p_yes = np.array([True, False]), np.array([0.6, 0.4])
    assert "uauc" not in probability_metrics(liked, p_yes, [None, None])
    assert "uauc" not in probability_metrics(liked, p_yes)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_figures_are_never_made_of_what_is_not_a_number(bad):
    liked, fine, broken = np.array([True, False]), np.array([0.6, 0.4]), np.array([0.6, bad])
    with pytest.raises(AssertionError):
        probability_metrics(liked, broken)
    for name in ("p_yes", "loss", "label_mass"):
        given_answers = {"p_yes": fine, "loss": fine, "label_mass": fine, name: broken}
        with pytest.raises(AssertionError):
            answer_metrics(Answers(liked=liked, says_yes=liked, says_no=~liked, **given_answers))
