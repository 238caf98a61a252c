"""95% intervals: figures over resamples of users, the same resamples for everybody.

Takes truth, answers and whose rows they are, and gives `contest` and `groups` the figures of every resample at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likely.evaluation.metrics import area_by_user, quotient, surprises, user_numbers, user_weights
from likely.model.answers import BoolRows, FloatRows, Matrix, Places

BLOCK = 4_000_000
"""Most weights, rows times resamples, that are held at once."""


@dataclass(frozen=True)
class UserDraws:
    """Resamples of users with replacement; with the same ones for everybody, differences are paired.

    Attributes:
        user_of_row: whose row it is, int64 [rows].
        counts: how often each user was drawn, uint8 [draws, users]: a byte each, as users may be millions.
    """

    user_of_row: Places
    counts: NDArray[np.uint8]

    def blocks(self, width: int) -> Iterator[Matrix]:
        """Yield the counts of some resamples after others, float64 [some, users], few enough for rows of `width`."""
        for block in np.array_split(self.counts, len(self.counts) * width // BLOCK + 1):
            yield block.astype(float)

    def sums(self, of_users: FloatRows) -> FloatRows:
        """Return the sums over the users of every resample, float64 [draws] of [users], or [draws, k] of [users, k]."""
        return np.concatenate([block @ of_users for block in self.blocks(len(of_users))])


def interval(figures: FloatRows) -> tuple[float, float]:
    """Return the 2.5% and 97.5% quantiles over the resamples that have the figure; nan if none has."""
    known = figures[~np.isnan(figures)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def draw_users(users: Sequence[str | None], draws: int, seed: int = 0) -> UserDraws:
    """Draw as many users as there are, with replacement, again and again.

    Args:
        users: whose rows they are.
        draws: number of resamples.
        seed: of the resamples.
    """
    user_of_row = user_numbers(users)
    number = int(user_of_row.max()) + 1
    random = np.random.default_rng(seed)
    counts = np.empty((draws, number), dtype=np.uint8)
    for one in counts:
        drawn = np.bincount(random.integers(0, number, number), minlength=number)
        assert drawn.max() < 256  # with replacement, as many as there are: beyond 20 is a wonder
        one[:] = drawn
    return UserDraws(user_of_row, counts)


def resampled_metrics(
    liked: BoolRows, p_yes: FloatRows, says_yes: BoolRows, says_no: BoolRows, drawn: UserDraws
) -> dict[str, FloatRows]:
    """Return figures of every resample, each float64 [draws]; nan where a resample has none.

    They are accuracy, f1, auc, log_loss and those of :func:`likely.evaluation.metrics.user_aucs`.

    All but auc are quotients of sums over users, so that a resample only weights its users.
    """
    users = drawn.counts.shape[1]

    def summed(values: NDArray[np.generic]) -> FloatRows:
        return drawn.sums(np.bincount(drawn.user_of_row, values, users).astype(float))

    areas = np.nan_to_num(area_by_user(liked, p_yes, drawn.user_of_row))
    weights = user_weights(liked, drawn.user_of_row)
    rows = summed(np.ones(len(liked)))
    said_or_true = summed(liked) + summed(says_yes)
    return {
        "accuracy": summed(np.where(liked, says_yes, says_no)) / rows,
        "f1": np.nan_to_num(quotient(2 * summed(liked & says_yes), said_or_true)),
        "auc": resampled_auc(liked, p_yes, drawn),
        "log_loss": summed(surprises(liked, p_yes)) / rows,
        **{name: quotient(drawn.sums(one * areas), drawn.sums(one)) for name, one in weights.items()},
    }


def resampled_auc(liked: BoolRows, scores: FloatRows, drawn: UserDraws) -> FloatRows:
    """Return :func:`auc` of every resample, float64 [draws], with the rows sorted once for all of them.

    A row counts as often as its user was drawn. The pairs that a liked row wins are the weight of the
    other rows with a lower score, which is a place in their running sum; ties are half of what is between two
    places.
    """
    order = np.argsort(scores[~liked], kind="stable")
    sorted_scores = scores[~liked][order]
    owners, liked_owners = drawn.user_of_row[~liked][order], drawn.user_of_row[liked]
    below = np.searchsorted(sorted_scores, scores[liked], "left")
    up_to = np.searchsorted(sorted_scores, scores[liked], "right")
    areas = []
    for block in drawn.blocks(len(liked)):
        running = np.zeros((len(block), len(owners) + 1))
        np.cumsum(block[:, owners], axis=1, out=running[:, 1:])
        weights = block[:, liked_owners]
        won = np.einsum("ij,ij->i", weights, running[:, below] + running[:, up_to]) / 2
        areas.append(quotient(won, weights.sum(axis=1) * running[:, -1]))
    return np.concatenate(areas)
