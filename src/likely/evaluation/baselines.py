"""What a sceptic would try first, on the same rows as the model: from counting likes to boosted trees.

Takes records and their numbers (`features`) and gives `run` and `fusion` a probability of Yes for each row. All that is
fitted is fitted to training rows alone. Counted are, where records have times, rows of any part from before the row
that is answered, as a system in use would know them by then; else training rows alone.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special

from likely.data.records import Labels, Record
from likely.data.wording import Words
from likely.evaluation.classifiers import boosted_trees, logistic_regression
from likely.evaluation.contest import System
from likely.evaluation.counted_columns import taste_answers
from likely.evaluation.features import (
    history_fraction,
    item_keys,
    likes_of,
    log_odds,
    times_of,
    unread_columns,
    user_keys,
)
from likely.evaluation.given import (
    HISTORIES,
    ITEMS,
    ON_FEATURES,
    TRAINING,
    USERS,
    Given,
    everything_counted,
)
from likely.evaluation.hint_words import hint_regression
from likely.evaluation.like_counts import SMOOTHING, Known, count_likes, known_of, like_rates
from likely.evaluation.text_baseline import text_regression
from likely.evaluation.user_ridge import user_ridge
from likely.model.answers import FloatRows, Matrix


def always_yes(rows: Sequence[Record]) -> FloatRows:
    """Return 1 for each row, float64 [rows]: the F1 that knowing nothing gives."""
    return np.ones(len(rows))


def item_like_rate(
    counted: Sequence[Record], rows: Sequence[Record], labels: Labels, smoothing: float = SMOOTHING
) -> FloatRows:
    """Return the share of the earlier records of each row's candidate that were likes.

    Args:
        counted: from :func:`countable`.
        rows: records to answer.
        labels: which output is a like.
        smoothing: number of imaginary records with the overall rate that every candidate gets, above 0;
            one that was never seen has just these, that is, the overall rate.

    Returns:
        float64 [rows].

    Raises:
        LikelyError: records have no `item_id`.
    """
    return like_rates(_known(item_keys, counted, rows, labels), smoothing)


def user_like_rate(counted: Sequence[Record], rows: Sequence[Record], labels: Labels) -> FloatRows:
    """Return the like-rate of each row's user, float64 [rows], smoothed like that of items."""
    return like_rates(_known(user_keys, counted, rows, labels))


def item_and_user(counted: Sequence[Record], rows: Sequence[Record], labels: Labels) -> FloatRows:
    """Return the two like-rates as one, float64 [rows]: their log-odds added, less the overall ones that both hold."""
    overall = _known(item_keys, counted, rows, labels).overall
    return np.asarray(scipy.special.expit(prior_log_odds(counted, rows, labels).sum(axis=1) - log_odds(overall)))


def _known(
    keys_of: Callable[[Sequence[Record]], list[str]], counted: Sequence[Record], rows: Sequence[Record], labels: Labels
) -> Known:
    counts = count_likes(keys_of(counted), likes_of(counted, labels), times_of(counted))
    return known_of(counts, keys_of(rows), times_of(rows))


def prior_log_odds(counted: Sequence[Record], rows: Sequence[Record], labels: Labels) -> Matrix:
    """Return the log-odds of the like-rates of each row's item and user, float64 [rows, 2]."""
    rates = (item_like_rate(counted, rows, labels), user_like_rate(counted, rows, labels))
    return np.column_stack([log_odds(rate) for rate in rates])


@dataclass(frozen=True)
class Baseline:
    """A way to answer rows without the model.

    Attributes:
        name: as shown in tables.
        needs: what records must have, or else it is left out.
        answer: gives P(Yes) of each row, float64 [rows].
    """

    name: str
    needs: tuple[str, ...]
    answer: Callable[[Given], FloatRows]


def _of_counted(
    answer: Callable[[Sequence[Record], Sequence[Record], Labels], FloatRows],
) -> Callable[[Given], FloatRows]:
    return lambda given: answer(given.counted, given.rows, given.labels)


