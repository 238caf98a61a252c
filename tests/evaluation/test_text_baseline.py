"""Words of a record are enough for a logistic regression, whatever they are written in."""

import numpy as np
import pytest

from likely.data.records import Record
from likely.evaluation import text_baseline
from likely.evaluation.metrics import auc
from likely.evaluation.text_baseline import text_regression

PHRASES = {
    "words": (["calls every week", "pays late", "wants a refund"], ["is happy", "renewed early", "pays on time"]),
    "numbers": (["9 complaints", "8 complaints"], ["0 complaints", "1 complaints"]),
    "japanese": (["毎週電話する客", "返金を求める客"], ["満足している客", "早く更新した客"]),
    "pairs": (["not happy but paying"], ["happy but not paying"]),
}


def customers(kind, number, seed):
    random = np.random.default_rng(seed)
    liked = random.random(number) < 0.5
    texts = [f"{random.integers(90)} {random.choice(PHRASES[kind][0 if like else 1])}" for like in liked]
    return [Record("Leaves?", text, "?") for text in texts], liked


@pytest.mark.parametrize("kind", PHRASES)
def test_what_the_words_say_is_found(kind):
    train, liked = customers(kind, 200, 0)
    rows, truth = customers(kind, 100, 1)
    assert auc(truth, text_regression(train, liked, rows)) > 0.99


def test_everything_that_is_said_before_the_answer_counts():
    said = [("yes", {"system": "angry"}), ("no", {"history": (("angry?", "no"),)}), ("?", {"instruction": "calm"})]
    records = [Record(**{"instruction": "?", "input": "", "output": "?"} | fields) for _, fields in said]
    p_yes = text_regression(records, np.array([True, True, False]), records)
    assert p_yes[:2].min() > p_yes[2]


def test_records_without_any_word_are_answered_too():
    records = [Record("?", "!", "?")] * 4
    np.testing.assert_allclose(text_regression(records, np.array([True, False] * 2), records), 0.5)


def test_of_much_text_a_part_is_fitted_with_both_labels_among_it(monkeypatch):
    monkeypatch.setattr(text_baseline, "MOST_CHARACTERS", 1000)
    train, _ = customers("words", 400, 0)
    rare = np.zeros(400, dtype=bool)
    rare[17] = True
    chosen = text_baseline._affordable(train, rare)
    assert 17 in chosen
    assert chosen == sorted(set(chosen))
    monkeypatch.setattr(text_baseline, "MOST_CHARACTERS", 10**9)
    assert text_baseline._affordable(train, rare) == list(range(400))
