"""Intervals are those of resampling users one draw at a time, however they are computed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from likely.evaluation.metrics import auc, f1, log_loss, user_aucs
from likely.evaluation.resampling import draw_users, interval, resampled_auc, resampled_metrics


def user_interval(metric, users, draws=1000, seed=0):
    """A 95% interval the plain way: a metric of the row indices of each resample; a user drawn twice is there twice."""
    names, user_of_row = np.unique(users, return_inverse=True)
    rows = [np.flatnonzero(user_of_row == user) for user in range(len(names))]
    random = np.random.default_rng(seed)
    taken = [random.integers(0, len(names), len(names)) for _ in range(draws)]
    return interval(np.array([metric(np.concatenate([rows[user] for user in users])) for users in taken]))


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
    drawn = draw_users([row[2] for row in rows], draws=4, seed=seed)
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
    drawn = draw_users(users, draws=4, seed=seed)
    figures = resampled_metrics(liked, p_yes, says_yes, says_no, drawn)
    for draw in range(4):
        taken = rows_of_draw(drawn, draw)
        assert figures["accuracy"][draw] == pytest.approx(np.where(liked, says_yes, says_no)[taken].mean())
        assert figures["f1"][draw] == pytest.approx(f1(liked[taken], says_yes[taken]))
        assert figures["log_loss"][draw] == pytest.approx(log_loss(liked[taken], p_yes[taken]))
        # A user drawn twice is two users with the same rows.
        copies = [f"{users[row]} {copy}" for row, copy in zip(taken, copy_numbers(taken), strict=True)]
        for name, area in user_aucs(liked[taken], p_yes[taken], copies).items():
            assert figures[name][draw] == pytest.approx(area, nan_ok=True)


def copy_numbers(rows):
    """How often each row has come before."""
    return [int((rows[:place] == row).sum()) for place, row in enumerate(rows)]


def test_the_fast_interval_is_the_plain_one(monkeypatch):
    monkeypatch.setattr("likely.evaluation.resampling.BLOCK", 700)  # several blocks of resamples
    random = np.random.default_rng(0)
    users = [f"user {row // 10}" for row in range(200)]
    liked, scores = random.random(200) < 0.5, random.integers(0, 9, 200) / 9
    plain = user_interval(lambda rows: auc(liked[rows], scores[rows]), users, draws=60, seed=3)
    assert interval(resampled_auc(liked, scores, draw_users(users, 60, 3))) == pytest.approx(plain)


def test_sums_are_the_same_in_blocks_of_resamples(monkeypatch):
    random = np.random.default_rng(0)
    drawn = draw_users([f"user {place}" for place in range(50)], draws=30)
    figures = random.random((50, 3))
    whole = drawn.counts.astype(float) @ figures
    monkeypatch.setattr("likely.evaluation.resampling.BLOCK", 120)
    assert [len(block) for block in drawn.blocks(50)] != [30]
    np.testing.assert_allclose(drawn.sums(figures), whole, rtol=1e-12)
    np.testing.assert_allclose(drawn.sums(figures[:, 1]), whole[:, 1], rtol=1e-12)


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
