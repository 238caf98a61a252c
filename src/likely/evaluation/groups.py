"""Which systems a report draws, and how they do on groups of its rows, by history or by popularity of the movie.

Takes a :class:`likely.evaluation.contest.Evaluation`; its groups and their AUC go to `report_figures`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likely.evaluation.contest import Evaluation, Kind, SystemResult
from likely.evaluation.metrics import auc
from likely.evaluation.resampling import draw_users, interval, resampled_auc
from likely.model.answers import FloatRows
from likely.report.words import best_baseline, first_of

Rows = NDArray[np.int64]
DRAWS = 200
"""Resamples for an interval in a figure; it is read off by eye."""


@dataclass(frozen=True)
class Curve:
    """A system as the figures show it.

    Attributes:
        kind: decides colour and dashes.
        name: in the legend.
        p_yes: float64 [rows].
    """

    kind: Kind
    name: str
    p_yes: FloatRows


@dataclass(frozen=True)
class Group:
    """Rows that belong together.

    Attributes:
        label: the range of what they have in common, such as "8–15".
        rows: their indices, int64.
    """

    label: str
    rows: Rows


@dataclass(frozen=True)
class Area:
    """An AUC and its 95% interval; nan where unknown."""

    auc: float
    low: float
    high: float


def drawn_curves(evaluation: Evaluation) -> list[Curve]:
    """Return adapter, base model and best baseline, as far as they were scored."""
    wanted: list[SystemResult | None] = [
        first_of(evaluation, "adapter"),
        first_of(evaluation, "base"),
        best_baseline(evaluation),
    ]
    chosen = [result.system for result in wanted if result is not None]
    return [Curve(system.kind, system.name, system.p_yes) for system in chosen]


def history_lengths(evaluation: Evaluation) -> list[int] | None:
    """Return the ratings in each row's history, None where records do not tell."""
    lengths = [record.extra.get("history_length") for record in evaluation.records]
    return [length for length in lengths if isinstance(length, int)] if all(map(_is_count, lengths)) else None


def item_counts(evaluation: Evaluation, training_counts: Mapping[str, int] | None) -> list[int] | None:
    """Return how often each row's candidate was seen, None where records do not name their candidates.

    Args:
        evaluation: whose rows.
        training_counts: training records of each item; without them, the contest's own rows are counted.
    """
    items = [record.item_id for record in evaluation.records if record.item_id is not None]
    if len(items) < len(evaluation.records):
        return None
    if training_counts is not None:
        return [training_counts.get(item, 0) for item in items]
    _, place, counts = np.unique(np.array(items), return_inverse=True, return_counts=True)
    return [int(number) for number in counts[place]]


def equal_groups(values: Sequence[int], parts: int = 4) -> list[Group]:
    """Return rows in groups of similar size by ascending value, named by their range; see :func:`equal_rows`."""
    numbers = np.asarray(values)
    groups = []
    for rows in equal_rows(numbers, parts):
        low, high = int(numbers[rows].min()), int(numbers[rows].max())
        groups.append(Group(f"{low:,}" if low == high else f"{low:,}–{high:,}", rows))
    return groups


def equal_rows(values: NDArray[Any], parts: int) -> list[Rows]:
    """Return row indices in groups of similar size by ascending value.

    Equal values stay together, so that there may be fewer groups, but never an empty one.
    """
    edges = np.unique(np.quantile(values, np.arange(1, parts) / parts, method="inverted_cdf"))
    group_of_row = np.searchsorted(edges, values, side="left")
    return [np.flatnonzero(group_of_row == group) for group in np.unique(group_of_row)]


def group_areas(evaluation: Evaluation, groups: Sequence[Group], lines: Sequence[Curve]) -> list[list[Area]]:
    """Return the AUC of each line on each group, [lines][groups], with intervals by resampling the group's users."""
    of_groups = [_areas(evaluation, group.rows, lines) for group in groups]
    return [list(areas) for areas in zip(*of_groups, strict=True)]


def _areas(evaluation: Evaluation, rows: Rows, lines: Sequence[Curve]) -> list[Area]:
    liked, users = evaluation.liked[rows], [evaluation.users[row] for row in rows]
    unknown = (float("nan"), float("nan"))
    drawn = draw_users(users, DRAWS) if len(set(users)) > 1 else None
    return [
        Area(
            auc(liked, line.p_yes[rows]),
            *(interval(resampled_auc(liked, line.p_yes[rows], drawn)) if drawn is not None else unknown),
        )
        for line in lines
    ]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
