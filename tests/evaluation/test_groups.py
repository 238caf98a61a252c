"""Groups of rows are whole, apart from each other, and judged by their own rows alone."""

import math
from itertools import pairwise

import numpy as np
import pytest

from likely.data.records import Labels, Record
from likely.evaluation.contest import System, judge
from likely.evaluation.groups import bounded_groups, count_items, equal_groups, group_areas, history_lengths, popularity
from likely.evaluation.metrics import auc


def records_of(items, lengths=None, users=6):
    lengths = lengths or [8 + row % 9 for row in range(len(items))]
    return [
        Record("Liked?", "", "Yes" if row % 5 < 3 else "No", user_id=f"u{row % users}", item_id=item, extra={
            "history_length": length
        })
        for row, (item, length) in enumerate(zip(items, lengths, strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_groups_hold_every_row_once_and_do_not_overlap(seed):
    values = np.random.default_rng(seed).integers(0, 2 + seed, 1 + 3 * seed)
    groups = equal_groups(values)
    assert sorted(np.concatenate([group.rows for group in groups])) == list(range(len(values)))
    assert 1 <= len(groups) <= 4
    for before, after in pairwise(groups):
        assert values[before.rows].max() < values[after.rows].min()


def test_fixed_bounds_name_what_could_be_in_a_group_and_none_is_empty():
    groups = bounded_groups([0, 250, 3, 1, 100], (1, 10, 100))
    assert [(group.label, group.rows.tolist()) for group in groups] == [
        ("0", [0]),
        ("1–9", [2, 3]),
        ("100 or more", [1, 4]),
    ]


@pytest.mark.parametrize("users", [6, 1])
def test_a_groups_figures_are_those_of_its_rows_alone(users):
    records = records_of([str(row % 7) for row in range(60)], users=users)
    random = np.random.default_rng(0)
    systems = [System.from_probabilities(name, "baseline", random.random(60)) for name in ("a", "b")]
    evaluation = judge(records, Labels(), systems)
    groups = equal_groups(history_lengths(records))
    for system, areas in zip(systems, group_areas(evaluation, groups, systems), strict=True):
        for group, area in zip(groups, areas, strict=True):
            assert area.value == auc(evaluation.liked[group.rows], system.p_yes[group.rows])
            assert area.low <= area.value <= area.high if users > 1 else math.isnan(area.low)


def test_a_movie_is_as_popular_as_it_is_counted_in_training_or_else_among_the_rows():
    rows = records_of(["a", "b", "a"])
    assert popularity(rows, {"a": 7}) == [7, 0, 7]
    assert popularity(rows, None) == [2, 1, 2]
    assert count_items(rows) == {"a": 2, "b": 1}


def test_what_records_do_not_tell_is_unknown():
    nameless = records_of(["a", None])
    assert count_items(nameless) is None
    assert popularity(nameless, {"a": 7}) is None
    assert history_lengths([Record("Liked?", "", "Yes"), *nameless]) is None
