"""What a layout saves in an epoch: tokens and forward passes, counted without computing anything.

Takes encoded records and their order, plans their batches as training does, and gives `training` and `cli` a sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likely.encoding.batches import Budget, Layout, plan_batches, plan_rows
from likely.encoding.order import Order, steps_of
from likely.encoding.prefix_tree import chain_lengths
from likely.encoding.prompt import EncodedRecord


@dataclass(frozen=True)
class Saving:
    """Cost of an epoch in some layout, beside that of its records alone.

    Attributes:
        records: in the epoch.
        tokens_alone: of all records, each computed alone.
        tokens: computed in this layout, without padding.
        passes: forward passes in this layout.
    """

    records: int
    tokens_alone: int
    tokens: int
    passes: int

    def describe(self, layout: Layout, batch_size: int) -> str:
        """Return the saving in one line, beside forward passes of `batch_size` records each."""
        where = {"tree": "in the tree", "packed": "packed", "padded": "padded"}[layout]
        return (
            f"{self.records:,} records, {_short(self.tokens_alone)} tokens alone, {_short(self.tokens)} {where} "
            f"({self.tokens_alone / self.tokens:.1f}x); {self.passes:,} forward passes instead of "
            f"{-(-self.records // batch_size):,} an epoch"
        )


def epoch_saving(
    encoded: Sequence[EncodedRecord], order: Order, step_size: int, layout: Layout, budget: Budget
) -> Saving:
    """Plan the first epoch of a training, without laying anything out, and return what the layout saves.

    Args:
        encoded: all training records.
        order: in which an epoch sees them.
        step_size: records of an optimizer step.
        layout: of the batches, see `batches`.
        budget: of one forward pass.
    """
    tokens = passes = 0
    for step in steps_of(order(0), step_size):
        batches = plan_batches([encoded[index] for index in step], layout, budget)
        tokens += sum(row.width for rows in batches for row in rows)
        passes += len(batches)
    return Saving(len(encoded), sum(len(record.input_ids) for record in encoded), tokens, passes)


def computed_tokens(encoded: Sequence[EncodedRecord], layout: Layout, budget: Budget) -> NDArray[np.int64]:
    """Return how many tokens are computed for each record, int64 [records]; their sum has no padding.

    What several records of a row share counts for the first of them.
    """
    tokens = np.array([len(record.input_ids) for record in encoded], np.int64)
    for row in plan_rows(encoded, layout, budget) if layout == "tree" else ():
        order, own = chain_lengths([encoded[index].input_ids for index in row.records])
        tokens[np.array(row.records)[order]] = own
    return tokens


def _short(count: int) -> str:
    """Return a number of tokens as a person would say it."""
    return f"{count / 1e6:.1f}M" if count >= 1_000_000 else f"{count:,}"
