"""Every system's answers to the same rows, and how good they are: what `likely evaluate` finds out.

`run` collects the answers of models and baselines and :func:`judge` measures them. `storage` keeps the result in a
run's folder, `report` shows it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from likely.data.records import Labels, Record
from likely.evaluation.features import has_history_counts, likes_of, times_of
from likely.evaluation.metrics import METRICS, Metric, effective_users, said_metrics, user_numbers, user_weights
from likely.evaluation.resampling import UserDraws, draw_users, interval, resampled_metrics
from likely.model.answers import BoolRows, FloatRows

Kind = Literal["baseline", "base", "adapter", "fusion", "given", "counting", "answer"]
DRAWS = 1000
COMPARED = ("uauc", "uauc_5", "gauc", "log_loss")
"""Metrics beside AUC of which every system's difference to the best baseline is known."""


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

    @classmethod
    def from_probabilities(cls, name: str, kind: Kind, p_yes: FloatRows) -> "System":
        """Return a system that says Yes from 0.5 on, and else No."""
        return cls(name, kind, p_yes, p_yes >= 0.5, p_yes < 0.5)


class Estimate(NamedTuple):
    """A figure with its 95% interval; nan stands for what is unknown."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def is_known(self) -> bool:
        """Whether there is a figure."""
        return math.isfinite(self.value)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval, None where they are unknown."""
        return (self.low, self.high) if math.isfinite(self.low) and math.isfinite(self.high) else None


@dataclass(frozen=True)
class SystemResult:
    """How good a system is.

    Attributes:
        system: who.
        metrics: those of :func:`likely.evaluation.metrics.answer_metrics`, as far as they are known.
        intervals: 95% intervals of all of them but ece and answered, by resampling users.
        difference: its AUC minus that of the best baseline, on the same resamples; None for the best baseline itself.
        differences: the same to every baseline and to counting alone, by its name; nothing to itself.
        beside_auc: the same of the metrics in `COMPARED`, to the baseline with the best AUC; nothing for itself.
    """

    system: System
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    difference: Estimate | None
    differences: Mapping[str, Estimate] = field(default_factory=dict)
    beside_auc: Mapping[str, Estimate] = field(default_factory=dict)

    def estimate(self, metric: str) -> Estimate:
        """Return a metric with its interval, nan for what is unknown."""
        return Estimate(self.metrics.get(metric, math.nan), *self.intervals.get(metric, ()))


@dataclass(frozen=True)
class Stratum:
    """Rows that are alike in what was known of them, and how systems rank these rows alone; see `strata`.

    Attributes:
        of: whose training records are counted, the row's candidate or its user.
        label: how many of them there are, such as "1–9".
        rows: how many rows.
        users: of how many users.
        areas: AUC of each system, by its name.
        differences: the same minus that of the baseline that is best on all rows, on the same resamples; not of itself.
    """

    of: Literal["item", "user"]
    label: str
    rows: int
    users: int
    areas: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]


@dataclass(frozen=True)
class RankingResult:
    """How well a system ranks: the means over users of ndcg, hit_rate and recall at 10."""

    name: str
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Ranking:
    """What users like, ranked among items that nobody asked about; see `ranking_metrics`.

    Attributes:
        users: how many users.
        others: items that each user's likes were ranked among, at most.
        sampled: whether these were drawn from more.
        results: of systems, in the order of the table.
    """

    users: int
    others: int
    sampled: bool
    results: Sequence[RankingResult]


