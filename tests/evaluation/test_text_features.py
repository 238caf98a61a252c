"""Columns of texts are what they say, know nothing of the future or of others, and are the same for a new user."""

import numpy as np
import pytest

from likely.evaluation import text_features
from likely.evaluation.text_features import (
    NARROW,
    NEAREST,
    TEXT_COLUMNS,
    WIDE,
    Moments,
    prepared,
    text_columns,
)

ITEMS, USERS = 40, 6


def drawn(rows, seed):
    random = np.random.default_rng(seed)
    moments = Moments(
        random.integers(0, USERS, rows), random.integers(0, ITEMS, rows), random.integers(0, 50, rows) * 1.0
    )
    return moments, random.random(rows) < 0.5


def vectors_of(seed=0):
    vectors = np.random.default_rng(seed).normal(size=(ITEMS, 8)) + 5
    return prepared(vectors, vectors.mean(axis=0))


def one_by_one(asked, told, liked, vectors):
    """The plain way: a row at a time, from the earlier opinions of its user."""
    columns = []
    for user, item, time in zip(*asked, strict=True):
        known = (told.users == user) & (told.times < time)
        candidate, items, likes = vectors[item].astype(float), vectors[told.items[known]].astype(float), liked[known]
        likeness, share = items @ candidate, (likes.sum() + 0.5) / (len(likes) + 1)

        def mean_of(chosen, candidate=candidate, items=items):
            mean = items[chosen].sum(axis=0)
            return candidate @ mean / max(np.linalg.norm(mean), 1e-9)

        def beyond(weights, likes=likes, share=share):
            if not len(weights):
                return 0.0
            return (weights @ likes + weights.mean() * share) / (weights.sum() + weights.mean()) - share

        near = np.argsort(-likeness, kind="stable")[:NEAREST]
        columns.append(
            [
                mean_of(likes),
                mean_of(~likes),
                likeness[likes].sum() / (likes.sum() + 1) - likeness[~likes].sum() / ((~likes).sum() + 1),
                beyond(np.exp((likeness - 1) / WIDE)),
                beyond(np.exp((likeness - 1) / NARROW)),
                beyond(np.ones(len(near)), likes[near]),
            ]
        )
    return np.array(columns)


@pytest.mark.parametrize("block", [10, 4_000_000])
def test_columns_are_those_of_each_row_by_itself(block, monkeypatch):
    monkeypatch.setattr(text_features, "BLOCK", block)
    # Items of one user are all different: which of two alike is nearer would be anybody's guess.
    told = Moments(
        np.repeat(np.arange(USERS), 25),
        np.tile(np.random.default_rng(1).permutation(ITEMS)[:25], USERS),
        drawn(150, 2)[0].times,
    )
    liked, (asked, _) = drawn(150, 3)[1], drawn(60, 4)
    found = text_columns(asked, told, liked, vectors_of())
    assert found.shape == (60, len(TEXT_COLUMNS))
    np.testing.assert_allclose(found, one_by_one(asked, told, liked, vectors_of()), atol=1e-5)


def test_nothing_that_is_said_later_or_by_others_changes_a_row():
    told, liked = drawn(150, 0)
    asked = Moments(np.array([2]), np.array([7]), np.array([25.0]))
    before = text_columns(asked, told, liked, vectors_of())
    hidden = (told.users != 2) | (told.times >= 25)
    assert hidden.any()
    other = Moments(told.users, np.where(hidden, 3, told.items), told.times)
    np.testing.assert_array_equal(text_columns(asked, other, np.where(hidden, ~liked, liked), vectors_of()), before)
    shown = Moments(*(column[~hidden] for column in told))
    fewer = text_columns(asked, shown, liked[~hidden], vectors_of())
    np.testing.assert_allclose(fewer, before, rtol=1e-6)  # sums of fewer rows, which some processors round otherwise


def test_a_new_user_is_asked_in_the_same_way_as_one_of_the_records():
    told, liked = drawn(150, 0)
    mine = told.users == 1
    candidates = np.arange(10)
    asked = Moments(np.full(10, 1), candidates, np.full(10, np.inf))
    history = told.items[mine][np.argsort(told.times[mine], kind="stable")]
    answers = liked[mine][np.argsort(told.times[mine], kind="stable")]
    new = Moments(np.zeros(len(history), int), history, np.arange(len(history)) * 1.0)
    np.testing.assert_allclose(
        text_columns(Moments(np.zeros(10, int), candidates, np.full(10, np.inf)), new, answers, vectors_of()),
        text_columns(asked, told, liked, vectors_of()),
        atol=1e-6,
    )


def test_who_said_nothing_yet_has_zeros():
    told, liked = drawn(30, 0)
    asked = Moments(np.array([1, USERS]), np.array([0, 0]), np.array([-1.0, np.inf]))
    np.testing.assert_array_equal(text_columns(asked, told, liked, vectors_of()), np.zeros((2, len(TEXT_COLUMNS))))


def test_what_all_items_have_in_common_says_nothing():
    vectors = np.random.default_rng(0).normal(size=(ITEMS, 8))
    near, far = (prepared(vectors + shift, (vectors + shift).mean(axis=0)) for shift in (0, 1000))
    np.testing.assert_allclose(near, far, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(near, axis=1), 1, atol=1e-6)
    assert not prepared(np.ones((2, 3)), np.ones(3)).any()
