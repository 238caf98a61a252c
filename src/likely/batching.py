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
from typing import TYPE_CHECKING, Literal

import numpy as np

from likely.prefix_tree import PrefixTree, TokenIds, build_tree, lexicographic_order, shared_length
from likely.prompt import EncodedRecord

if TYPE_CHECKING:
    import torch

Layout = Literal["tree", "packed", "padded"]


@dataclass(frozen=True)
class Budget:
    """What one forward pass may cost.

    Attributes:
        tokens: the most tokens of one forward, padding included; a single longer record is still a
            forward of its own.
        attention_share: cost of attention, for each token of a row's width, relative to all else
            that is computed for a token. A dense mask costs its row squared, so the rows of a tree
            stop growing where a longer row would cost more than sharing saves.
    """

    tokens: int
    attention_share: float = 3e-4


@dataclass(frozen=True)
class Row:
    """One row of a batch: the records in it and their tokens as a tree."""

    records: list[int]
    tree: PrefixTree


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

    def to(self, device: "torch.device | str", non_blocking: bool = False) -> "Batch":
        """Return the batch on another device."""
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=non_blocking) for f in fields(self)}
        return Batch(**moved)


def make_batches(encoded: Sequence[EncodedRecord], layout: Layout, budget: Budget) -> Iterator[Batch]:
    """Lay records out in as few and as cheap forward passes as the budget allows.

    Args:
        encoded: the records of one optimizer step or of an evaluation, in any order.
        layout: see the module's description.
        budget: limits and costs of one forward pass.

    Returns:
        Batches that hold every record exactly once, the widest first.
    """
    return (collate(encoded, rows) for rows in plan_batches(encoded, layout, budget))


def plan_batches(encoded: Sequence[EncodedRecord], layout: Layout, budget: Budget) -> list[list[Row]]:
    """Return the rows of every forward pass; rows of similar width go together."""
    rows = [lay_out_row(encoded, records, layout) for records in plan_rows(encoded, layout, budget)]
    rows.sort(key=lambda row: -len(row.tree))
    batches: list[list[Row]] = []
    for row in rows:
        if batches and (len(batches[-1]) + 1) * len(batches[-1][0].tree) <= budget.tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def plan_rows(encoded: Sequence[EncodedRecord], layout: Layout, budget: Budget) -> list[list[int]]:
    """Return which records share a row."""
    if layout == "padded":
        return [[index] for index in range(len(encoded))]
    if layout == "packed":
        return _fill_rows(encoded, budget)
    return _grow_rows(encoded, budget)


def lay_out_row(encoded: Sequence[EncodedRecord], records: list[int], layout: Layout) -> Row:
    """Return the tokens of one row: a tree, or records side by side that share nothing."""
    sequences = [encoded[index].input_ids for index in records]
    wanted = [encoded[index].answer_positions for index in records]
    return Row(records, build_tree(sequences, wanted) if layout == "tree" else side_by_side(sequences, wanted))


def side_by_side(sequences: Sequence[TokenIds], depths: Sequence[TokenIds]) -> PrefixTree:
    """Return sequences one after another, each a tree without branches of its own."""
    starts = np.cumsum([0] + [len(sequence) for sequence in sequences])
    return PrefixTree(
        input_ids=np.concatenate(list(sequences)),
        position_ids=np.concatenate([np.arange(len(sequence), dtype=np.int32) for sequence in sequences]),
        subtree_end=np.repeat(starts[1:], np.diff(starts)).astype(np.int32),
        nodes=[(start + wanted).astype(np.int32) for start, wanted in zip(starts, depths, strict=False)],
    )


def collate(encoded: Sequence[EncodedRecord], rows: Sequence[Row]) -> Batch:
    """Return rows as one batch, padded to the longest."""
    import torch

    width = max(len(row.tree) for row in rows)
    input_ids = np.zeros((len(rows), width), np.int64)
    position_ids = np.zeros((len(rows), width), np.int64)
    subtree_end = np.tile(np.arange(1, width + 1), (len(rows), 1))
    for place, row in enumerate(rows):
        size = len(row.tree)
        input_ids[place, :size] = row.tree.input_ids
        position_ids[place, :size] = row.tree.position_ids
        subtree_end[place, :size] = row.tree.subtree_end
    records = [index for row in rows for index in row.records]
    columns = [nodes for row in rows for nodes in row.tree.nodes]
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


def _fill_rows(encoded: Sequence[EncodedRecord], budget: Budget) -> list[list[int]]:
    """Return rows filled up to the budget, the longest records first, each where it fits (first fit decreasing)."""
    order = sorted(range(len(encoded)), key=lambda index: -len(encoded[index].input_ids))
    rows: list[list[int]] = []
    room: list[int] = []
    for index in order:
        length = len(encoded[index].input_ids)
        place = next((place for place, free in enumerate(room) if free >= length), None)
        if place is None:
            rows.append([index])
            room.append(budget.tokens - length)
        else:
            rows[place].append(index)
            room[place] -= length
    return rows


def _grow_rows(encoded: Sequence[EncodedRecord], budget: Budget) -> list[list[int]]:
    """Return runs of the sorted records, cut where going on costs more than starting a row anew."""

    def cost(width: int) -> float:
        return width * (1 + budget.attention_share * width)

    sequences = [record.input_ids for record in encoded]
    rows: list[list[int]] = []
    width = 0
    previous: TokenIds | None = None
    for index in lexicographic_order(sequences):
        length = len(sequences[index])
        own = length if previous is None else length - shared_length(previous, sequences[index])
        joined = width + own
        if previous is not None and joined <= budget.tokens and cost(joined) - cost(width) <= cost(length):
            rows[-1].append(index)
            width = joined
        else:
            rows.append([index])
            width = length
        previous = sequences[index]
    return rows
