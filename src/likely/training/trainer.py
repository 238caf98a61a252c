"""transformers' Trainer with three things of our own: the step, the loss and the evaluation.

An element of the data loader is a whole optimizer step, laid out in as many forward passes as the
token budget asks for (`batching`); the loss looks only at the answers; and evaluation scores the
records (`scoring`) instead of running a second forward pass over full logits. `training` builds it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput

from likely.encoding.batches import Batch, make_batches
from likely.encoding.order import Order, steps_of
from likely.encoding.prompt import EncodedRecord
from likely.errors import LikelyError
from likely.model.adapter import base_model
from likely.model.answers import Answers
from likely.model.forward import answer_logits
from likely.model.scoring import PassPlan, score

MetricsOf = Callable[[Answers], Mapping[str, float]]
"""Metrics of answers to the evaluation records, without the prefix `eval_`."""


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


class AnswerTrainer(Trainer):
    """Trains a model to answer: loss at the answer only, and metrics of the answers.

    Args:
        train_records: what to train on.
        eval_records: what to evaluate on; may be empty.
        order: order of the training records in each epoch.
        step_plan: layout of a training step.
        eval_plan: layout of an evaluation.
        metrics_of: metrics of an evaluation.
        **arguments: of `transformers.Trainer`; `args.per_device_train_batch_size` is the records of
            a whole step on one device and `args.gradient_accumulation_steps` is 1.
    """

    def __init__(
        self,
        train_records: Sequence[EncodedRecord],
        eval_records: Sequence[EncodedRecord],
        order: Order,
        step_plan: PassPlan,
        eval_plan: PassPlan,
        metrics_of: MetricsOf,
        **arguments: Any,
    ) -> None:
        """Take the records out of transformers' hands; it only counts them."""
        super().__init__(
            train_dataset=_Indices(len(train_records)), eval_dataset=_Indices(len(eval_records)), **arguments
        )
        assert self.args.gradient_accumulation_steps == 1
        self.train_records = train_records
        self.eval_records = eval_records
        self.order = order
        self.step_plan = step_plan
        self.eval_plan = eval_plan
        self.metrics_of = metrics_of

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return a loader whose elements are :class:`Step` in a dictionary."""
        sampler = StepSampler(self.order, len(self.train_records), self.args.per_device_train_batch_size)
        loader = DataLoader(_Indices(len(self.train_records)), batch_sampler=sampler, collate_fn=self.lay_out_step)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Run every forward and backward pass of one optimizer step.

        Returns:
            The mean loss over all supervised tokens of the step, on any number of devices.

        Raises:
            LikelyError: the loss is not finite.
        """
        model.train()
        step: Step = inputs["step"]
        inner = base_model(self.accelerator.unwrap_model(model))
        tokens = torch.tensor(sum(len(batch.targets) for batch in step.batches), device=self.args.device)
        tokens = self.accelerator.reduce(tokens, "sum")
        losses: list[torch.Tensor] = []
        for place, batch in enumerate(step.batches, start=1):
            is_last = place == len(step.batches)
            with nullcontext() if is_last else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    logits = answer_logits(model, batch.to(self.args.device), inner)
                targets = batch.targets.to(self.args.device)
                loss = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum") / tokens
                # DistributedDataParallel averages gradients over devices; the loss is a sum over them.
                self.accelerator.backward(loss * self.accelerator.num_processes)
            losses.append(loss.detach())
        total: torch.Tensor = torch.stack(losses).sum()
        if not torch.isfinite(total):
            self._complain(step, losses)
        mean: torch.Tensor = total * self.accelerator.num_processes
        return mean

    def evaluation_loop(
        self,
        dataloader: DataLoader[Any],
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Score the evaluation records, shared out over the devices, and return their metrics."""
        model = self.model
        assert isinstance(model, torch.nn.Module)
        inner = base_model(self.accelerator.unwrap_model(model))
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        with self.compute_loss_context_manager():
            answers = score(model, inner, self.eval_records[rank::world], self.eval_plan)
        answers = _interleave(gather_object([answers]))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in self.metrics_of(answers).items()}
        return EvalLoopOutput(answers.p_yes, answers.liked, metrics, len(answers))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return nothing to count: what a step costs depends on its layout, which `benchmarks/` measures."""
        return 0

    def lay_out_step(self, indices: list[int]) -> dict[str, Step]:
        """Return the training records of these indices as the input of :meth:`training_step`."""
        records = [self.train_records[index] for index in indices]
        return {"step": Step(list(make_batches(records, self.step_plan.layout, self.step_plan.budget)), indices)}

    def _complain(self, step: Step, losses: Sequence[torch.Tensor]) -> None:
        bad = next(batch for batch, loss in zip(step.batches, losses, strict=True) if not torch.isfinite(loss))
        rows = sorted(step.records[place] + 1 for place in bad.records.tolist())
        shown = ", ".join(map(str, rows[:8])) + (" ..." if len(rows) > 8 else "")
        raise LikelyError(
            f"The loss is not finite at step {self.state.global_step + 1} (training rows {shown}); lower learning_rate "
            "or set dtype: float32. The last checkpoint is unharmed."
        )


class _Indices(torch.utils.data.Dataset[int]):
    """A data set of row numbers: the loader looks the records up itself."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:
        return index


def _interleave(parts: Sequence[Answers]) -> Answers:
    """Undo `records[rank::world]`."""
    total = sum(len(part) for part in parts)

    def column(name: str) -> Any:
        joined = np.empty(total, getattr(parts[0], name).dtype)
        for rank, part in enumerate(parts):
            joined[rank :: len(parts)] = getattr(part, name)
        return joined

    return Answers(**{name: column(name) for name in Answers.__dataclass_fields__})
