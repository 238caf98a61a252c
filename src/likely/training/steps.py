"""The optimizer steps of an epoch, as a data loader gives them to `trainer`, in each process its part of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import Sampler

from likely.encoding.batches import Batch
from likely.encoding.order import Order, steps_of


@dataclass(frozen=True)
class Step:
    """The records of one optimizer step on one device, in forward passes.

    Attributes:
        batches: the passes.
        records: indices of the records.
        weight: 1, or 0 on a device that has none of the last records of an epoch: all wait for its gradients, so it
            computes a record for nothing.
    """

    batches: list[Batch]
    records: list[int]
    weight: int = 1


class StepSampler(Sampler[list[int]]):
    """Gives a device its part of one optimizer step after another.

    A pure function of the epoch, so that a resumed run can skip what it has seen. All devices together see every record
    once in an epoch. accelerate's sharding, which is not asked, would fill up the last step with records of the first.

    Args:
        order: order of the records in each epoch.
        records: number of records in an epoch.
        step_size: records of one optimizer step on one device.
        rank: which of the devices this is.
        devices: how many train together.
    """

    def __init__(self, order: Order, records: int, step_size: int, rank: int = 0, devices: int = 1) -> None:
        """Begin at epoch 0."""
        self.order = order
        self.records = records
        self.together = step_size * devices
        self.rank = rank
        self.devices = devices
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of optimizer steps in an epoch."""
        return -(-self.records // self.together)

    def seen_after(self, steps: int) -> int:
        """Return how many records all devices together have seen after so many steps from the first on."""
        epochs, further = divmod(steps, len(self))
        return epochs * self.records + min(further * self.together, self.records)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the record indices of every step of the epoch; of a small last one there may be none for a device."""
        for step in steps_of(self.order(self.epoch), self.together):
            start, end = (len(step) * rank // self.devices for rank in (self.rank, self.rank + 1))
            yield step[start:end]


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
