"""The optimizer steps of an epoch, as a data loader gives them to `trainer`."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import Sampler

from likely.encoding.batches import Batch
from likely.encoding.order import Order, steps_of


@dataclass(frozen=True)
class Step:
    """The records of one optimizer step on one device, in forward passes."""

    batches: list[Batch]
    records: list[int]


class StepSampler(Sampler[list[int]]):
    """Gives the records of one optimizer step after another.

    A pure function of the epoch, so that a resumed run can skip what it has seen.

    Args:
        order: order of the records in each epoch.
        records: number of records in an epoch.
        step_size: records of one optimizer step on one device.
    """

    def __init__(self, order: Order, records: int, step_size: int) -> None:
        """Begin at epoch 0."""
        self.order = order
        self.records = records
        self.batch_size = step_size
        self.drop_last = False
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; accelerate calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of optimizer steps in an epoch."""
        return -(-self.records // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the record indices of every step of the epoch."""
        yield from steps_of(self.order(self.epoch), self.batch_size)


class RowNumbers(torch.utils.data.Dataset[int]):
    """A data set of row numbers: the loader looks the records up itself."""

    def __init__(self, length: int) -> None:
        """Count from 0 to `length`."""
        self.length = length

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.length

    def __getitem__(self, index: int) -> int:
        """Return the number of a row, which is itself."""
        return index
