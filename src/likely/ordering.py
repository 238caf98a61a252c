"""In which order records are trained on, and which of them when not all are.

Takes encoded records (`prompt`) and gives orders of their indices to `trainer`. A tree saves work
only where records of one step share a history, and a plain shuffle scatters them; so what is
shuffled are groups of records that grow from the same history.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from likely.prefix_tree import lexicographic_order, shared_length
from likely.prompt import EncodedRecord

Order = Callable[[int], Sequence[int]]
"""The order of the training records in an epoch: epoch -> a permutation of their indices."""


def shared_runs(encoded: Sequence[EncodedRecord]) -> list[list[int]]:
    """Return runs of records that grow from one history.

    In lexicographic order, a record belongs to the run of the one before it if it shares more than
    half of its own tokens with it. Records of an anchored window are one run; records of a sliding
    one, which share only the instruction, are runs of their own.
    """
    sequences = [record.input_ids for record in encoded]
    runs: list[list[int]] = []
    previous = None
    for index in lexicographic_order(sequences):
        sequence = sequences[index]
        if previous is not None and 2 * shared_length(previous, sequence) > len(sequence):
            runs[-1].append(index)
        else:
            runs.append([index])
        previous = sequence
    return runs


def choose_runs(runs: Sequence[Sequence[int]], maximum: int | None, seed: int) -> list[int]:
    """Return the indices of at most `maximum` records: whole runs drawn at random, only the last one cut."""
    everything = sum(len(run) for run in runs)
    if maximum is None or maximum >= everything:
        return list(range(everything))
    drawn = np.random.default_rng(seed).permutation(len(runs))
    chosen: list[int] = []
    for place in drawn:
        chosen += runs[place][: maximum - len(chosen)]
    return sorted(chosen)


def shuffled(records: int, seed: int) -> Order:
    """Return an order that is a fresh permutation of all records in each epoch, a pure function of the seed."""
    return lambda epoch: np.random.default_rng([seed, epoch]).permutation(records).tolist()


def shuffled_groups(runs: Sequence[Sequence[int]], group_size: int, seed: int) -> Order:
    """Return an order that keeps groups of a run together and is random otherwise, a pure function of the seed.

    Args:
        runs: as :func:`shared_runs` gives them.
        group_size: most records of a group. A longer run is cut into groups anew in each epoch, from
            a random place on; 1 is a plain shuffle.
        seed: of cuts and order.
    """

    def order(epoch: int) -> list[int]:
        random = np.random.default_rng([seed, epoch])
        groups: list[Sequence[int]] = []
        for run in runs:
            first = int(random.integers(1, group_size + 1)) if len(run) > group_size else len(run)
            cuts = [0, *range(first, len(run), group_size), len(run)]
            groups += [run[start:end] for start, end in pairwise(cuts) if end > start]
        return [index for place in random.permutation(len(groups)) for index in groups[place]]

    return order


def steps_of(order: Sequence[int], step_size: int) -> list[list[int]]:
    """Cut the order of an epoch into the records of its optimizer steps; the last may be smaller."""
    return [list(order[start : start + step_size]) for start in range(0, len(order), step_size)]
