"""What baselines and counting answer from: records to fit to and to answer, and the columns that are made of them once.

`asked` puts it together from the files of a run; `baselines`, `counting` and `text_rows` take what they need of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from likely.data.records import Labels, Record
from likely.data.wording import Words
from likely.evaluation.classifiers import grow_trees, known_columns
from likely.evaluation.counted_columns import RISING, counted_columns
from likely.evaluation.features import (
    feature_matrix,
    has_history_counts,
    has_shares,
    item_keys,
    likes_of,
    share_matrix,
    times_of,
    user_keys,
)
from likely.evaluation.kept_trees import KeptTrees
from likely.evaluation.like_counts import LikeCounts, count_likes
from likely.evaluation.matrix_factorisation import Factors, fit_factors, matrix_factorisation
from likely.evaluation.user_ridge import ridge_columns
from likely.model.answers import BoolRows, FloatRows, Matrix

TRAINING = "training records with both labels"
ITEMS = "item_id in every record"
USERS = "user_id in every record"
HISTORIES = "history_likes and history_length in every row"
TRAINING_HISTORIES = "history_likes and history_length in every training record"
ON_FEATURES = (TRAINING, ITEMS, HISTORIES, TRAINING_HISTORIES)


def countable(train: Sequence[Record], rows: Sequence[Record], earlier: Sequence[Record] = ()) -> list[Record]:
    """Return the records that may be counted: all of them if all have times, else those to train on.

    Args:
        train: records to fit on.
        rows: records to answer. Only those from strictly before another one are counted for it (`like_counts`).
        earlier: more held-out records.
    """
    everything = [*train, *earlier, *rows]
    return everything if times_of(everything) is not None else list(train)


@dataclass(frozen=True)
class Given:
    """What a baseline answers from.

    Attributes:
        train: records to fit on; may be empty.
        rows: records to answer.
        labels: which output is a like.
        earlier: more held-out records, to which nothing is fitted. Rows may know of them, as far as they are earlier.
        words: in which records speak of ratings, None where unknown.
        short_hints: whether their hints are in the short form.
    """

    train: Sequence[Record]
    rows: Sequence[Record]
    labels: Labels
    earlier: Sequence[Record] = ()
    words: Words | None = None
    short_hints: bool = False

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
        return has_shares((*self.train, *self.earlier, *self.rows))

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
    def ridge(self) -> Matrix:
        """Columns of `user_ridge.COLUMNS` of the rows, where all records have times."""
        return self._ridge_of_all[len(self.counted) - len(self.rows) :]

    @cached_property
    def factors(self) -> Factors:
        """Matrix factorisation of the training records."""
        return fit_factors(self.train, self.labels)

    @cached_property
    def factorised(self) -> FloatRows:
        """What it answers to the earlier records, where all have times, and then to the rows, float64."""
        asked = [*(self.earlier if self.has_times else ()), *self.rows]
        return matrix_factorisation(self.factors, self.train, asked, self.labels)

    @cached_property
    def trees(self) -> KeptTrees:
        """Boosted trees on all that is counted, where all records have times."""
        fitted_on, _ = everything_counted(self)
        return KeptTrees.of(grow_trees(self.liked, fitted_on, RISING, slowly=True), known_columns(fitted_on))

    @cached_property
    def has_times(self) -> bool:
        """Whether all records say when they are from, so that all may be counted."""
        return times_of([*self.train, *self.earlier, *self.rows]) is not None

    @cached_property
    def lacking(self) -> set[str]:
        """Needs of baselines that the records do not meet."""
        everything = (*self.counted, *self.rows)
        met = {
            TRAINING: bool(self.liked.any() and not self.liked.all()),
            ITEMS: all(record.item_id is not None for record in everything),
            USERS: all(record.user_id is not None for record in everything),
            HISTORIES: has_history_counts(self.rows),
            TRAINING_HISTORIES: has_history_counts(self.train),
        }
        return {need for need, is_met in met.items() if not is_met}


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
