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
from likely.evaluation.resampling import draw_users, interval, resampled_auc, resampled_metrics, user_interval
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
def test_f1_and_log_loss_are_scikit_learns(rows):
    liked, p_yes = rows
    assert f1(liked, p_yes >= 0.5) == pytest.approx(oracle.f1_score(liked, p_yes >= 0.5, zero_division=0))
    inside = p_yes.clip(0.01, 0.99)
    assert log_loss(liked, inside) == pytest.approx(oracle.log_loss(liked, inside, labels=[False, True]))


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


def test_an_interval_by_users_is_wider_than_one_by_rows_where_users_differ():
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(30), 20)
    values = np.repeat(random.normal(size=30), 20)
    low, high = user_interval(lambda rows: float(values[rows].mean()), users.astype(str).tolist(), draws=300)
    assert low < values.mean() < high
    by_rows = user_interval(lambda rows: float(values[rows].mean()), [str(n) for n in range(600)], draws=300)
    assert high - low > 3 * (by_rows[1] - by_rows[0])


def test_an_interval_leaves_out_resamples_without_the_figure():
    liked, scores = np.array([True, False, True]), np.array([0.9, 0.1, 0.8])
    users = ["a", "b", "c"]
    assert user_interval(lambda rows: auc(liked[rows], scores[rows]), users, draws=50) == (1.0, 1.0)
    one_class = user_interval(lambda rows: auc(liked[rows] | True, scores[rows]), users, draws=5)
    assert all(math.isnan(end) for end in one_class)


def test_the_same_seed_gives_the_same_interval():
    values, users = np.arange(20.0), [str(row // 2) for row in range(20)]

    def interval(seed):
        return user_interval(lambda rows: float(values[rows].mean()), users, draws=50, seed=seed)

    assert interval(1) == interval(1) != interval(2)


OWNED = st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from("abcde")), min_size=2, max_size=40)


def rows_of_draw(drawn, draw):
    """Row indices of a resample: those of a user drawn twice are there twice."""
    return np.repeat(np.arange(len(drawn.user_of_row)), drawn.counts[draw].astype(int)[drawn.user_of_row])


@given(OWNED, st.integers(0, 5))
def test_auc_of_resamples_is_scikit_learns_of_the_drawn_rows(rows, seed):
    liked, scores = np.array([row[0] for row in rows]), np.array([row[1] / 4 for row in rows])
    drawn = draw_users([row[2] for row in rows], draws=8, seed=seed)
    areas = resampled_auc(liked, scores, drawn)
    for draw, area in enumerate(areas):
        taken = rows_of_draw(drawn, draw)
        if liked[taken].all() or not liked[taken].any():
            assert math.isnan(area)
        else:
            assert area == pytest.approx(oracle.roc_auc_score(liked[taken], scores[taken]))


@given(OWNED, st.integers(0, 5))
def test_figures_of_resamples_are_those_of_the_drawn_rows(rows, seed):
    liked, p_yes = np.array([row[0] for row in rows]), np.array([row[1] / 4 for row in rows])
    users = np.array([row[2] for row in rows])
    says_yes, says_no = p_yes > 0.6, p_yes < 0.4
    drawn = draw_users(users, draws=8, seed=seed)
    figures = resampled_metrics(liked, p_yes, says_yes, says_no, drawn)
    for draw in range(8):
        taken = rows_of_draw(drawn, draw)
        assert figures["accuracy"][draw] == pytest.approx(np.where(liked, says_yes, says_no)[taken].mean())
        assert figures["f1"][draw] == pytest.approx(f1(liked[taken], says_yes[taken]))
        # A user drawn twice is two users with the same rows.
        areas = {user: auc(liked[users == user], p_yes[users == user]) for user in np.unique(users)}
        of_drawn = np.array([areas[user] for user in np.repeat(np.unique(users), drawn.counts[draw].astype(int))])
        expected = of_drawn[~np.isnan(of_drawn)]
        assert figures["uauc"][draw] == pytest.approx(expected.mean() if len(expected) else math.nan, nan_ok=True)


def test_the_fast_interval_is_the_plain_one(monkeypatch):
    monkeypatch.setattr("likely.evaluation.resampling.BLOCK", 700)  # several blocks of resamples
    random = np.random.default_rng(0)
    users = [f"user {row // 10}" for row in range(200)]
    liked, scores = random.random(200) < 0.5, random.integers(0, 9, 200) / 9
    plain = user_interval(lambda rows: auc(liked[rows], scores[rows]), users, draws=60, seed=3)
    assert interval(resampled_auc(liked, scores, draw_users(users, 60, 3))) == pytest.approx(plain)


def test_a_paired_interval_sees_a_difference_that_two_intervals_hide():
    """Users differ a lot, and one ranker is a little better with all of them."""
    random = np.random.default_rng(0)
    user = np.repeat(np.arange(60), 30)
    taste = np.repeat(random.normal(size=60), 30) * 2
    liked = taste + random.normal(size=len(user)) > 0
    better, worse = taste + 0.8 * liked, taste + 0.6 * liked
    drawn = draw_users(user.astype(str).tolist(), 400)
    one, other = resampled_auc(liked, better, drawn), resampled_auc(liked, worse, drawn)
    assert interval(one)[0] < interval(other)[1]
    assert interval(one - other)[0] > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_figures_are_never_made_of_what_is_not_a_number(bad):
    liked, fine, broken = np.array([True, False]), np.array([0.6, 0.4]), np.array([0.6, bad])
    with pytest.raises(AssertionError):
        probability_metrics(liked, broken)
    for name in ("p_yes", "loss", "label_mass"):
        given_answers = {"p_yes": fine, "loss": fine, "label_mass": fine, name: broken}
        with pytest.raises(AssertionError):
            answer_metrics(Answers(liked=liked, says_yes=liked, says_no=~liked, **given_answers))
