"""What a sceptic would try first, on the same rows as the model: from counting likes to boosted trees.

Takes records and their numbers (`features`) and gives `run` and `fusion` a probability of Yes for each row. All that is
fitted is fitted to training rows alone. Counted are, where records have times, rows of any part from before the row
that is answered, as a system in use would know them by then; else training rows alone.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.special
from numpy.typing import NDArray

from likely.data.records import Labels, Record
from likely.data.wording import Words
from likely.evaluation.classifiers import boosted_trees, grow_trees, known_columns, logistic_regression
from likely.evaluation.contest import System
from likely.evaluation.counted_columns import RISING, counted_columns, taste_answers
from likely.evaluation.features import (
    feature_matrix,
    has_history_counts,
    has_shares,
    history_fraction,
    item_keys,
    likes_of,
    log_odds,
    share_matrix,
    times_of,
    unread_columns,
    user_keys,
)
from likely.evaluation.hint_words import hint_regression
from likely.evaluation.kept_trees import KeptTrees
from likely.evaluation.like_counts import SMOOTHING, Known, LikeCounts, count_likes, known_of, like_rates
from likely.evaluation.matrix_factorisation import matrix_factorisation
from likely.evaluation.text_baseline import text_regression
from likely.evaluation.user_ridge import ridge_columns, user_ridge
from likely.model.answers import BoolRows, FloatRows

Matrix = NDArray[np.float64]

TRAINING = "training records with both labels"
ITEMS = "item_id in every record"
USERS = "user_id in every record"
HISTORIES = "history_likes and history_length in every row"
TRAINING_HISTORIES = "history_likes and history_length in every training record"
ON_FEATURES = (TRAINING, ITEMS, HISTORIES, TRAINING_HISTORIES)


def always_yes(rows: Sequence[Record]) -> FloatRows:
    """Return 1 for each row, float64 [rows]: the F1 that knowing nothing gives."""
    return np.ones(len(rows))


def countable(train: Sequence[Record], rows: Sequence[Record], earlier: Sequence[Record] = ()) -> list[Record]:
    """Return the records that may be counted: all of them if all have times, else those to train on.

    Args:
        train: records to fit on.
        rows: records to answer. Only those from strictly before another one are counted for it (`like_counts`).
        earlier: more held-out records.
    """
    everything = [*train, *earlier, *rows]
    return everything if times_of(everything) is not None else list(train)


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
class Given:
    """What a baseline answers from.

    Attributes:
        train: records to fit on; may be empty.
        rows: records to answer.
        labels: which output is a like.
        earlier: more held-out records, to which nothing is fitted. Rows may know of them, as far as they are earlier.
        words: in which records speak of ratings, None where unknown.
    """

    train: Sequence[Record]
    rows: Sequence[Record]
    labels: Labels
    earlier: Sequence[Record] = ()
    words: Words | None = None

    @cached_property
    def liked(self) -> BoolRows:
        """Truth of the training records, bool [training records]."""
        return likes_of(self.train, self.labels)

    @cached_property
    def counted(self) -> list[Record]:
        """Records that may be counted, see :func:`countable`."""
        return countable(self.train, self.rows, self.earlier)

    @cached_property
    def features(self) -> tuple[Matrix, Matrix]:
        """Columns of `FEATURES` of the training records and of the rows."""
        own = self.liked if times_of(self.counted) is None else None
        return self.features_of(self.train, own), self.features_of(self.rows)

    def features_of(self, records: Sequence[Record], own: BoolRows | None = None) -> Matrix:
        """Return columns of `FEATURES` of some records; `own` as of `feature_matrix`."""
        items, users = self._counts
        return feature_matrix(records, items, own, users, self.words)

    @cached_property
    def _counts(self) -> tuple[LikeCounts, LikeCounts | None]:
        """Likes of items and, where they and times are known, of users."""
        times, liked = times_of(self.counted), likes_of(self.counted, self.labels)
        items = count_likes(item_keys(self.counted), liked, times)
        if times is None or USERS in self.lacking:
            return items, None
        return items, count_likes(user_keys(self.counted), liked, times)

    @cached_property
    def hinted(self) -> bool:
        """Whether records have the shares of likes that hints put into words."""
        return has_shares((*self.train, *self.rows))

    @cached_property
    def features_and_shares(self) -> tuple[Matrix, Matrix]:
        """The same, and the shares of likes that hints put into words."""
        fitted_on, answered = self.features
        return np.hstack([fitted_on, share_matrix(self.train)]), np.hstack([answered, share_matrix(self.rows)])

    @cached_property
    def over_time(self) -> Matrix:
        """`user_ridge.COLUMNS` and `counted_columns.COLUMNS` of training, earlier records and rows; all have times."""
        fitted = np.arange(len(self.counted)) < len(self.train)
        columns = counted_columns(self.counted, fitted, self.labels, self.words)
        return np.hstack([self._ridge_of_all, columns])

    @cached_property
    def _ridge_of_all(self) -> Matrix:
        return ridge_columns(self.counted, self.labels)

    @cached_property
    def ridge(self) -> tuple[Matrix, Matrix]:
        """Columns of `user_ridge.COLUMNS` of the training records and of the rows, where all records have times."""
        columns = self._ridge_of_all
        return columns[: len(self.train)], columns[len(columns) - len(self.rows) :]

    @cached_property
    def trees(self) -> KeptTrees:
        """Boosted trees on all that is counted, where all records have times."""
        fitted_on, _ = everything_counted(self)
        return KeptTrees.of(grow_trees(self.liked, fitted_on, RISING, slowly=True), known_columns(fitted_on))

    @cached_property
    def has_times(self) -> bool:
        """Whether all records say when they are from."""
        return times_of([*self.train, *self.earlier, *self.rows]) is not None

    @cached_property
    def lacking(self) -> set[str]:
        """Needs of baselines that the records do not meet."""
        everything = (*self.train, *self.rows)
        met = {
            TRAINING: bool(self.liked.any() and not self.liked.all()),
            ITEMS: all(record.item_id is not None for record in everything),
            USERS: all(record.user_id is not None for record in everything),
            HISTORIES: has_history_counts(self.rows),
            TRAINING_HISTORIES: has_history_counts(self.train),
        }
        return {need for need, is_met in met.items() if not is_met}


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


def _of_earlier(
    answer: Callable[[Sequence[Record], Sequence[Record], Labels, Sequence[Record]], FloatRows],
) -> Callable[[Given], FloatRows]:
    return lambda given: answer(given.train, given.rows, given.labels, given.earlier)


def everything_counted(given: Given) -> tuple[Matrix, Matrix]:
    """Return features, the shares of hints if any, `user_ridge.COLUMNS` and `counted_columns.COLUMNS` of both parts."""
    fitted_on, answered = given.features_and_shares if given.hinted else given.features
    columns = given.over_time
    of_rows = columns[len(columns) - len(given.rows) :]
    return np.hstack([fitted_on, columns[: len(given.train)]]), np.hstack([answered, of_rows])


def earlier_counted(given: Given) -> Matrix:
    """Return the same of the earlier records."""
    records = given.earlier
    shares = [share_matrix(records)] if given.hinted else []
    columns = given.over_time[len(given.train) : len(given.train) + len(records)]
    return np.hstack([given.features_of(records), *shares, columns])


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
    Baseline("matrix factorisation", (TRAINING, ITEMS, USERS), _of_earlier(matrix_factorisation)),
    Baseline("logistic regression", ON_FEATURES, lambda given: logistic_regression(given.liked, *given.features)),
    Baseline("boosted trees", ON_FEATURES, lambda given: boosted_trees(given.liked, *given.features)),
    Baseline("TF-IDF of the text", (TRAINING,), lambda given: text_regression(given.train, given.liked, given.rows)),
)
WITH_TIMES = (
    Baseline("ridge of each user", (TRAINING, ITEMS, USERS), lambda given: user_ridge(given.ridge[1])),
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
    systems, left_out = [], []
    for one in (one for one in baselines if only is None or one.name in only):
        lacking = [need for need in one.needs if need in given.lacking]
        if lacking:
            left_out.append(f"{one.name} is left out: it needs {', and '.join(lacking)}.")
        else:
            systems.append(System.from_probabilities(one.name, "baseline", one.answer(given)))
    if given.words is None and not given.lacking.intersection(ON_FEATURES):
        left_out += unread_columns(given.features[1])
    return systems, left_out
