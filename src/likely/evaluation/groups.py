"""How systems rank within groups of rows: by the length of the history, by the popularity of the candidate.

Takes a :class:`likely.evaluation.contest.Evaluation`; the AUC of each group goes to `report.figures`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likely.data.records import Record
from likely.data.run_data import count_items
from likely.evaluation.contest import Estimate, Evaluation, System
from likely.evaluation.metrics import auc
from likely.evaluation.resampling import draw_users, interval, resampled_auc
from likely.model.answers import FloatRows, Places

DRAWS = 200
"""Resamples for an interval in a figure; it is read off by eye."""


@dataclass(frozen=True)
class Group:
    """Rows that belong together.

    Attributes:
        label: the range of what they have in common, such as "8–15".
        rows: their indices, int64.
    """

    label: str
    rows: Places


def history_lengths(records: Sequence[Record]) -> list[int] | None:
    """Return the ratings in each record's history, None where records do not tell."""
    lengths = [record.extra.get("history_length") for record in records]
    known = [length for length in lengths if isinstance(length, int)]
    return known if len(known) == len(lengths) else None


def popularity(records: Sequence[Record], training_counts: Mapping[str, int] | None) -> list[int] | None:
    """Return how often each record's candidate was seen, None where records do not name their candidates.

    Args:
        records: the rows.
        training_counts: training records of each item; without them, the rows themselves are counted.
    """
    own_counts = count_items(records)
    if own_counts is None:
        return None
    counts = own_counts if training_counts is None else training_counts
    return [counts.get(str(record.item_id), 0) for record in records]


def equal_groups(values: Sequence[int]) -> list[Group]:
    """Return rows in four groups of similar size by ascending value, named by their range; see :func:`equal_rows`."""
    numbers = np.asarray(values)
    groups = []
    for rows in equal_rows(numbers, 4):
        low, high = int(numbers[rows].min()), int(numbers[rows].max())
        groups.append(Group(f"{low:,}" if low == high else f"{low:,}–{high:,}", rows))
    return groups


def bounded_groups(values: Sequence[int], bounds: Sequence[int]) -> list[Group]:
    """Return rows in groups between fixed bounds, named by what could be in them; none is empty.

    Args:
        values: of the rows, 0 or more.
        bounds: ascending and above 0; each begins a group.
    """
    starts = [0, *bounds]
    group_of_row = np.searchsorted(bounds, values, side="right")
    groups = []
    for group in np.unique(group_of_row).tolist():
        low, high = starts[group], None if group == len(bounds) else bounds[group] - 1
        label = f"{low:,} or more" if high is None else f"{low:,}" if low == high else f"{low:,}–{high:,}"
        groups.append(Group(label, np.flatnonzero(group_of_row == group)))
    return groups


def equal_rows(values: NDArray[Any], parts: int) -> list[Places]:
    """Return row indices in groups of similar size by ascending value.

    Equal values stay together, so that there may be fewer groups, but never an empty one.
    """
    edges = np.unique(np.quantile(values, np.arange(1, parts) / parts, method="inverted_cdf"))
    group_of_row = np.searchsorted(edges, values, side="left")
    return [np.flatnonzero(group_of_row == group) for group in np.unique(group_of_row)]


def group_areas(evaluation: Evaluation, groups: Sequence[Group], systems: Sequence[System]) -> list[list[Estimate]]:
    """Return each system's AUC on each group, [systems][groups], with intervals by resampling the group's users."""
    of_groups = [
        [Estimate(value, *interval(drawn)) for value, drawn in resampled_areas(evaluation, group.rows, systems, DRAWS)]
        for group in groups
    ]
    return [list(areas) for areas in zip(*of_groups, strict=True)]


def resampled_areas(
    evaluation: Evaluation, rows: Places, systems: Sequence[System], draws: int
) -> list[tuple[float, FloatRows]]:
    """Return each system's AUC on some rows, and the same on resamples of their users, float64 [draws].

    The resamples are the same for all systems; of a single user there are none, and all is nan.
    """
    liked, users = evaluation.liked[rows], [evaluation.users[row] for row in rows]
    drawn = draw_users(users, draws) if len(set(users)) > 1 else None
    answers = [system.p_yes[rows] for system in systems]
    unknown = np.full(draws, np.nan)
    return [(auc(liked, p_yes), resampled_auc(liked, p_yes, drawn) if drawn else unknown) for p_yes in answers]
