"""How good answers are: from what a model said (`model.answers`) to the figures of logs and tables.

Every figure is computed from the same rows for models and baselines, with scikit-learn where it has the metric.
`METRICS` says how a metric is called and shown, and `report` and `cli` show it so everywhere.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import sklearn.metrics

from likely.model.answers import Answers, BoolRows, FloatRows, Places

ECE_BINS = 15
CLIP = 1e-7
"""Probabilities are kept so far from 0 and 1 where their logarithm is taken."""

FEWEST_ROWS = 5
"""Rows of a user that counts for `uauc_5`: of two or three rows, chance alone makes an AUC of 0 or 1."""


@dataclass(frozen=True)
class Metric:
    """How a metric is called and shown.

    Attributes:
        name: its key in figures.
        label: what a person reads where there is room.
        short: the same at the head of a narrow column.
        best: picks the best of several figures; None where none is better than another.
        in_percent: whether it is shown as a percentage.
        within_users: whether it compares rows of the same user alone, which takes rows that name their users.
    """

    name: str
    label: str
    short: str
    best: Callable[[Iterable[float]], float] | None = max
    in_percent: bool = False
    within_users: bool = False


METRICS = {
    metric.name: metric
    for metric in (
        Metric("loss", "loss", "loss", min),
        Metric("accuracy", "accuracy", "acc."),
        Metric("f1", "F1 (Yes)", "F1"),
        Metric("auc", "AUC", "AUC"),
        Metric("uauc", "UAUC", "UAUC", within_users=True),
        Metric("uauc_5", "UAUC, 5 rows", "UAUC,\n5 rows", within_users=True),
        Metric("gauc", "GAUC", "GAUC", within_users=True),
        Metric("log_loss", "log-loss", "log-\nloss", min),
        Metric("ece", "ECE", "ECE", min),
        Metric("answered", "answered", "ans-\nwered", None, in_percent=True),
    )
}
"""Every metric that a person sees, in the order of tables; its figures are those of :func:`answer_metrics`."""


def answer_metrics(answers: Answers, users: Sequence[str | None] = ()) -> dict[str, float]:
    """Return the figures of a model's answers.

    Args:
        answers: what it said, any number of rows above 0.
        users: whose rows they are, for `uauc`; leave out where unknown.

    Returns:
        loss: mean negative log-likelihood of the right label over the whole vocabulary, in nats.
        accuracy: share of rows whose likeliest token is the right label (exact match).
        f1: of the positive label, by the likeliest token; an unanswered row is not a Yes.
        auc: area under the ROC curve of P(Yes) over all rows; nan where a label is missing.
        uauc, uauc_5, gauc: means of the same area within each user; see :func:`user_aucs`.
        log_loss, ece: of P(Yes) among the two labels; see :func:`calibration_error`.
        answered: share of rows whose likeliest token is one of the labels.
        label_mass: mean probability of the two labels together.
    """
    assert np.isfinite(answers.loss).all()
    assert np.isfinite(answers.label_mass).all()
    return {
        "loss": float(answers.loss.mean()),
        **said_metrics(answers.liked, answers.p_yes, answers.says_yes, answers.says_no, users),
        "label_mass": float(answers.label_mass.mean()),
    }


def probability_metrics(liked: BoolRows, p_yes: FloatRows, users: Sequence[str | None] = ()) -> dict[str, float]:
    """Return the figures of plain probabilities, as baselines give them; Yes is said from 0.5 on."""
    return said_metrics(liked, p_yes, p_yes >= 0.5, p_yes < 0.5, users)


def said_metrics(
    liked: BoolRows, p_yes: FloatRows, says_yes: BoolRows, says_no: BoolRows, users: Sequence[str | None] = ()
) -> dict[str, float]:
    """Return accuracy, f1, auc, those of :func:`user_aucs` (if users are known), log_loss, ece and answered."""
    assert len(liked) == len(p_yes) > 0
    assert np.isfinite(p_yes).all()
    assert len(users) in (0, len(p_yes))
    return {
        "accuracy": float(np.where(liked, says_yes, says_no).mean()),
        "f1": f1(liked, says_yes),
        "auc": auc(liked, p_yes),
        **(user_aucs(liked, p_yes, users) if len(users) and None not in users else {}),
        "log_loss": log_loss(liked, p_yes),
        "ece": calibration_error(liked, p_yes),
        "answered": float((says_yes | says_no).mean()),
    }


def auc(liked: BoolRows, scores: FloatRows) -> float:
    """Return the probability that a liked row scores above one that is not, ties counting half; nan without both."""
    if liked.all() or not liked.any():
        return float("nan")
    return float(sklearn.metrics.roc_auc_score(liked, scores))


def user_aucs(liked: BoolRows, scores: FloatRows, users: Sequence[str | None]) -> dict[str, float]:
    """Return means of :func:`auc` over users with both labels; nan where no user counts.

    uauc has every user count the same (as in CoLLM, Zhang et al., arXiv 2310.19488), uauc_5 those with at least
    `FEWEST_ROWS` rows, and gauc counts users by their rows (Zhu et al., Optimized cost per click in Taobao display
    advertising, KDD 2017).
    """
    user_of_row = user_numbers(users)
    areas = np.nan_to_num(area_by_user(liked, scores, user_of_row))
    weights = user_weights(liked, user_of_row)
    return {
        name: float(weight @ areas / weight.sum()) if weight.any() else float("nan") for name, weight in weights.items()
    }


def user_weights(liked: BoolRows, user_of_row: Places) -> dict[str, FloatRows]:
    """Return how much each user counts for the means of :func:`user_aucs`, each float64 [users]."""
    rows = np.bincount(user_of_row)
    likes = np.bincount(user_of_row, liked, len(rows))
    has_both = (likes > 0) & (likes < rows)
    return {
        "uauc": has_both.astype(float),
        "uauc_5": (has_both & (rows >= FEWEST_ROWS)).astype(float),
        "gauc": np.where(has_both, rows, 0).astype(float),
    }


def effective_users(user_of_row: Places) -> float:
    """Return how many users with equally many rows would tell as much of a mean over rows (Kish, 1965).

    The square of the number of rows by the sum of the squares of each user's: as many as there are users where
    all have equally many, and fewer the more a few of them dominate.
    """
    rows = np.bincount(user_of_row).astype(float)
    return float(rows.sum() ** 2 / (rows**2).sum())


def f1(liked: BoolRows, says_yes: BoolRows) -> float:
    """Return the harmonic mean of precision and recall of Yes; 0 if nothing right was said."""
    return float(sklearn.metrics.f1_score(liked, says_yes, zero_division=0.0))


def log_loss(liked: BoolRows, p_yes: FloatRows) -> float:
    """Return the mean negative log-likelihood in nats; probabilities are kept `CLIP` from 0 and 1."""
    return float(sklearn.metrics.log_loss(liked, p_yes.clip(CLIP, 1 - CLIP), labels=[False, True]))


def surprises(liked: BoolRows, p_yes: FloatRows) -> FloatRows:
    """Return the negative log-likelihood of each row in nats, float64 [rows], whose mean is :func:`log_loss`."""
    return np.asarray(-np.log(np.where(liked, p_yes, 1 - p_yes).clip(CLIP, 1 - CLIP)))


def calibration_error(liked: BoolRows, p_yes: FloatRows) -> float:
    """Return the expected calibration error over 15 bins of equal width (Guo et al., arXiv 1706.04599).

    The mean, over rows, of the gap in their bin between the mean probability and the share liked.
    """
    bins = np.minimum((p_yes * ECE_BINS).astype(int), ECE_BINS - 1)
    surplus = np.bincount(bins, p_yes - liked, ECE_BINS)
    return float(np.abs(surplus).sum() / len(liked))


def area_by_user(liked: BoolRows, scores: FloatRows, user_of_row: Places) -> FloatRows:
    """Return :func:`auc` of each user by the ranks of its liked rows (Mann and Whitney), float64 [users]."""
    order = np.lexsort((scores, user_of_row))
    users, ordered, likes = user_of_row[order], scores[order], liked[order]
    starts = np.flatnonzero(np.r_[True, (users[1:] != users[:-1]) | (ordered[1:] != ordered[:-1])])
    stops = np.r_[starts[1:], len(users)]
    rows = np.bincount(users)
    # Tied rows share the mean of their ranks, which count from 1 within each user.
    ranks = np.repeat((starts + 1 + stops) / 2, stops - starts) - (np.cumsum(rows) - rows)[users]
    positives = np.bincount(users, likes, len(rows))
    won = np.bincount(users, ranks * likes, len(rows)) - positives * (positives + 1) / 2
    return quotient(won, positives * (rows - positives))


def quotient(dividend: FloatRows, divisor: FloatRows) -> FloatRows:
    """Return the quotient, nan where it would be by 0."""
    return np.asarray(np.divide(dividend, divisor, out=np.full(len(dividend), np.nan), where=divisor > 0))


def user_numbers(users: Sequence[str | None]) -> Places:
    """Return whose row it is as a number from 0, in the order of the users' names."""
    _, user_of_row = np.unique(np.array([str(user) for user in users]), return_inverse=True)
    return np.asarray(user_of_row, dtype=np.int64)
