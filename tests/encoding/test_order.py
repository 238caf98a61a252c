"""Orders are permutations, seeded and resumable, and keep what shares a history together."""

from itertools import accumulate, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from likely.encoding.order import choose_runs, shared_runs, shuffled, shuffled_groups, steps_of
from likely.encoding.prompt import EncodedRecord

RUNS = st.lists(st.integers(1, 9), min_size=1, max_size=8).map(
    lambda sizes: np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
)


def encoded(tokens):
    return EncodedRecord(np.array(tokens, np.int32), (1,), liked=True)


def test_runs_are_records_that_share_more_than_half():
    history = list(range(20))
    records = [
        encoded([*history, 50]),
        encoded([99] * 30),
        encoded([*history, 20, 21, 51]),
        encoded([*range(5), 7] * 3),
    ]
    assert sorted(sorted(run) for run in shared_runs(records)) == [[0, 2], [1], [3]]


@given(RUNS, st.integers(1, 6), st.integers(1, 12), st.integers(0, 3), st.integers(0, 3))
def test_an_order_of_groups_is_a_permutation_and_a_pure_function_of_seed_and_epoch(runs, size, step, seed, epoch):
    runs = [run.tolist() for run in runs]
    order = shuffled_groups(runs, size, step, seed)
    assert sorted(order(epoch)) == list(range(sum(map(len, runs))))
    assert order(epoch) == shuffled_groups(runs, size, step, seed)(epoch)


def test_a_step_of_more_than_all_records_is_all_of_them():
    runs = [[0, 1, 2], [3, 4]]
    assert shuffled_groups(runs, 2, 10**12, seed=0)(0) == shuffled_groups(runs, 2, 5, seed=0)(0)


@given(st.integers(1, 5))
def test_groups_stay_together_up_to_their_size(size):
    runs = [list(range(start, start + 20)) for start in range(0, 400, 20)]
    order = shuffled_groups(runs, size, 16, seed=1)(0)
    neighbours = sum(b - a == 1 for a, b in pairwise(order)) / len(order)
    assert abs(neighbours - (1 - 1 / size)) < 0.12


@given(st.sampled_from([2, 4]), st.integers(0, 20))
def test_a_history_is_computed_once_a_group(size, seed):
    """Runs of 15 in groups of 2 or 4 fill steps of 16 without a cut, but for the last few."""
    runs = [range(start, start + 15) for start in range(0, 1500, 15)]
    steps = steps_of(shuffled_groups(runs, size, 16, seed)(0), 16)
    histories = sum(len({index // 15 for index in step}) for step in steps)
    assert histories <= len(runs) * -(-15 // size) + 3


def test_small_groups_are_spread_over_the_epoch():
    """They fill up steps, and would all be used by the first ones, which would then hold more histories."""
    ends = list(accumulate([15] * 360 + list(range(1, 15)) * 4))
    runs = [range(start, end) for start, end in pairwise([0, *ends])]
    owner = {index: number for number, run in enumerate(runs) for index in run}
    surplus = []
    for seed in range(5):
        steps = steps_of(shuffled_groups(runs, 4, 16, seed)(0), 16)
        histories = [len({owner[index] for index in step}) for step in steps]
        tenth = len(steps) // 10
        surplus.append(np.mean(histories[:tenth]) - np.mean(histories[tenth:]))
    assert abs(np.mean(surplus)) < 0.2


def test_a_group_is_cut_where_nothing_else_fills_the_step():
    runs = [range(start, start + 3) for start in range(0, 24, 3)]
    steps = steps_of(shuffled_groups(runs, 3, 4, seed=0)(0), 4)
    assert [len(step) for step in steps] == [4] * 6
    assert all(len({index // 3 for index in step}) == 2 for step in steps)


def test_epochs_differ():
    assert shuffled(50, 1)(0) != shuffled(50, 1)(1)
    runs = [list(range(10)), list(range(10, 20))]
    assert shuffled_groups(runs, 4, 16, 1)(0) != shuffled_groups(runs, 4, 16, 1)(1)


@given(RUNS, st.integers(1, 30), st.integers(0, 3))
def test_a_subset_is_of_whole_runs_but_one(runs, maximum, seed):
    total = sum(map(len, runs))
    chosen = set(choose_runs([run.tolist() for run in runs], maximum, seed))
    assert len(chosen) == min(maximum, total)
    assert sum(0 < len(chosen & set(run.tolist())) < len(run) for run in runs) <= 1


def test_a_run_that_is_no_longer_than_a_group_is_never_cut():
    runs = [list(range(start, start + 15)) for start in range(0, 300, 15)]
    order = shuffled_groups(runs, 15, 15, seed=3)(0)
    assert [order[start : start + 15] for start in range(0, 300, 15)] == [
        runs[order[start] // 15] for start in range(0, 300, 15)
    ]
