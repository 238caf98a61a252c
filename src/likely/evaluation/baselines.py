"""What a sceptic would try first, on the same rows as the model: from counting likes to boosted trees.

Takes records and their numbers (`features`) and gives `run` and `fusion` a probability of Yes for each row. Only
training rows are counted and fitted on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.special
from numpy.typing import NDArray

from likely.data.records import Labels, Record
from likely.data.wording import Words
from likely.evaluation.contest import System
from likely.evaluation.features import (
    FEATURES,
    SMOOTHING,
    count_likes,
    feature_matrix,
    has_history_counts,
    has_shares,
    history_fraction,
    item_keys,
    like_rates,
    likes_of,
    log_odds,
    share_matrix,
    unread_columns,
)
from likely.evaluation.text_baseline import text_regression
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


def item_like_rate(
    train: Sequence[Record], rows: Sequence[Record], labels: Labels, smoothing: float = SMOOTHING
) -> FloatRows:
    """Return the share of the training records of each row's candidate that were likes.

    Args:
        train: records to count in.
        rows: records to answer.
        labels: which output is a like.
        smoothing: number of imaginary records with the overall rate that every candidate gets, above 0;
            one that was never seen has just these, that is, the overall rate.

    Returns:
        float64 [rows].

    Raises:
        LikelyError: records have no `item_id`.
    """
    counts = count_likes(item_keys(train), likes_of(train, labels))
    return like_rates(counts, item_keys(rows), smoothing=smoothing)


def user_like_rate(train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> FloatRows:
    """Return the like-rate of each row's user, float64 [rows], smoothed like that of items."""
    return like_rates(count_likes(_user_keys(train), likes_of(train, labels)), _user_keys(rows))


