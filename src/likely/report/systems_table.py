"""What the page's table of systems needs beside their figures: the scales of its bars, and words.

Takes a :class:`likely.evaluation.contest.Evaluation`; `templates/systems.html` lays the table out.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from likely.evaluation.contest import Estimate, Evaluation
from likely.evaluation.metrics import METRICS
from likely.report.words import resampled, rows_of_users, show, show_interval, show_signed, uncorrected

KINDS = {"baseline": "baseline", "base": "base model", "adapter": "adapter", "fusion": "fusion", "given": "given"}
KINDS |= {"counting": "counting", "answer": "answer"}
WIDTH, MARGIN, LABEL = 150, 6, 42
"""Of a bar, in CSS pixels; the margin keeps a dot at the end of the scale whole, and a label is this wide."""


@dataclass(frozen=True)
class Scale:
    """What the bars of a column span, from the left end to the right one."""

    low: float
    high: float

    @property
    def has_zero(self) -> bool:
        """Whether zero is on it."""
        return self.low <= 0 <= self.high

    @property
    def ends(self) -> tuple[str, str]:
        """What is written at the two ends."""
        written = show_signed if self.has_zero else show
        return written(self.low, 2), written(self.high, 2)

    def place(self, value: float) -> float:
        """Return where a value is, in pixels."""
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (value - self.low) / (self.high - self.low), 1)

    @property
    def marks(self) -> list[tuple[float, str, str]]:
        """Place, anchor and text of zero, if it is there, and of the ends that are clear of it."""
        marks = [(float(MARGIN), "start", self.ends[0]), (float(WIDTH - MARGIN), "end", self.ends[1])]
        if not self.has_zero:
            return marks
        zero = self.place(0)
        return [*(mark for mark in marks if abs(zero - mark[0]) > LABEL), (zero, "middle", "0")]


def scale_of(estimates: Iterable[Estimate | None], always: tuple[float, ...] = ()) -> Scale | None:
    """Return a scale in steps of 0.05 on which all estimates fit, and `always`; None without an estimate."""
    known = [value for estimate in estimates if estimate for value in estimate if math.isfinite(value)]
    if not known:
        return None
    known += always
    low, high = math.floor(min(known) * 20) / 20, math.ceil(max(known) * 20) / 20
    return Scale(low, high if high > low else low + 0.05)


def spoken(estimate: Estimate, signed: bool = False) -> str:
    """Return an estimate for those who do not see its bar."""
    figure = (show_signed if signed else show)(estimate.value)
    return f"{figure}, {show_interval(estimate, 3, signed, ' to ')}" if estimate.interval else figure


def table_values(evaluation: Evaluation) -> dict[str, Any]:
    """Return what the template of the table needs beside the evaluation itself."""
    return {
        "areas": scale_of(result.estimate("auc") for result in evaluation.results),
        "differences": scale_of((result.difference for result in evaluation.results), (0.0,)),
        "auc": METRICS["auc"],
        "metrics": [metric for metric in evaluation.metrics if metric.name != "auc"],
        "kinds": KINDS,
        "rows": rows_of_users(evaluation),
        "resampled": resampled(evaluation),
        "uncorrected": uncorrected(evaluation),
    }
