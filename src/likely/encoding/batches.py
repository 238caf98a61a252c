"""Which records are computed together, and in what layout.

Takes encoded records (`prompt`) of one optimizer step, or of an evaluation, and gives batches for
the model: rows of tokens with the three integers of `prefix_tree`, and where answers are predicted.
The layout changes the cost of a step, never its result:

- `padded`: a record a row, as everybody does it.
- `packed`: records one after another in long rows, each seeing only itself.
- `tree`: records that share a beginning share a row, and what they share is there once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from likely.encoding.prefix_tree import PrefixTree, TokenIds, build_tree, chain_lengths
from likely.encoding.prompt import EncodedRecord

if TYPE_CHECKING:
    import torch

Layout = Literal["tree", "packed", "padded"]
Width = TypeVar("Width", float, "NDArray[np.float64]")

PASS = 1024
"""What a forward pass is taken to cost besides its rows, in tokens."""

PASS_ON_CUDA = 2048
"""On CUDA, where starting the kernels of a pass takes as long as some tokens do: on an H200 5,000 to 6,000, on slower
GPUs fewer. Counted for an H200, this many gives the shortest steps of 64 records in groups of 4, and shorter ones than
:data:`PASS` in all other steps that were measured.
"""

PASS_ON_CPU = 64
"""On a CPU, which is busy with a few tokens already. A model of three million weights took as long as 54 for a pass."""


@dataclass(frozen=True)
class Budget:
    """What one forward pass may cost.

    Attributes:
        tokens: the most tokens of one forward, padding included; a single longer record is still a
            forward of its own. Prompts are cut to `cutoff_len`, and a run's budget has at least that.
        attention_share: cost of attention, for each token of a row's width, relative to all else
            that is computed for a token. A dense mask costs its row squared, so the rows of a tree
            stop growing where a longer row would cost more than sharing saves. 0 where packed
            records cost nothing to each other.
        multiple: widths are rounded up to multiples of this, with padding, so that few shapes occur.
        pass_cost: what a forward pass costs besides its rows, in tokens that attend to nobody. Rows of different
            widths are padded to share a pass as long as that is less.
    """

    tokens: int
    attention_share: float = 3e-4
    multiple: int = 1
    pass_cost: int = PASS

    @property
    def widest(self) -> int:
        """The most tokens of a row of several records, such that its width once rounded is within the budget."""
        return self.tokens // self.multiple * self.multiple

    def rounded(self, tokens: int) -> int:
        """Return the width of a row of so many tokens."""
        return -(-tokens // self.multiple) * self.multiple

    def cost(self, width: Width) -> Width:
        """Return what a row costs with its attention, in tokens that attend to nobody."""
        return width * (1 + self.attention_share * width)


@dataclass(frozen=True)
class Row:
    """One row of a batch, planned but not laid out: which records stand in it and how many tokens it has."""

    records: list[int]
    width: int


@dataclass(frozen=True)
class Batch:
    """One forward pass; all tensors are int64 and on one device.

    Attributes:
        input_ids: [rows, width], padded with 0.
        position_ids: [rows, width].
        subtree_end: [rows, width]; padding tokens attend to themselves and are seen by nobody.
        answer_rows: [answers], the row of each position that predicts a token of an answer.
        answer_columns: [answers], its column.
        targets: [answers], the token to predict there.
        first_answers: [records], index into the answers of each record's first one.
        records: [records], which record of the list given to :func:`make_batches` each one is.
    """

    input_ids: "torch.Tensor"
    position_ids: "torch.Tensor"
    subtree_end: "torch.Tensor"
    answer_rows: "torch.Tensor"
    answer_columns: "torch.Tensor"
    targets: "torch.Tensor"
    first_answers: "torch.Tensor"
    records: "torch.Tensor"

    def to(self, device: "torch.device") -> "Batch":
        """Return the batch on another device; to a GPU in a single copy that nothing here waits for."""
        if device.type == "cpu":
            return self
        return Batch(*in_one_copy([getattr(self, field.name) for field in fields(self)], device))


ALIGNED = 16
"""A tensor of a common copy begins at a multiple of so many numbers, as kernels read them fastest."""


def in_one_copy(tensors: "Sequence[torch.Tensor]", device: "torch.device") -> "list[torch.Tensor]":
    """Return int64 tensors of a CPU on another device, as parts of one tensor; through pinned memory to CUDA."""
    import torch

    starts = np.cumsum([0, *(-(-tensor.numel() // ALIGNED) * ALIGNED for tensor in tensors)]).tolist()
    pin = device.type == "cuda"
    together = torch.zeros(starts[-1], dtype=torch.int64, pin_memory=pin)
    for start, tensor in zip(starts, tensors, strict=False):
        together[start : start + tensor.numel()] = tensor.flatten()
    moved = together.to(device, non_blocking=pin)
    return [
        moved[start : start + tensor.numel()].view(tensor.shape) for start, tensor in zip(starts, tensors, strict=False)
    ]


def make_batches(encoded: Sequence[EncodedRecord], layout: Layout, budget: Budget) -> Iterator[Batch]:
    """Lay records out in as few and as cheap forward passes as the budget allows.

    Args:
        encoded: the records of one optimizer step or of an evaluation, in any order.
        layout: see the module's description.
        budget: limits and costs of one forward pass.

    Returns:
        Batches that hold every record exactly once, the widest first.
    """
    return (collate(encoded, rows, layout, budget) for rows in plan_batches(encoded, layout, budget))


def plan_batches(encoded: Sequence[EncodedRecord], layout: Layout, budget: Budget) -> list[list[Row]]:
    """Return the rows of every forward pass.

    Rows of similar width go together: a pass ends before its padding, attention counted, costs more than a pass.
    """
    batches: list[list[Row]] = []
    padding = 0.0
    for row in sorted(plan_rows(encoded, layout, budget), key=lambda row: -row.width):
        if batches:
            widest = batches[-1][0].width
            padding += budget.cost(widest) - budget.cost(row.width)
            if (len(batches[-1]) + 1) * budget.rounded(widest) <= budget.tokens and padding <= budget.pass_cost:
                batches[-1].append(row)
                continue
        batches.append([row])
        padding = 0.0
    return batches


def plan_rows(encoded: Sequence[EncodedRecord], layout: Layout, budget: Budget) -> list[Row]:
    """Return which records share a row."""
    if layout == "padded":
        return [Row([index], len(record.input_ids)) for index, record in enumerate(encoded)]
    if layout == "packed":
        return _fill_rows(encoded, budget)
    return _grow_rows(encoded, budget)


def lay_out_row(encoded: Sequence[EncodedRecord], records: Sequence[int], layout: Layout) -> PrefixTree:
    """Return the tokens of one row: a tree, or records side by side that share nothing."""
    sequences = [encoded[index].input_ids for index in records]
    wanted = [encoded[index].answer_positions for index in records]
    return build_tree(sequences, wanted) if layout == "tree" else side_by_side(sequences, wanted)


def side_by_side(sequences: Sequence[TokenIds], depths: Sequence[TokenIds]) -> PrefixTree:
    """Return sequences one after another, each a tree without branches of its own."""
    starts = np.cumsum([0] + [len(sequence) for sequence in sequences])
    return PrefixTree(
        input_ids=np.concatenate(list(sequences)),
        position_ids=np.concatenate([np.arange(len(sequence), dtype=np.int32) for sequence in sequences]),
        subtree_end=np.repeat(starts[1:], np.diff(starts)).astype(np.int32),
        nodes=[(start + wanted).astype(np.int32) for start, wanted in zip(starts, depths, strict=False)],
    )


def collate(encoded: Sequence[EncodedRecord], rows: Sequence[Row], layout: Layout, budget: Budget) -> Batch:
    """Return rows as one batch, padded to the width of the longest as the budget rounds it."""
    import torch

    trees = [lay_out_row(encoded, row.records, layout) for row in rows]
    width = budget.rounded(max(len(tree) for tree in trees))
    input_ids = np.zeros((len(rows), width), np.int64)
    position_ids = np.zeros((len(rows), width), np.int64)
    subtree_end = np.tile(np.arange(1, width + 1), (len(rows), 1))
    for place, tree in enumerate(trees):
        input_ids[place, : len(tree)] = tree.input_ids
        position_ids[place, : len(tree)] = tree.position_ids
        subtree_end[place, : len(tree)] = tree.subtree_end
    records = [index for row in rows for index in row.records]
    columns = [nodes for tree in trees for nodes in tree.nodes]
    lengths = [len(nodes) for nodes in columns]
    answer_rows = np.repeat([place for place, row in enumerate(rows) for _ in row.records], lengths)
    return Batch(
        input_ids=torch.from_numpy(input_ids),
        position_ids=torch.from_numpy(position_ids),
        subtree_end=torch.from_numpy(subtree_end),
        answer_rows=torch.from_numpy(answer_rows.astype(np.int64)),
        answer_columns=torch.from_numpy(np.concatenate(columns).astype(np.int64)),
        targets=torch.tensor([token for index in records for token in encoded[index].answer]),
        first_answers=torch.from_numpy(np.cumsum([0, *lengths[:-1]]).astype(np.int64)),
        records=torch.tensor(records),
    )


def _fill_rows(encoded: Sequence[EncodedRecord], budget: Budget) -> list[Row]:
    """Return rows filled up to the budget, the longest records first, each where it fits (first fit decreasing).

    It does not fit where the attention that it and the row pay for each other would cost more than a pass.
    """

    def fits(width: int, length: int) -> bool:
        return width + length <= budget.widest and 2 * budget.attention_share * width * length <= budget.pass_cost

    rows: list[list[int]] = []
    widths: list[int] = []
    for index in sorted(range(len(encoded)), key=lambda index: -len(encoded[index].input_ids)):
        length = len(encoded[index].input_ids)
        place = next((place for place, width in enumerate(widths) if fits(width, length)), None)
        if place is None:
            rows.append([index])
            widths.append(length)
        else:
            rows[place].append(index)
            widths[place] += length
    return [Row(records, width) for records, width in zip(rows, widths, strict=True)]


def _grow_rows(encoded: Sequence[EncodedRecord], budget: Budget) -> list[Row]:
    """Return the runs of sorted records that cost the least as rows, attention counted, each within the budget.

    Of the rows that may end with a record, the cheapest together with what stands before it is kept, for one record
    after the other (dynamic programming); among equals the longest row. What a row shares with the one before it is
    computed again, and the longer a row is, the more its attention costs.
    """
    order, own = chain_lengths([record.input_ids for record in encoded])
    lengths = np.array([len(encoded[index].input_ids) for index in order], float)
    ends = np.concatenate([[0.0], np.cumsum(own)])
    before = lengths - ends[1:]  # a row from record i to the one before j has before[i] + ends[j] tokens
    firsts = np.searchsorted(ends, ends - budget.widest).tolist()  # rows from an earlier record are too wide for sure
    least = np.zeros(len(order) + 1)
    starts = [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        first = min(firsts[end], end - 1)
        widths = before[first:end] + ends[end]
        costs = budget.cost(widths)
        costs[:-1][widths[:-1] > budget.widest] = np.inf  # a single record may be wider than the budget
        costs += least[first:end]
        place = int(costs.argmin())
        starts[end], least[end] = first + place, costs[place]
    rows: list[Row] = []
    end = len(order)
    while end:
        start = starts[end]
        rows.append(Row(order[start:end], int(before[start] + ends[end])))
        end = start
    return rows[::-1]
