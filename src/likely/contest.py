"""Every contestant's answers to the same rows, and how good they are: what `likely evaluate` finds out.

`evaluation` fills it from models and baselines; `report` and `html_report` show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from likely.answers import BoolRows, FloatRows
from likely.records import Record

Kind = Literal["baseline", "base", "adapter", "fusion"]


@dataclass(frozen=True)
class Contestant:
    """Answers of a model or a baseline, one entry a row in every array.

    Attributes:
        name: as shown in tables.
        kind: what it is.
        p_yes: probability of Yes, float64 [rows].
        says_yes: whether it says Yes, bool [rows]; of a model, whether its likeliest token is Yes.
        says_no: whether it says No, bool [rows]; a model may say neither.
    """

    name: str
    kind: Kind
    p_yes: FloatRows
    says_yes: BoolRows
    says_no: BoolRows


@dataclass(frozen=True)
class Standing:
    """How good a contestant is.

    Attributes:
        contestant: who.
        metrics: accuracy, f1, auc, uauc, log_loss, ece, answered.
        intervals: 95% intervals of accuracy, f1, auc, uauc, by resampling users.
        difference: its AUC minus that of the best baseline, and the 95% interval of that, on the same
            resamples; None for the best baseline itself.
    """

    contestant: Contestant
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    difference: tuple[float, float, float] | None


@dataclass(frozen=True)
class Contest:
    """All contestants on the same rows.

    Attributes:
        records: the rows.
        liked: the truth, bool [rows].
        users: whose rows they are.
        standings: in the order of the table.
        best_baseline: name of the baseline with the highest AUC.
    """

    records: Sequence[Record]
    liked: BoolRows
    users: Sequence[str]
    standings: Sequence[Standing]
    best_baseline: str
