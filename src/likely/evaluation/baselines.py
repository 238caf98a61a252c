"""What a sceptic would try first, on the same rows as the model: from counting likes to boosted trees.

Takes records (`records`) and their numbers (`features`) and gives `evaluation` a probability of Yes for
each row. Only training rows are counted and fitted on.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from likely.data.records import Labels, Record
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
    logit,
    share_matrix,
    sigmoid,
)
from likely.model.answers import BoolRows, FloatRows

TRAINING = "training records with both labels"
ITEMS = "item_id in every record"
USERS = "user_id in every record"
HISTORIES = "history_likes and history_length in every row"
TRAINING_HISTORIES = "history_likes and history_length in every training record"


def baseline_systems(train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> tuple[list[System], list[str]]:
    """Answer rows with every baseline that the records allow.

    Args:
        train: records to count in and fit on; may be empty.
        rows: records to answer.
        labels: which output is a like.

    Returns:
        The baselines in the order of the table, and for each one left out a line that says why. Two of them know
        what hints tell the model, where records have hints.
    """
    everything = (*train, *rows)
    liked = likes_of(train, labels)
    facts = {
        TRAINING: bool(liked.any() and not liked.all()),
        ITEMS: all(record.item_id is not None for record in everything),
        USERS: all(record.user_id is not None for record in everything),
        HISTORIES: has_history_counts(rows),
        TRAINING_HISTORIES: has_history_counts(train),
    }
    on_features = (TRAINING, ITEMS, HISTORIES, TRAINING_HISTORIES)
    fitted_on = answered = np.empty((0, len(FEATURES)))
    if all(facts[need] for need in on_features):
        items = count_likes(item_keys(train), liked)
        fitted_on, answered = feature_matrix(train, items, own=liked), feature_matrix(rows, items)
    hinted = all(facts[need] for need in on_features) and has_shares(everything)
    plans: list[tuple[str, tuple[str, ...], Callable[[], FloatRows]]] = [
        ("always Yes", (), lambda: always_yes(rows)),
        ("item like-rate", (TRAINING, ITEMS), lambda: item_like_rate(train, rows, labels)),
        ("user like-rate", (TRAINING, USERS), lambda: user_like_rate(train, rows, labels)),
        ("history fraction liked", (HISTORIES,), lambda: history_fraction(rows)),
        ("item + user like-rate", (TRAINING, ITEMS, USERS), lambda: item_and_user(train, rows, labels)),
        ("matrix factorisation", (TRAINING, ITEMS, USERS), lambda: matrix_factorisation(train, rows, labels)),
        ("logistic regression", on_features, lambda: logistic_regression(fitted_on, liked, answered)),
        ("boosted trees", on_features, lambda: boosted_trees(fitted_on, liked, answered)),
    ]
    if hinted:
        fitted_with, answered_with = (
            np.column_stack([known, share_matrix(records)]) for known, records in ((fitted_on, train), (answered, rows))
        )
        plans += [
            ("logistic regression, hints", (), lambda: logistic_regression(fitted_with, liked, answered_with)),
            ("boosted trees, hints", (), lambda: boosted_trees(fitted_with, liked, answered_with)),
        ]
    systems, left_out = [], []
    for name, needs, answer in plans:
        lacking = [need for need in needs if not facts[need]]
        if lacking:
            left_out.append(f"{name} is left out: it needs {', and '.join(lacking)}.")
        else:
            p_yes = answer()
            systems.append(System(name, "baseline", p_yes, p_yes >= 0.5, p_yes < 0.5))
    return systems, left_out


def always_yes(rows: Sequence[Record]) -> FloatRows:
    """Return 1 for each row: the F1 that knowing nothing gives.

    Returns:
        float64 [rows].
    """
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
    """Return the share of the training records of each row's user that were likes, smoothed like that of items.

    Returns:
        float64 [rows].
    """
    return like_rates(count_likes(_user_keys(train), likes_of(train, labels)), _user_keys(rows))


def item_and_user(train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> FloatRows:
    """Return the two like-rates as one: their log-odds added, less the overall one that both of them hold.

    Returns:
        float64 [rows].
    """
    overall = np.array([likes_of(train, labels).mean()])
    return sigmoid(prior_logits(train, rows, labels).sum(axis=1) - logit(overall))


def prior_logits(train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> NDArray[np.float64]:
    """Return the log-odds of the like-rates of each row's item and user, float64 [rows, 2]."""
    rates = (item_like_rate(train, rows, labels), user_like_rate(train, rows, labels))
    return np.column_stack([logit(rate) for rate in rates])


def matrix_factorisation(
    train: Sequence[Record], rows: Sequence[Record], labels: Labels, factors: int = 16, steps: int = 60
) -> FloatRows:
    """Return sigmoid(m + a_user + b_item + u_user . v_item), fitted to the training rows.

    Logistic matrix factorisation with biases (Johnson 2014; biases of Koren et al. 2009), m being the overall
    log-odds, by Adam over all rows at once. `implicit` has one too, but it takes every pair that was not seen
    for a dislike; here dislikes are explicit and the unseen says nothing, and no further package is needed.
    Penalties, factors and steps are those with the best AUC on the eval rows of MovieLens latest-small. Users
    and items without training rows have zeros.

    Returns:
        float64 [rows].
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

    def log_odds(places: Sequence[torch.Tensor]) -> torch.Tensor:
        user, item = (table[place] for table, place in zip(tables, places, strict=True))
        return overall + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(dim=1)

    optimizer = torch.optim.Adam(tables, lr=0.1)
    for _ in range(steps):
        misfit = torch.nn.functional.binary_cross_entropy_with_logits(log_odds(of_train), liked, reduction="sum")
        penalty = torch.stack([(table.square() * penalties).sum() for table in tables]).sum()
        optimizer.zero_grad()
        ((misfit + penalty / 2) / len(liked)).backward()
        optimizer.step()
    with torch.no_grad():
        return np.asarray(log_odds(of_rows).sigmoid().double().numpy())


def boosted_trees(fitted_on: NDArray[np.float64], liked: BoolRows, answered: NDArray[np.float64]) -> FloatRows:
    """Fit scikit-learn's histogram gradient boosting (after LightGBM) on `features.FEATURES` and more.

    Default settings, no early stopping, and one constraint: a higher like-rate of the item never lowers the
    answer. Without it, trees see through leaving a row out of its own rate (among rows of the same item the
    likes have the lower rate) and learn the training labels: AUC .875 on the training rows of MovieLens
    latest-small and .779 on its eval rows, against .813 and .801.

    Args:
        fitted_on: float64 [fitted rows, columns], each row left out of its own like-rate; the first 8 columns are
            those of `FEATURES`.
        liked: bool [fitted rows], with both labels.
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


def logistic_regression(fitted_on: NDArray[np.float64], liked: BoolRows, answered: NDArray[np.float64]) -> FloatRows:
    """Fit scikit-learn's logistic regression on standardised columns, missing values at their median.

    Args:
        fitted_on: float64 [fitted rows, columns].
        liked: bool [fitted rows], with both labels.
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