@dataclass(frozen=True)
class Evaluation:
    """All systems on the same rows.

    Attributes:
        records: the rows.
        liked: the truth, bool [rows].
        users: whose rows they are.
        results: in the order of the table.
        best_baseline: name of the baseline with the highest AUC; empty without baselines.
        strata: the same on parts of the rows, none where nobody knows what was trained on.
        ranking: among all items, where that was asked for.
        notes: what a reader of the figures should know, a sentence each.
    """

    records: Sequence[Record]
    liked: BoolRows
    users: Sequence[str]
    results: Sequence[SystemResult]
    best_baseline: str
    strata: Sequence[Stratum] = ()
    ranking: Ranking | None = None
    notes: Sequence[str] = ()

    def of_kind(self, kind: Kind) -> list[SystemResult]:
        """Return the results of all systems of a kind."""
        return [result for result in self.results if result.system.kind == kind]

    def first_of(self, kind: Kind) -> SystemResult | None:
        """Return the result of the first system of a kind, None without any."""
        return next(iter(self.of_kind(kind)), None)

    @property
    def best_baseline_result(self) -> SystemResult | None:
        """The baseline that the others are measured against, None without baselines."""
        baselines = self.of_kind("baseline")
        return next((result for result in baselines if result.system.name == self.best_baseline), None)

    @property
    def main_result(self) -> SystemResult | None:
        """Whom a report is about: the run's answer, else the adapter, the base model or the best baseline."""
        models = (self.first_of(kind) for kind in ("answer", "adapter", "base"))
        return next((result for result in models if result), self.best_baseline_result)

    @property
    def worth_of_model(self) -> Estimate | None:
        """What the language model adds to counting: the answer's AUC minus that of counting alone; None without."""
        answer, counting = self.first_of("answer"), self.first_of("counting")
        return answer.differences.get(counting.system.name) if answer and counting else None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that any system has, in the order of tables; those within users only where rows name them."""
        known = {name for result in self.results for name in result.metrics}
        return [one for name, one in METRICS.items() if name in known and (self.names_users or not one.within_users)]

    def best(self, metric: Metric) -> float | None:
        """Return the best figure of any system, None where none is known or none is better than another."""
        known = [result.estimate(metric.name) for result in self.results]
        figures = [estimate.value for estimate in known if estimate.is_known]
        return metric.best(figures) if metric.best and figures else None

    @property
    def names_users(self) -> bool:
        """Whether records say whose they are; where they do not, every row counts as a user of its own."""
        return all(record.user_id for record in self.records)

    @property
    def counts_histories(self) -> bool:
        """Whether records say how much of their histories is liked, so that systems may go by that."""
        return has_history_counts(self.records)

    @property
    def counted_users(self) -> dict[str, int]:
        """How many users count for each metric within users, by its name: those with rows of both answers."""
        weights = user_weights(self.liked, user_numbers(self.users))
        return {name: int((weight > 0).sum()) for name, weight in weights.items()}

    @property
    def effective_users(self) -> float:
        """How many users with equally many rows these rows are worth."""
        return effective_users(user_numbers(self.users))

    @property
    def tied_rows(self) -> int:
        """How many rows share their time with another of the same user, drawn ones aside; none without times."""
        times = times_of(self.records)
        if times is None or not self.names_users:
            return 0
        told = zip(self.records, self.users, times.tolist(), strict=True)
        moments = Counter((user, time) for record, user, time in told if not record.is_drawn)
        return sum(rows for rows in moments.values() if rows > 1)

    @property
    def comparisons(self) -> int:
        """How many differences to the best baseline have an interval."""
        differences = [result.difference for result in self.results if result.difference]
        for known in (*(result.beside_auc for result in self.results), *(one.differences for one in self.strata)):
            differences += known.values()
        return sum(difference.interval is not None for difference in differences)

    @property
    def has_intervals(self) -> bool:
        """Whether resampling users says anything: of a single user, every resample is the same rows."""
        return len(set(self.users)) > 1


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
    figures = [said_metrics(liked, one.p_yes, one.says_yes, one.says_no, users) for one in systems]
    resampled = [_resample(system, liked, drawn) for system in systems]
    baselines = {one.name: place for place, one in enumerate(systems) if one.kind == "baseline"}
    best_baseline = max(
        baselines, key=lambda name: np.nan_to_num(figures[baselines[name]]["auc"], nan=-1.0), default=""
    )

    others = {one.name: place for place, one in enumerate(systems) if one.kind in ("baseline", "counting")}

    def difference(place: int, other: int, metric: str) -> Estimate:
        ends = interval(resampled[place][metric] - resampled[other][metric])
        return Estimate(figures[place][metric] - figures[other][metric], *ends)

    results = []
    for place, system in enumerate(systems):
        differences = {name: difference(place, other, "auc") for name, other in others.items() if name != system.name}
        beside_auc = {}
        if best_baseline in differences:
            beside_auc = {metric: difference(place, baselines[best_baseline], metric) for metric in COMPARED}
        intervals = {metric: interval(values) for metric, values in resampled[place].items()}
        to_best = differences.get(best_baseline)
        results.append(SystemResult(system, figures[place], intervals, to_best, differences, beside_auc))
    return Evaluation(list(records), liked, users, results, best_baseline)


def _resample(system: System, liked: BoolRows, drawn: UserDraws) -> dict[str, FloatRows]:
    figures = resampled_metrics(liked, system.p_yes, system.says_yes, system.says_no, drawn)
    if drawn.counts.shape[1] > 1:
        return figures
    # One user is always drawn: its resamples are the rows themselves and say nothing of other users.
    return {name: np.full_like(values, np.nan) for name, values in figures.items()}
