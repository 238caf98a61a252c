"""In which order records are trained on, and which of them when not all are.

Takes encoded records (`prompt`) and gives orders of their indices to `trainer`. A tree saves work
only where records of one step share a history, and a plain shuffle scatters them; so what is
shuffled are groups of records that grow from the same history.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np

from likely.encoding.prefix_tree import lexicographic_order, shared_length
from likely.encoding.prompt import EncodedRecord

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


def shuffled_groups(runs: Sequence[Sequence[int]], group_size: int, step_size: int, seed: int) -> Order:
    """Return an order that keeps groups of a run together and is random otherwise, a pure function of the seed.

    A group that ends up in two steps has its history computed in both, so steps are filled with
    whole groups, and one is cut only where no others fill the step.

    Args:
        runs: as :func:`shared_runs` gives them.
        group_size: most records of a group. A longer run is cut into groups anew in each epoch; 1 is
            a plain shuffle.
        step_size: records of an optimizer step, on all devices together.
        seed: of cuts and order.
    """
    step_size = min(step_size, sum(len(run) for run in runs))

    def order(epoch: int) -> list[int]:
        random = np.random.default_rng([seed, epoch])
        groups = [group for run in runs for group in _cut(run, group_size, random)]
        shuffled = [groups[place] for place in random.permutation(len(groups))]
        filled = [index for group in _fill_steps(shuffled, step_size) for index in group]
        # Small groups fill up the first steps and are gone in the last, so the full steps are shuffled too.
        *full, last = steps_of(filled, step_size)
        return [index for place in random.permutation(len(full)) for index in full[place]] + last

    return order


def _cut(run: Sequence[int], group_size: int, random: np.random.Generator) -> list[Sequence[int]]:
    """Cut a run into as few groups as possible; the one that is smaller than the others comes at a random place."""
    full, rest = divmod(len(run), group_size)
    sizes = [group_size] * full
    if rest:
        sizes.insert(int(random.integers(full + 1)), rest)
    ends = accumulate(sizes)
    return [run[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _fill_steps(groups: Sequence[Sequence[int]], step_size: int) -> Iterator[Sequence[int]]:
    """Yield groups so that every step is full of whole ones, as far as their sizes allow.

    Of the groups with which others can still fill the step, the first comes next. Where there is
    none, the first of the largest that fit, and where none fits, the first group is cut and its rest
    waits for a later step.
    """
    waiting: dict[int, deque[tuple[int, Sequence[int]]]] = defaultdict(deque)
    for place, group in enumerate(groups):
        waiting[len(group)].append((place, group))
    sums: dict[frozenset[int], set[int]] = {}
    room = step_size
    while sizes := frozenset(size for size, queue in waiting.items() if queue):
        if sizes not in sums:
            sums[sizes] = _sums(sizes, step_size)
        filling = [size for size in sizes if room - size in sums[sizes]]
        fitting = [size for size in sizes if size <= room]
        largest = [max(fitting)] if fitting else []
        chosen = min(filling or largest or sizes, key=lambda size: waiting[size][0][0])
        place, group = waiting[chosen].popleft()
        if len(group) > room:
            waiting[len(group) - room].appendleft((place, group[room:]))
            group = group[:room]
        yield group
        room = (room - len(group)) or step_size


def _sums(sizes: Iterable[int], most: int) -> set[int]:
    """Return which numbers up to `most` are sums of these sizes, each used as often as wanted; 0 is one."""
    reached = {0}
    for total in range(1, most + 1):
        if any(total - size in reached for size in sizes):
            reached.add(total)
    return reached


def steps_of(order: Sequence[int], step_size: int) -> list[list[int]]:
    """Cut the order of an epoch into the records of its optimizer steps; the last may be smaller."""
    return [list(order[start : start + step_size]) for start in range(0, len(order), step_size)]
