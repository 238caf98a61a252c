"""How good answers are: from what a model said (`answers`) to the figures of logs and tables.

Every figure is computed from the same rows for models and baselines, with scikit-learn where it has
the metric.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from likely.answers import Answers, BoolRows, FloatRows

ECE_BINS = 15


def answer_metrics(answers: Answers, users: Sequence[str | None] = ()) -> dict[str, float]:
    """Return the figures of a model's answers.

    Args:
        answers: what it said, any number of rows above 0.
        users: whose rows they are, for `uauc`; leave out where unknown.

    Returns:
        loss: mean negative log-likelihood of the right label over the whole vocabulary, in nats.
        accuracy: share of rows whose likeliest token is the right label (exact match).
        f1: of the positive label, by the likeliest token; an unanswered row is not a Yes.
        auc, uauc: area under the ROC curve of P(Yes) over all rows, and its unweighted mean over
            users with both labels; nan where a label is missing.
        log_loss, ece: of P(Yes) among the two labels; see :func:`calibration_error`.
        answered: share of rows whose likeliest token is one of the labels.
        label_mass: mean probability of the two labels together.
    """
    assert np.isfinite(answers.loss).all()
    assert np.isfinite(answers.label_mass).all()
    said_right = np.where(answers.liked, answers.says_yes, answers.says_no)
    return {
        "loss": float(answers.loss.mean()),
        "accuracy": float(said_right.mean()),
        "f1": f1(answers.liked, answers.says_yes),
        **ranking_metrics(answers.liked, answers.p_yes, users),
        "answered": float((answers.says_yes | answers.says_no).mean()),
        "label_mass": float(answers.label_mass.mean()),
    }


def probability_metrics(liked: BoolRows, p_yes: FloatRows, users: Sequence[str | None] = ()) -> dict[str, float]:
    """Return the figures of plain probabilities, as baselines give them; Yes is said from .5 on."""
    says_yes = p_yes >= 0.5
    return {
        "accuracy": float((says_yes == liked).mean()),
        "f1": f1(liked, says_yes),
        **ranking_metrics(liked, p_yes, users),
        "answered": 1.0,
    }


def ranking_metrics(liked: BoolRows, p_yes: FloatRows, users: Sequence[str | None] = ()) -> dict[str, float]:
    """Return auc, uauc (if users are known), log_loss and ece of probabilities."""
    assert len(liked) == len(p_yes) > 0
    assert np.isfinite(p_yes).all()
    assert len(users) in (0, len(p_yes))
    of_users = {"uauc": user_auc(liked, p_yes, users)} if len(users) and None not in users else {}
    return {
        "auc": auc(liked, p_yes),
        **of_users,
        "log_loss": log_loss(liked, p_yes),
        "ece": calibration_error(liked, p_yes),
    }


def auc(liked: BoolRows, scores: FloatRows) -> float:
    """Return the probability that a liked row scores above one that is not, ties counting half; nan without both."""
    from sklearn.metrics import roc_auc_score

    if liked.all() or not liked.any():
        return float("nan")
    return float(roc_auc_score(liked, scores))


def user_auc(liked: BoolRows, scores: FloatRows, users: Sequence[str | None]) -> float:
    """Return the unweighted mean of :func:`auc` over users with both labels (UAUC, as in CoLLM); nan without any."""
    rows_by_user = _rows_by_user(users)
    areas = [auc(liked[rows], scores[rows]) for rows in rows_by_user if 0 < liked[rows].sum() < len(rows)]
    return float(np.mean(areas)) if areas else float("nan")


def f1(liked: BoolRows, says_yes: BoolRows) -> float:
    """Return the harmonic mean of precision and recall of Yes; 0 if nothing right was said."""
    right = int((liked & says_yes).sum())
    said_or_true = int(liked.sum()) + int(says_yes.sum())
    return 2 * right / said_or_true if said_or_true else 0.0


def log_loss(liked: BoolRows, p_yes: FloatRows) -> float:
    """Return the mean negative log-likelihood in nats; probabilities are kept 1e-7 from 0 and 1."""
    p_true = np.where(liked, p_yes, 1 - p_yes).clip(1e-7, 1)
    return float(-np.log(p_true).mean())


def calibration_error(liked: BoolRows, p_yes: FloatRows) -> float:
    """Return the expected calibration error over 15 bins of equal width (Guo et al., arXiv 1706.04599).

    The mean, over rows, of the gap in their bin between the mean probability and the share liked.
    """
    bins = np.minimum((p_yes * ECE_BINS).astype(int), ECE_BINS - 1)
    surplus = np.bincount(bins, p_yes - liked, ECE_BINS)
    return float(np.abs(surplus).sum() / len(liked))


def user_interval(
    metric: Callable[[NDArray[np.int64]], float], users: Sequence[str], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return a 95% interval of a metric by resampling users with replacement.

    Args:
        metric: gets row indices (a user drawn twice has its rows twice) and returns a figure.
        users: whose rows they are.
        draws: number of resamples.
        seed: of the resamples.

    Returns:
        The 2.5% and 97.5% quantiles over the resamples that have the figure; nan if none has.
    """
    rows_by_user = _rows_by_user(users)
    random = np.random.default_rng(seed)
    figures = [
        metric(
            np.concatenate([rows_by_user[user] for user in random.integers(0, len(rows_by_user), len(rows_by_user))])
        )
        for _ in range(draws)
    ]
    known = [figure for figure in figures if not np.isnan(figure)]
    if not known:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _rows_by_user(users: Sequence[str | None]) -> list[NDArray[np.int64]]:
    """Return the row indices of each user."""
    _, user_of_row = np.unique(np.array([str(user) for user in users]), return_inverse=True)
    order = np.argsort(user_of_row, kind="stable")
    return np.split(order, np.cumsum(np.bincount(user_of_row))[:-1])
