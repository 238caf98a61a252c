"""What becomes of a user's timeline: which ratings are history, which are candidates, and in which split."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from likely.config.table_config import TableConfig
from likely.errors import LikelyError

Split = Literal["train", "eval", "test"]


SPLITS: tuple[Split, ...] = ("train", "eval", "test")
NOT_HELD_OUT = ("warmup", "train")
"""Parts of a timeline whose ratings may be told to others."""

WARMUP = 15
LONG_WINDOW = re.compile(r"0*(?:[2-9]|[1-9]\d{1,5})H")
"""A window that grows to so many times `history_length`, from twice on."""


@dataclass(frozen=True)
class SplitProtocol:
    """What becomes of a timeline of n ratings, at positions 0 to n - 1.

    The first `warmup` ratings are history only. Of the m ratings after them the last
    max(1, floor(m * test_fraction)) are test rows, the max(1, floor(m * eval_fraction)) before
    those are eval rows and the others train rows. Where m is too small for all three, test rows
    come first, then eval rows: m = 1 gives a test row, m = 2 an eval and a test row, and a user
    with m <= 0 has no rows.

    Where the split is "global-time", the ratings after all warm-ups are cut at two moments for everybody. The last of
    them are test rows, at least the share `test_fraction`, and the last of those before are eval rows, at least
    `eval_fraction` of all. Rows of the same time are in one part, the later one. So a user may have rows of any part,
    or of one alone.

    Where the split is given, every rating is a row of the part that it comes from, but for train ratings among the
    first `warmup`, which are history only. The two fractions are not used then.

    Attributes:
        warmup: ratings at the beginning of a timeline that are never candidates.
        history_length: ratings in a record's history; see :func:`window_start`.
        window: "anchored" histories of one user share their beginning, "sliding" ones do not; "all" shows all that
            came before, and "5H", or another number from 2 on, is anchored but grows to five times `history_length`
            ratings. "2H" shows what "anchored" does.
        like_threshold: a rating from here on is a like.
        hints: end every record with what :func:`likely.data.wording.hint` says of its user and candidate.
        short_hints: whether hints are in their short form.
        candidate_line: show the candidate as lines of the history show items; see :mod:`likely.data.question`.
        test_fraction: share of the ratings after the warm-up.
        eval_fraction: share of the ratings after the warm-up.
        split: "time" as above, by the times of each user; "global-time", by those of all; or "given" with the data.
        history_from: of a given split, "train" keeps ratings of its other parts out of histories; "all" does not.
        negatives: items drawn for every like that the user had not taken by then; they are candidates only.

    Raises:
        LikelyError: a value is out of range.
    """

    warmup: int = WARMUP
    history_length: int = 15
    window: str = "anchored"
    like_threshold: float = 4.0
    hints: bool = False
    short_hints: bool = False
    candidate_line: bool = False
    test_fraction: float = 0.10
    eval_fraction: float = 0.05
    split: Literal["time", "global-time", "given"] = "time"
    history_from: Literal["all", "train"] = "all"
    negatives: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        check_positive("history_length", self.history_length)
        if self.split not in ("time", "global-time", "given"):
            raise LikelyError(f"split is {self.split!r}; set it to time, or to global-time for one cut for everybody.")
        if self.split != "given":
            check_positive("warmup", self.warmup)
        for name in ("warmup", "negatives"):
            if getattr(self, name) < 0:
                raise LikelyError(f"{name} is {getattr(self, name)}; set it to 0 or more.")
        if self.hints and (self.negatives or self.history_from == "train"):
            raise LikelyError(
                "hints count likes of all that came before, so they go with neither negatives nor history_from train; "
                "leave one out."
            )
        if self.short_hints and not self.hints:
            raise LikelyError("short_hints are a form of hints, which are off; set both or neither.")
        if self.window not in ("anchored", "sliding", "all") and not LONG_WINDOW.fullmatch(self.window):
            raise LikelyError(
                f"window is {self.window!r}; set it to anchored, sliding, all, or a multiple of history_length from 2H "
                "on, such as 5H."
            )
        if not math.isfinite(self.like_threshold):
            raise LikelyError(f"like_threshold is {self.like_threshold}; set it to a number inside the scale.")
        for name in ("test_fraction", "eval_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise LikelyError(f"{name} is {getattr(self, name)}; set it between 0 and 1.")
        if self.test_fraction + self.eval_fraction >= 1:
            raise LikelyError("test_fraction and eval_fraction leave nothing to train on; lower their sum below 1.")

    @property
    def is_long(self) -> bool:
        """Whether histories may outgrow `cutoff_len`, so that prompts are cut where a user's other records are too."""
        return self.window not in ("anchored", "sliding")


def check_positive(name: str, value: int) -> None:
    """Raise a LikelyError if a count is below 1."""
    if value < 1:
        raise LikelyError(f"{name} is {value}; set it to 1 or more.")


def protocol_of(
    table: TableConfig,
    *,
    warmup: int | None = None,
    history_length: int = 15,
    window: str = "anchored",
    hints: bool = False,
    short_hints: bool = False,
    candidate_line: bool = False,
) -> SplitProtocol:
    """Return what becomes of the timelines of a table.

    Args:
        table: says the threshold of a like, and more.
        warmup: None for 15, or for 0 where the split is given.
        history_length: as in :class:`SplitProtocol`, like the others.
        window: likewise.
        hints: likewise.
        short_hints: likewise; they are hints, whether or not these are asked for too.
        candidate_line: likewise.

    Raises:
        LikelyError: a value is out of range, the table does not say what a like is, or it has nothing for hints to
            count.
    """
    hints = hints or short_hints
    if hints and table.implicit:
        raise LikelyError("hints compare ratings, and implicit data have none; leave one of them out.")
    return SplitProtocol(
        warmup=(0 if table.is_split else WARMUP) if warmup is None else warmup,
        history_length=history_length,
        window=window,
        like_threshold=table.threshold,
        hints=hints,
        short_hints=short_hints,
        candidate_line=candidate_line,
        split="given" if table.is_split else table.split,
        history_from=table.history_from,
        negatives=table.negatives,
    )
