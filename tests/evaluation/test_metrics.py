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
    effective_users,
    f1,
    log_loss,
    probability_metrics,
    surprises,
    user_aucs,
    user_numbers,
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
    assert surprises(liked, p_yes).mean() == pytest.approx(log_loss(liked, p_yes))


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
    assert figures["auc"] == figures["uauc"] == figures["gauc"] == 1.0
    assert math.isnan(figures["uauc_5"])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from("aaabbc")), min_size=2, max_size=40))
def test_aucs_within_users_are_means_of_scikit_learns(rows):
    liked, scores = np.array([row[0] for row in rows]), np.array([row[1] / 4 for row in rows])
    users = np.array([row[2] for row in rows])
    areas, sizes = [], []
    for user in np.unique(users):
        mine = users == user
        if liked[mine].any() and not liked[mine].all():
            areas.append(oracle.roc_auc_score(liked[mine], scores[mine]))
            sizes.append(int(mine.sum()))
    figures = user_aucs(liked, scores, users.tolist())
    for name, weights in (("uauc", [1 for _ in sizes]), ("uauc_5", [n >= 5 for n in sizes]), ("gauc", sizes)):
        expected = np.average(areas, weights=weights) if any(weights) else math.nan
        assert figures[name] == pytest.approx(expected, nan_ok=True)


def test_a_share_of_a_users_own_likes_looks_worse_than_chance_within_users():
    """Likes are coin flips: nobody can know them, and still the liked share of the past ranks them upside down."""
    flips = np.random.default_rng(0).random((600, 25)) < 0.5
    liked, users = flips[:, 15:].ravel(), [f"user {user}" for user in range(600) for _ in range(10)]
    past = np.cumsum(flips, axis=1)[:, 14:-1] / np.arange(15, 25)
    figures = user_aucs(liked, past.ravel(), users)
    assert all(figures[name] < 0.35 for name in ("uauc", "uauc_5", "gauc"))
    assert auc(liked, past.ravel()) == pytest.approx(0.5, abs=0.03)
    fair = user_aucs(liked, np.repeat(flips[:, :15].mean(axis=1), 10), users)  # the past before the first of the rows
    assert fair["uauc"] == 0.5


def test_users_are_worth_as_many_as_they_are_only_if_all_have_equally_many_rows():
    assert effective_users(user_numbers(list("aabbcc"))) == pytest.approx(3)
    assert effective_users(user_numbers(list("aaaaaaaaab"))) == pytest.approx(100 / 82)


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
