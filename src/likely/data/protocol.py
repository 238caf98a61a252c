"""What becomes of a user's timeline: which ratings are history, which are candidates, and in which split."""

import math
from dataclasses import dataclass
from typing import Literal

from likely.errors import LikelyError

Split = Literal["train", "eval", "test"]


SPLITS: tuple[Split, ...] = ("train", "eval", "test")


@dataclass(frozen=True)
class SplitProtocol:
    """What becomes of a timeline of n ratings, at positions 0 to n - 1.

    The first `warmup` ratings are history only. Of the m ratings after them the last
    max(1, floor(m * test_fraction)) are test rows, the max(1, floor(m * eval_fraction)) before
    those are eval rows and the others train rows. Where m is too small for all three, test rows
    come first, then eval rows: m = 1 gives a test row, m = 2 an eval and a test row, and a user
    with m <= 0 has no rows.

    Attributes:
        warmup: ratings at the beginning of a timeline that are never candidates.
        history_length: ratings in a record's history; see :func:`window_start`.
        window: "anchored" histories of one user share their beginning, "sliding" ones do not.
        like_threshold: a rating from here on is a like.
        hints: end every record with what :func:`likely.data.wording.hint` says of its user and candidate.
        test_fraction: share of the ratings after the warm-up.
        eval_fraction: share of the ratings after the warm-up.

    Raises:
        LikelyError: a value is out of range.
    """

    warmup: int = 15
    history_length: int = 15
    window: Literal["anchored", "sliding"] = "anchored"
    like_threshold: float = 4.0
    hints: bool = False
    test_fraction: float = 0.10
    eval_fraction: float = 0.05

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("warmup", "history_length"):
            check_positive(name, getattr(self, name))
        if self.window not in ("anchored", "sliding"):
            raise LikelyError(f"window is {self.window!r}; set it to anchored or sliding.")
        if not math.isfinite(self.like_threshold):
            raise LikelyError(f"like_threshold is {self.like_threshold}; set it to a number inside the scale.")
        for name in ("test_fraction", "eval_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise LikelyError(f"{name} is {getattr(self, name)}; set it between 0 and 1.")
        if self.test_fraction + self.eval_fraction >= 1:
            raise LikelyError("test_fraction and eval_fraction leave nothing to train on; lower their sum below 1.")


def check_positive(name: str, value: int) -> None:
    """Raise a LikelyError if a count is below 1."""
    if value < 1:
        raise LikelyError(f"{name} is {value}; set it to 1 or more.")