def item_and_user(train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> FloatRows:
    """Return the two like-rates as one, float64 [rows]: their log-odds added, less the overall ones that both hold."""
    overall = np.array([likes_of(train, labels).mean()])
    return np.asarray(scipy.special.expit(prior_log_odds(train, rows, labels).sum(axis=1) - log_odds(overall)))


def prior_log_odds(train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> Matrix:
    """Return the log-odds of the like-rates of each row's item and user, float64 [rows, 2]."""
    rates = (item_like_rate(train, rows, labels), user_like_rate(train, rows, labels))
    return np.column_stack([log_odds(rate) for rate in rates])


def matrix_factorisation(
    train: Sequence[Record], rows: Sequence[Record], labels: Labels, factors: int = 16, steps: int = 60
) -> FloatRows:
    """Return sigmoid(m + a_user + b_item + u_user . v_item), float64 [rows], fitted to the training rows.

    Logistic matrix factorisation with biases (Johnson 2014; biases of Koren et al. 2009), m being the overall
    log-odds, by Adam over all rows at once. `implicit` has one too, but it takes every pair that was not seen
    for a dislike; here dislikes are explicit and the unseen says nothing, and no further package is needed.
    Penalties, factors and steps are those with the best AUC on the eval rows of MovieLens latest-small. Users
    and items without training rows have zeros.
    """
    import torch

    liked = torch.from_numpy(likes_of(train, labels)).float()
    overall = torch.logit(liked.mean())
    penalties = torch.tensor([3.0] + [10.0] * factors)
    random = torch.Generator().manual_seed(0)
    tables, of_train, of_rows = [], [], []
    for keys_of in (_user_keys, item_keys):
        names = np.unique(np.array(keys_of(train)))
        of_train.append(torch.from_numpy(_places(names, keys_of(train))))
        of_rows.append(torch.from_numpy(_places(names, keys_of(rows))))
        # The first column is the bias; the last row is for users or items without training rows.
        table = 0.1 * torch.randn(len(names) + 1, factors + 1, generator=random)
        table[:, 0] = table[-1] = 0
        tables.append(table.requires_grad_())

    def predicted(places: Sequence[torch.Tensor]) -> torch.Tensor:
        user, item = (table[place] for table, place in zip(tables, places, strict=True))
        return overall + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(dim=1)

    optimizer = torch.optim.Adam(tables, lr=0.1)
    for _ in range(steps):
        misfit = torch.nn.functional.binary_cross_entropy_with_logits(predicted(of_train), liked, reduction="sum")
        penalty = torch.stack([(table.square() * penalties).sum() for table in tables]).sum()
        optimizer.zero_grad()
        ((misfit + penalty / 2) / len(liked)).backward()
        optimizer.step()
    with torch.no_grad():
        return np.asarray(predicted(of_rows).sigmoid().double().numpy())


def boosted_trees(liked: BoolRows, fitted_on: Matrix, answered: Matrix) -> FloatRows:
    """Fit scikit-learn's histogram gradient boosting (after LightGBM) on `features.FEATURES` and more.

    Default settings, no early stopping, and one constraint: a higher like-rate of the item never lowers the
    answer. Without it, trees see through leaving a row out of its own rate (among rows of the same item the
    likes have the lower rate) and learn the training labels: AUC 0.875 on the training rows of MovieLens
    latest-small and 0.779 on its eval rows, against 0.813 and 0.801.

    Args:
        liked: bool [fitted rows], with both labels.
        fitted_on: float64 [fitted rows, columns], each row left out of its own like-rate; the first 8 columns are
            those of `FEATURES`.
        answered: float64 [rows, columns].

    Returns:
        float64 [rows].
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rising = np.zeros(fitted_on.shape[1], dtype=int)
    rising[FEATURES.index("item like-rate")] = 1
    # Bins cannot be made of a column in which nothing is known.
    known = ~np.isnan(fitted_on).all(axis=0)
    trees = HistGradientBoostingClassifier(early_stopping=False, monotonic_cst=rising[known], random_state=0)
    return np.asarray(trees.fit(fitted_on[:, known], liked).predict_proba(answered[:, known])[:, 1])


def logistic_regression(liked: BoolRows, fitted_on: Matrix, answered: Matrix) -> FloatRows:
    """Fit scikit-learn's logistic regression on standardised columns, missing values at their median.

    Args:
        liked: bool [fitted rows], with both labels.
        fitted_on: float64 [fitted rows, columns].
        answered: float64 [rows, columns].

    Returns:
        float64 [rows].
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    model = make_pipeline(imputer, StandardScaler(), LogisticRegression(max_iter=1000))
    return np.asarray(model.fit(fitted_on, liked).predict_proba(answered)[:, 1])


def _places(names: NDArray[np.str_], keys: Sequence[str]) -> NDArray[np.int64]:
    """Return where each key stands in sorted names, or their number for one that is not among them."""
    wanted = np.array(keys)
    places = np.searchsorted(names, wanted).clip(max=len(names) - 1)
    return np.where(names[places] == wanted, places, len(names))


def _user_keys(records: Sequence[Record]) -> list[str]:
    return [str(record.user_id) for record in records]


@dataclass(frozen=True)
class Given:
    """What a baseline answers from.

    Attributes:
        train: records to count in and fit on; may be empty.
        rows: records to answer.
        labels: which output is a like.
        words: in which records speak of ratings, None where unknown.
    """

    train: Sequence[Record]
    rows: Sequence[Record]
    labels: Labels
    words: Words | None = None

    @cached_property
    def liked(self) -> BoolRows:
        """Truth of the training records, bool [training records]."""
        return likes_of(self.train, self.labels)

    @cached_property
    def features(self) -> tuple[Matrix, Matrix]:
        """Columns of `FEATURES` of the training records, each left out of its own like-rate, and of the rows."""
        items = count_likes(item_keys(self.train), self.liked)
        fitted_on = feature_matrix(self.train, items, own=self.liked, words=self.words)
        return fitted_on, feature_matrix(self.rows, items, words=self.words)

    @cached_property
    def features_and_shares(self) -> tuple[Matrix, Matrix]:
        """The same, and the shares of likes that hints put into words."""
        fitted_on, answered = self.features
        return np.hstack([fitted_on, share_matrix(self.train)]), np.hstack([answered, share_matrix(self.rows)])

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


def _of_records(
    answer: Callable[[Sequence[Record], Sequence[Record], Labels], FloatRows],
) -> Callable[[Given], FloatRows]:
    return lambda given: answer(given.train, given.rows, given.labels)


BASELINES = (
    Baseline("always Yes", (), lambda given: always_yes(given.rows)),
    Baseline("item like-rate", (TRAINING, ITEMS), _of_records(item_like_rate)),
    Baseline("user like-rate", (TRAINING, USERS), _of_records(user_like_rate)),
    Baseline("history fraction liked", (HISTORIES,), lambda given: history_fraction(given.rows)),
    Baseline("item + user like-rate", (TRAINING, ITEMS, USERS), _of_records(item_and_user)),
    Baseline("matrix factorisation", (TRAINING, ITEMS, USERS), _of_records(matrix_factorisation)),
    Baseline("logistic regression", ON_FEATURES, lambda given: logistic_regression(given.liked, *given.features)),
    Baseline("boosted trees", ON_FEATURES, lambda given: boosted_trees(given.liked, *given.features)),
    Baseline("TF-IDF of the text", (TRAINING,), lambda given: text_regression(given.train, given.liked, given.rows)),
)
WITH_HINTS = (
    Baseline(
        "logistic regression, hints",
        ON_FEATURES,
        lambda given: logistic_regression(given.liked, *given.features_and_shares),
    ),
    Baseline("boosted trees, hints", ON_FEATURES, lambda given: boosted_trees(given.liked, *given.features_and_shares)),
)
"""They know what hints tell the model; for records with hints only."""


def baseline_systems(
    train: Sequence[Record], rows: Sequence[Record], labels: Labels, words: Words | None = None
) -> tuple[list[System], list[str]]:
    """Answer rows with every baseline that the records allow.

    Args:
        train: records to count in and fit on; may be empty.
        rows: records to answer.
        labels: which output is a like.
        words: in which the records speak of ratings, where that is known.

    Returns:
        The baselines in the order of the table, and for each one left out a line that says why, and one for what the
        words of the records do not tell.
    """
    given = Given(train, rows, labels, words=words)
    baselines = (*BASELINES, *WITH_HINTS) if has_shares((*train, *rows)) else BASELINES
    systems, left_out = [], []
    for one in baselines:
        lacking = [need for need in one.needs if need in given.lacking]
        if lacking:
            left_out.append(f"{one.name} is left out: it needs {', and '.join(lacking)}.")
        else:
            systems.append(System.from_probabilities(one.name, "baseline", one.answer(given)))
    if words is None and not given.lacking.intersection(ON_FEATURES):
        left_out += unread_columns(given.features[1])
    return systems, left_out
