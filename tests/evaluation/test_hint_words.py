"""The control knows the words of a hint, all of them and nothing else."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from likely.data.records import Record
from likely.data.shares import Shares
from likely.data.wording import OPINIONS, hint
from likely.evaluation.hint_words import UNKNOWN, hint_regression, hint_words

SHARE = st.floats(0, 1).map(lambda share: round(share, 4)) | st.just(math.nan)
OBJECTS = ("earlier movies", "those above", "these genres", "similar movies", "the candidate")


def record(text="", **shares):
    return Record("Liked?", text, "Yes", extra={"shares": shares})


@given(
    st.builds(Shares, *[SHARE.filter(lambda share: not math.isnan(share))] * 2, *[SHARE] * 3),
    st.sampled_from(["genres", "authors"]),
)
def test_the_words_are_those_that_the_hint_shows(shares, details):
    for word, spoken_of in zip(hint_words(record(**shares.known(details))), OBJECTS, strict=True):
        assert (f"{word} {spoken_of}" in hint(shares)) == (word != UNKNOWN)


def test_shares_with_the_same_words_get_the_same_answer_and_texts_do_not_matter():
    random = np.random.default_rng(0)
    train = [record(f"text {share}", of_all=share, others=1 - share) for share in random.random(200).round(4)]
    liked = np.array([one.extra["shares"]["of_all"] > 0.4 for one in train])
    same = hint_regression(train, liked, [record("a", of_all=0.57), record("b", of_all=0.67)])
    assert same[0] == same[1]


def test_it_is_a_logistic_regression_on_ones_and_zeros():
    random = np.random.default_rng(1)
    shares = random.random((300, 2)).round(4)
    train = [record(of_all=one, others=other) for one, other in shares]
    liked = shares.sum(axis=1) + 0.3 * random.normal(size=300) > 1
    places = [np.searchsorted([bound for bound, _ in OPINIONS], column, side="right") for column in shares.T]
    ones = np.hstack([np.eye(len(OPINIONS))[place] for place in places])
    expected = LogisticRegression(max_iter=1000).fit(ones, liked).predict_proba(ones)[:, 1]
    np.testing.assert_allclose(hint_regression(train, liked, train), expected, atol=0.01)
