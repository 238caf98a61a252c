"""Vectors without a model: titles, details and years that are alike have vectors that are alike."""

import numpy as np
import pytest

from likely.evaluation.text_control import DIMENSIONS, ngram_vectors

TEXTS = [
    "Toy Story (1995) | Animation, Children",
    "Toy Story 2 (1999) | Animation, Children",
    "Alien (1979) | Horror, Sci-Fi",
    "Aliens (1986) | Horror, Sci-Fi",
    "Emma (1996) | Romance",
    "Casablanca (1942) | Drama, Romance",
]


def test_alike_is_what_has_letters_details_and_years_in_common():
    vectors = ngram_vectors(TEXTS)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T - 2 * np.eye(len(TEXTS))
    assert likeness[:4].argmax(axis=1).tolist() == [1, 0, 3, 2]


def test_a_detail_is_the_same_at_any_place():
    names = ["Aa", "Bb", "Cc", "Dd", "Ee"]
    details = ["Crime, War", "War, Crime", "Comedy", "Comedy, Horror", "Horror"]
    vectors = ngram_vectors([f"{name} | {some}" for name, some in zip(names, details, strict=True)])
    lengths = np.linalg.norm(vectors, axis=1)
    likeness = vectors @ vectors.T / np.outer(lengths, lengths)
    assert likeness[0, 1] > 0.45 > likeness[0, 2]  # the details are a half of it, the letters of names the other
    assert likeness[3, 4] == pytest.approx(likeness[3, 2], abs=0.05)


@pytest.mark.parametrize("texts", [["Emma", "Heat", "7"], ["Emma | Jane Austen", "Babe"]])
def test_texts_may_lack_years_and_details(texts):
    vectors = ngram_vectors(texts)
    assert vectors.shape[0] == len(texts)
    assert vectors.shape[1] <= DIMENSIONS
    assert np.isfinite(vectors).all()
