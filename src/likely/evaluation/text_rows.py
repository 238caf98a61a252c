"""Rows of the table that say what a language model knows of items by their texts, with two controls beside them.

Takes what baselines answer from (`given`) and vectors of texts, fits boosted trees on all that is counted and
the six columns of `text_features`, and gives `run` the answers: with the base model's vectors, with the same vectors
dealt out anew among the items, with vectors that no model made, and with both kinds.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from likely.data.task import RatingsTask
from likely.evaluation.classifiers import boosted_trees
from likely.evaluation.contest import Kind, System
from likely.evaluation.counted_columns import RISING
from likely.evaluation.given import ON_FEATURES, USERS, Given, everything_counted
from likely.evaluation.text_control import ngram_vectors
from likely.evaluation.text_features import prepared, text_columns
from likely.evaluation.told_items import ToldItems, candidate_texts, told_items
from likely.model.answers import FloatRows, Matrix

Embed = Callable[[Sequence[str]], NDArray[np.floating]]
"""Takes texts of items and gives a vector for each, [texts, dimensions]."""

COUNTED = "all we can count"
SHUFFLED, NGRAMS = f"{COUNTED} + texts, shuffled", f"{COUNTED} + n-grams of texts"
"""Names of the two controls."""


def can_compare_texts(given: Given) -> bool:
    """Say whether records name users, items, times and texts, so that their texts can be compared."""
    known = not given.lacking.intersection((*ON_FEATURES, USERS)) and given.has_times
    return known and candidate_texts(given.counted) is not None


def text_systems(given: Given, task: RatingsTask | None, embed: Embed, reader: str) -> list[System]:
    """Answer rows with all that is counted and what texts add, and with the two controls.

    Args:
        given: records to fit on and to answer, that :func:`can_compare_texts`.
        task: what the records ask, where that is known.
        embed: gives the base model's vectors.
        reader: name of that model.

    Returns:
        The two controls, of the kind `baseline`, and what counting and the base model make together: without the
        n-grams, and on top of them.

    Raises:
        LikelyError: from `embed`.
    """
    texts = candidate_texts(given.counted)
    assert texts is not None
    told = told_items(given.counted, texts, given.labels, task)
    vectors = embed(told.texts)
    shuffled = vectors[np.random.default_rng(0).permutation(len(vectors))]
    read, dealt, ngrams = (columns_of_records(told, one) for one in (vectors, shuffled, ngram_vectors(told.texts)))
    entries: list[tuple[str, Kind, Matrix]] = [
        (SHUFFLED, "baseline", dealt),
        (NGRAMS, "baseline", ngrams),
        (f"{COUNTED} + texts read by {reader}", "fusion", read),
        (f"{NGRAMS}, and read by {reader}", "fusion", np.hstack([ngrams, read])),
    ]
    return [System.from_probabilities(name, kind, _answer(given, added)) for name, kind, added in entries]


def columns_of_records(told: ToldItems, vectors: NDArray[np.floating]) -> Matrix:
    """Return the columns of `text_features.TEXT_COLUMNS` of each record, float64 [records, 6].

    Args:
        told: of the records.
        vectors: of its texts, [texts, dimensions].
    """
    return text_columns(told.asked, told.told, told.liked, prepared(vectors, vectors.mean(axis=0, dtype=np.float64)))


def _answer(given: Given, added: Matrix) -> FloatRows:
    """Fit boosted trees on all that is counted and these columns of the counted records."""
    fitted_on, answered = everything_counted(given)
    rising = [fitted_on.shape[1] + place for place in RISING]  # they count from the end, where texts come
    of_train, of_rows = added[: len(given.train)], added[len(added) - len(given.rows) :]
    known, asked = np.hstack([fitted_on, of_train]), np.hstack([answered, of_rows])
    return boosted_trees(given.liked, known, asked, rising, slowly=True)