def all_we_can_count(given: Given) -> FloatRows:
    """Ask the trees on :func:`everything_counted`."""
    return np.asarray(scipy.special.expit(given.trees.log_odds(everything_counted(given)[1])))


def users_taste(given: Given) -> FloatRows:
    """Ask the Gaussian process of each row's user."""
    return taste_answers(given.over_time[len(given.counted) - len(given.rows) :])


BASELINES = (
    Baseline("always Yes", (), lambda given: always_yes(given.rows)),
    Baseline("item like-rate", (TRAINING, ITEMS), _of_counted(item_like_rate)),
    Baseline("user like-rate", (TRAINING, USERS), _of_counted(user_like_rate)),
    Baseline("history fraction liked", (HISTORIES,), lambda given: history_fraction(given.rows)),
    Baseline("item + user like-rate", (TRAINING, ITEMS, USERS), _of_counted(item_and_user)),
    Baseline("matrix factorisation", (TRAINING, ITEMS, USERS), lambda given: given.factorised[-len(given.rows) :]),
    Baseline("logistic regression", ON_FEATURES, lambda given: logistic_regression(given.liked, *given.features)),
    Baseline("boosted trees", ON_FEATURES, lambda given: boosted_trees(given.liked, *given.features)),
    Baseline("TF-IDF of the text", (TRAINING,), lambda given: text_regression(given.train, given.liked, given.rows)),
)
WITH_TIMES = (
    Baseline("ridge of each user", (TRAINING, ITEMS, USERS), lambda given: user_ridge(given.ridge)),
    Baseline("Gaussian process of each user", (TRAINING, ITEMS, USERS), users_taste),
    Baseline("boosted trees, all we can count", (*ON_FEATURES, USERS), all_we_can_count),
)
"""They know what was known at each moment; for records with times only."""

WITH_HINTS = (
    Baseline(
        "logistic regression, hints",
        ON_FEATURES,
        lambda given: logistic_regression(given.liked, *given.features_and_shares),
    ),
    Baseline("boosted trees, hints", ON_FEATURES, lambda given: boosted_trees(given.liked, *given.features_and_shares)),
    Baseline(
        "the hint's words alone", (TRAINING,), lambda given: hint_regression(given.train, given.liked, given.rows)
    ),
)
"""They know what hints tell the model, the last one nothing else; for records with hints only."""


def baseline_systems(
    train: Sequence[Record],
    rows: Sequence[Record],
    labels: Labels,
    earlier: Sequence[Record] = (),
    words: Words | None = None,
    only: Collection[str] | None = None,
) -> tuple[list[System], list[str]]:
    """Answer rows with every baseline that the records allow.

    Args:
        train: records to fit on; may be empty.
        rows: records to answer.
        labels: which output is a like.
        earlier: eval records, where test rows are answered; nothing is fitted to them.
        words: in which the records speak of ratings, where that is known.
        only: names of those that are asked; None for all.

    Returns:
        The baselines in the order of the table, and for each one left out a line that says why, and one for what the
        words of the records do not tell.
    """
    return systems_of(Given(train, rows, labels, earlier, words), only)


def systems_of(given: Given, only: Collection[str] | None = None) -> tuple[list[System], list[str]]:
    """Return the same for what is given, which keeps what several systems need."""
    baselines = (*BASELINES, *(WITH_HINTS if given.hinted else ()), *(WITH_TIMES if given.has_times else ()))
    asked = [one for one in baselines if only is None or one.name in only]
    systems, left_out = [], []
    for one in asked:
        lacking = [need for need in one.needs if need in given.lacking]
        if lacking:
            left_out.append(f"{one.name} is left out: it needs {', and '.join(lacking)}.")
        else:
            systems.append(System.from_probabilities(one.name, "baseline", one.answer(given)))
    on_features = any(given.lacking.isdisjoint(one.needs) for one in asked if set(one.needs).issuperset(ON_FEATURES))
    if given.words is None and on_features:
        left_out += unread_columns(given.features[1])
    return systems, left_out
