"""Every system's answers to the same rows, and how good they are: what `likely evaluate` finds out.

`evaluation` fills it from models and baselines; `results` and `html_report` show it. It is kept in a
run's folder, figures in one file and rows in another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from likely.data.records import Labels, Record
from likely.evaluation.features import likes_of
from likely.evaluation.metrics import said_metrics
from likely.evaluation.resampling import UserDraws, draw_users, interval, resampled_metrics
from likely.model.answers import BoolRows, FloatRows

Kind = Literal["baseline", "base", "adapter", "fusion"]


@dataclass(frozen=True)
class System:
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
class SystemResult:
    """How good a system is.

    Attributes:
        system: who.
        metrics: accuracy, f1, auc, uauc, log_loss, ece, answered.
        intervals: 95% intervals of accuracy, f1, auc, uauc, by resampling users.
        difference: its AUC minus that of the best baseline, and the 95% interval of that, on the same
            resamples; None for the best baseline itself.
        differences: the same to every baseline, by its name; nothing to itself.
    """

    system: System
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    difference: tuple[float, float, float] | None
    differences: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """All systems on the same rows.

    Attributes:
        records: the rows.
        liked: the truth, bool [rows].
        users: whose rows they are.
        results: in the order of the table.
        best_baseline: name of the baseline with the highest AUC.
    """

    records: Sequence[Record]
    liked: BoolRows
    users: Sequence[str]
    results: Sequence[SystemResult]
    best_baseline: str


DRAWS = 1000


def judge(records: Sequence[Record], labels: Labels, systems: Sequence[System], seed: int = 0) -> Evaluation:
    """Measure systems, baselines among them, and their differences to the best baseline.

    Args:
        records: the rows; those without `user_id` count as users of their own.
        labels: which output is a like.
        systems: in the order of the table.
        seed: of the resamples, the same ones for everybody.
    """
    known = all(record.user_id for record in records)
    users = [str(record.user_id) if known else f"row {row}" for row, record in enumerate(records, start=1)]
    liked = likes_of(records, labels)
    drawn = draw_users(users, DRAWS, seed)
    figures = [said_metrics(liked, c.p_yes, c.says_yes, c.says_no, users) for c in systems]
    areas = {c.name: own["auc"] for c, own in zip(systems, figures, strict=True) if c.kind == "baseline"}
    best_baseline = max(areas, key=lambda name: np.nan_to_num(areas[name], nan=-1.0))
    resampled = [_resample(system, liked, drawn) for system in systems]
    places = {system.name: place for place, system in enumerate(systems)}
    results = []
    for system, own, draws in zip(systems, figures, resampled, strict=True):
        differences = {
            name: (own["auc"] - area, *interval(draws["auc"] - resampled[places[name]]["auc"]))
            for name, area in areas.items()
            if name != system.name
        }
        intervals = {metric: interval(values) for metric, values in draws.items()}
        results.append(SystemResult(system, own, intervals, differences.get(best_baseline), differences))
    return Evaluation(list(records), liked, users, results, best_baseline)


def _resample(system: System, liked: BoolRows, drawn: UserDraws) -> dict[str, FloatRows]:
    figures = resampled_metrics(liked, system.p_yes, system.says_yes, system.says_no, drawn)
    if drawn.counts.shape[1] > 1:
        return figures
    # One user is always drawn: its resamples are the rows themselves and say nothing of other users.
    return {name: np.full_like(values, np.nan) for name, values in figures.items()}
