"""Somebody who mistypes a word is told the nearest one."""

import pytest


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("learning_rat", "did you mean learning_rate?"),
        ("sead", "did you mean seed?"),
        ("SEED", "did you mean seed?"),
        ("rate", "did you mean learning_rate?"),
        ("warp", ""),
    ],
)
def test_the_nearest_word_is_named_if_there_is_one(word, said):
    from likely.errors import did_you_mean

    assert did_you_mean(word, ["learning_rate", "seed"]) == said
