"""transformers' Trainer with four things of our own: the step, the loss, the evaluation and the checkpoint.

An element of the data loader is a whole optimizer step, laid out in as many forward passes as the
token budget asks for (`batches`); the loss looks only at the answers; evaluation scores the
records (`scoring`) instead of running a second forward pass over full logits; and a checkpoint is
there when it is whole (`checkpoints`). `training` builds it.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput

from likely.encoding.batches import make_batches
from likely.encoding.order import Order
from likely.encoding.prompt import EncodedRecord
from likely.errors import LikelyError
from likely.model.adapter import ADAPTER_WEIGHTS, base_model
from likely.model.answers import Answers
from likely.model.forward import answer_logits
from likely.model.scoring import PassPlan, score
from likely.training.checkpoints import (
    STATE,
    checkpoint_of,
    publish,
    rotate,
    save_adapter,
    saying_why,
    staging_of,
    what_is_wrong,
)
from likely.training.ranks import together
from likely.training.steps import RowNumbers, Step, StepSampler

MetricsOf = Callable[[Answers], Mapping[str, float]]
"""Metrics of answers to the evaluation records, without the prefix `eval_`."""

REMEDY = "lower learning_rate or set dtype: float32. What was saved before is unharmed."


class AnswerTrainer(Trainer):
    """Trains a model to answer: loss at the answer only, and metrics of the answers.

    Args:
        train_records: what to train on.
        eval_records: what to evaluate on; may be empty.
        order: order of the training records in each epoch.
        step_plan: layout of a training step.
        eval_plan: layout of an evaluation.
        metrics_of: metrics of an evaluation.
        about: says what a checkpoint was made with, in JSON values; called at every save.
        rows: which rows of their files the two lists of records are, for messages; None for 1, 2 and so on.
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
        about: Callable[[], Mapping[str, Any]] = dict,
        rows: tuple[Sequence[int], Sequence[int]] | None = None,
        **arguments: Any,
    ) -> None:
        """Take the records out of transformers' hands; it only counts them."""
        super().__init__(
            train_dataset=RowNumbers(len(train_records)), eval_dataset=RowNumbers(len(eval_records)), **arguments
        )
        assert self.args.gradient_accumulation_steps == 1
        self.train_records = train_records
        self.eval_records = eval_records
        devices = self.accelerator.process_index, self.accelerator.num_processes
        self.steps = StepSampler(order, len(train_records), self.args.per_device_train_batch_size, *devices)
        self.step_plan = step_plan
        self.eval_plan = eval_plan
        self.metrics_of = metrics_of
        self.about = about
        self.train_rows, self.eval_rows = rows or (range(1, len(train_records) + 1), range(1, len(eval_records) + 1))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return a loader whose elements are :class:`Step` in a dictionary."""
        return DataLoader(RowNumbers(len(self.train_records)), batch_sampler=self.steps, collate_fn=self.lay_out_step)

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
        tokens = torch.tensor(step.weight * sum(len(batch.targets) for batch in step.batches), device=self.args.device)
        tokens = self.accelerator.reduce(tokens, "sum")
        losses: list[torch.Tensor] = []
        for place, laid in enumerate(step.batches, start=1):
            is_last = place == len(step.batches)
            with nullcontext() if is_last else self.accelerator.no_sync(model):
                batch = laid.to(self.args.device)
                logits = answer_logits(model, batch, inner)
                loss = torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="sum")
                loss = step.weight * loss / tokens
                # DistributedDataParallel averages gradients over devices; the loss is a sum over them.
                self.accelerator.backward(loss * self.accelerator.num_processes)
            losses.append(loss.detach())
        with together():
            self._check_losses(step, losses)
        mean: torch.Tensor = torch.stack(losses).sum() * self.accelerator.num_processes
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
        answers = score(model, inner, self.eval_records[rank::world], self.eval_plan)
        answers = _interleave(gather_object([answers]))
        self._check_answers(answers)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in self.metrics_of(answers).items()}
        return EvalLoopOutput(answers.p_yes, answers.liked, metrics, len(answers))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return nothing to count: what a step costs depends on its layout, which `benchmarks/` measures."""
        return 0

    def lay_out_step(self, indices: list[int]) -> dict[str, Step]:
        """Return the training records of these indices, or one for none, as the input of :meth:`training_step`."""
        rows = indices or [0]
        batches = make_batches([self.train_records[row] for row in rows], self.step_plan.layout, self.step_plan.budget)
        return {"step": Step(list(batches), rows, weight=int(bool(indices)))}

    @property
    def output_dir(self) -> Path:
        """Where checkpoints go."""
        assert self.args.output_dir is not None
        return Path(self.args.output_dir)

    @property
    def adapter(self) -> PeftModel:
        """The model that is trained."""
        assert isinstance(self.model, PeftModel)
        return self.model

    def load_best(self) -> None:
        """Put the weights of the best evaluation back into the model; those of the last step stay if there is none.

        Raises:
            LikelyError: their checkpoint is not whole any more.
        """
        best = self.state.best_global_step
        if best is None or best == self.state.global_step:
            return
        checkpoint = checkpoint_of(self.output_dir, best)
        problem = what_is_wrong(checkpoint)
        if problem:
            raise LikelyError(
                f"The weights of the best evaluation, in {checkpoint}, cannot be read ({problem}); go on with --resume "
                "to take the best of what is left."
            )
        set_peft_model_state_dict(self.adapter, load_file(checkpoint / ADAPTER_WEIGHTS))

    def check_weights(self) -> None:
        """Check that the trained weights are numbers.

        Raises:
            LikelyError: one is infinite or not a number.
        """
        trained = (weight for weight in self.adapter.parameters() if weight.requires_grad)
        if not all(bool(torch.isfinite(weight).all()) for weight in trained):
            raise LikelyError(f"The weights are not finite after step {self.state.global_step}; {REMEDY}")

    def _run_epoch(self, model: torch.nn.Module, epoch: int, *arguments: Any, **named: Any) -> None:
        """Take the steps of an epoch, but none where a resumed run has come to its end already."""
        self.steps.set_epoch(epoch)
        if not self.control.should_training_stop:
            super()._run_epoch(model, epoch, *arguments, **named)  # type: ignore[no-untyped-call]

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write a checkpoint beside its place, all processes together, and put it there when it is whole.

        Raises:
            LikelyError: it cannot be written, or the weights are not finite; earlier checkpoints are as they were.
        """
        step, output_dir = self.state.global_step, self.output_dir
        if what_is_wrong(checkpoint_of(output_dir, step)) is None:
            return  # a resumed run that has not taken a step
        self.check_weights()
        staging = staging_of(output_dir, step)
        try:
            with together(), saying_why(f"The checkpoint of step {step}", output_dir):
                staging.mkdir(exist_ok=True)
                self._save_rng_state(str(staging))
                if self.args.should_save:
                    self._save_rest(staging)
            with together(), saying_why(f"The checkpoint of step {step}", output_dir):
                if self.args.should_save:
                    publish(staging, self.about())
                    rotate(output_dir, self.args.save_total_limit, step, self.state.best_global_step)
        except LikelyError:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def _save_rest(self, staging: Path) -> None:
        """Write what is the same in all processes."""
        save_adapter(self.adapter, staging)
        self._save_optimizer_and_scheduler(str(staging))
        self._save_scaler(str(staging))
        self.state.save_to_json(str(staging / STATE))

    def _check_losses(self, step: Step, losses: list[torch.Tensor]) -> None:
        finite = torch.isfinite(torch.stack(losses)).tolist()
        if not all(finite):
            bad = step.batches[finite.index(False)]
            rows = _listed([self.train_rows[step.records[place]] for place in bad.records.tolist()])
            raise LikelyError(
                f"The loss is not finite at step {self.state.global_step + 1} (training rows {rows}); {REMEDY}"
            )

    def _check_answers(self, answers: Answers) -> None:
        finite = np.isfinite(answers.loss) & np.isfinite(answers.p_yes) & np.isfinite(answers.label_mass)
        if not finite.all():
            rows = _listed([self.eval_rows[place] for place in np.flatnonzero(~finite).tolist()])
            raise LikelyError(
                f"The answers are not finite after step {self.state.global_step} (evaluation rows {rows}); {REMEDY}"
            )


def _listed(rows: Sequence[int]) -> str:
    """Return the first of some rows in words."""
    shown = ", ".join(str(row) for row in sorted(rows)[:8])
    return f"{shown} ..." if len(rows) > 8 else shown


def _interleave(parts: Sequence[Answers]) -> Answers:
    """Undo `records[rank::world]`."""
    total = sum(len(part) for part in parts)

    def column(name: str) -> Any:
        joined = np.empty(total, getattr(parts[0], name).dtype)
        for rank, part in enumerate(parts):
            joined[rank :: len(parts)] = getattr(part, name)
        return joined

    return Answers(**{name: column(name) for name in Answers.__dataclass_fields__})
