"""What happens between the steps of a training: when it ends, which evaluation is the best, and how it goes on.

Callbacks of transformers' Trainer, chosen by `training` and called in the order in which they stand here. None of them
keeps what a resumed run would need: that is in the trainer's state and its log, which every checkpoint holds.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from likely.errors import LikelyError
from likely.training.ranks import any_process, by_first
from likely.training.stopping import StopRequest


class Clock:
    """Seconds of training, with those before a resume."""

    def __init__(self, before: float = 0.0) -> None:
        """Start from what the checkpoint says."""
        self.before = before
        self.started = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds until now."""
        return self.before + time.monotonic() - self.started


class StopAfter(TrainerCallback):
    """Ends training after some minutes, with a last evaluation and checkpoint like any other end.

    Where the steps would take longer than that, the learning rate comes down with the time instead of with the steps,
    so that the last ones are as small as those of a schedule that came to its end.
    """

    def __init__(self, minutes: float, clock: Clock) -> None:
        """Read the time from `clock`."""
        self.seconds = 60 * minutes
        self.clock = clock
        self.spent = 0.0
        """Share of the time that is over, the same in all processes."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Draw the schedule over the time as well, and stop a resumed run that has used it up."""

        def by_time(shape: Callable[[float], float]) -> Callable[[float], float]:
            return lambda step: shape(max(step, self.spent * state.max_steps))

        scheduler = kwargs["lr_scheduler"]
        scheduler.lr_lambdas = [by_time(shape) for shape in scheduler.lr_lambdas]
        self.on_optimizer_step(args, state, control)
        self.on_step_end(args, state, control)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at the clock before the scheduler is asked for the rate of the next step."""
        self.spent = by_first(lambda: min(self.clock.seconds() / self.seconds, 1.0))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop when the time is up."""
        if any_process(self.clock.seconds() >= self.seconds):
            control.should_training_stop = True


class KeepBest(TrainerCallback):
    """Saves at every evaluation that is the best so far, so that its weights are there in the end."""

    def __init__(self, metric: str, greater_is_better: bool) -> None:
        """Compare `metric` of the evaluations."""
        self.metric = metric
        self.greater_is_better = greater_is_better

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Note a better evaluation and ask for a checkpoint.

        Raises:
            LikelyError: metrics of the caller's own do not have the one to compare by.
        """
        metrics = kwargs["metrics"]
        if self.metric not in metrics:
            raise LikelyError(
                f"The evaluation has no {self.metric}, by which metric_for_best_model compares; let metrics_of return "
                f'"{self.metric.removeprefix("eval_")}", or set it to another metric.'
            )
        value = metrics[self.metric]
        if is_better(value, state.best_metric, self.greater_is_better):
            state.best_metric, state.best_global_step = value, state.global_step
            control.should_save = True


class StopWithoutBetter(TrainerCallback):
    """Ends training after so many evaluations without a better one; the log is what it counts in."""

    def __init__(self, patience: int, metric: str, greater_is_better: bool) -> None:
        """Compare `metric` of the evaluations."""
        self.patience = patience
        self.metric = metric
        self.greater_is_better = greater_is_better

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Stop a resumed run that had come to its end."""
        self.on_evaluate(args, state, control)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop when the patience is at its end."""
        if evaluations_since_best(state.log_history, self.metric, self.greater_is_better) >= self.patience:
            control.should_save = control.should_training_stop = True


class EvaluateAtEnd(TrainerCallback):
    """Evaluates and saves at the last step, wherever it falls, so that no run ends without figures."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for an evaluation and a checkpoint at the end, and a log entry before each of these.

        What is logged is the mean since the last entry, so a run resumed from a logged step logs what it would have.
        """
        is_last = state.global_step >= state.max_steps or control.should_training_stop
        if is_last and not (args.eval_strategy == "epoch" and _ends_epoch(state)):
            control.should_evaluate = args.eval_strategy != "no"
            control.should_save = True
        control.should_log |= is_last or control.should_evaluate or control.should_save

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log before an evaluation and a checkpoint, which do not come a second time where the end has done both."""
        if _is_evaluated(state):
            control.should_evaluate = control.should_save = False
        control.should_log |= control.should_evaluate or control.should_save


class StopOnRequest(TrainerCallback):
    """Saves after the step in which somebody asked to stop; an evaluation due there is left to the resumed run."""

    def __init__(self, request: StopRequest) -> None:
        """Look at `request` after every step."""
        self.request = request

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop."""
        if any_process(self.request.by is not None):
            control.should_evaluate = False
            control.should_log = control.should_save = control.should_training_stop = self.request.is_met = True

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop after an evaluation in which the request came."""
        if any_process(self.request.by is not None):
            control.should_save = control.should_training_stop = self.request.is_met = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Do nothing more once all is saved."""
        if self.request.is_met:
            control.should_evaluate = control.should_save = False


class GoOn(TrainerCallback):
    """Lets a resumed run follow its present configuration, where transformers would follow the checkpoint's."""

    def __init__(self, best_is_lost: bool = False) -> None:
        """Forget the best evaluation so far if its checkpoint is not whole any more."""
        self.best_is_lost = best_is_lost

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set intervals and learning rate, and catch up on an evaluation that the stopped run left out."""
        state.compute_steps(args, state.max_steps)
        control.should_training_stop |= state.global_step >= state.max_steps  # also where that is within an epoch
        redraw_schedule(kwargs["optimizer"], kwargs["lr_scheduler"], args.learning_rate)
        if self.best_is_lost:
            state.best_metric = state.best_global_step = None
        due = _ends_epoch(state) if args.eval_strategy == "epoch" else state.global_step % state.eval_steps == 0
        is_due = due or control.should_training_stop
        args.eval_on_start = args.eval_strategy != "no" and is_due and not _is_evaluated(state)


def is_better(value: float, best: float | None, greater_is_better: bool) -> bool:
    """Return whether a metric is better than the best so far, which may be none."""
    if math.isnan(value):
        return False
    return best is None or (value > best if greater_is_better else value < best)


def evaluations_since_best(log: Iterable[Mapping[str, float]], metric: str, greater_is_better: bool) -> int:
    """Return how many evaluations of a log came after its best one."""
    best, waited = None, 0
    for entry in log:
        if metric in entry:
            better = is_better(entry[metric], best, greater_is_better)
            best, waited = (entry[metric], 0) if better else (best, waited + 1)
    return waited


def redraw_schedule(optimizer: Any, scheduler: Any, learning_rate: float) -> None:
    """Give a loaded schedule its peak, and the optimizer the rate that the schedule has at the step it has come to.

    Args:
        optimizer: as loaded from a checkpoint.
        scheduler: torch's LambdaLR, drawn over the steps of the present configuration.
        learning_rate: the peak.
    """
    scheduler.base_lrs = [learning_rate for _ in scheduler.base_lrs]
    rates = [learning_rate * shape(scheduler.last_epoch) for shape in scheduler.lr_lambdas]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["initial_lr"], group["lr"] = learning_rate, rate
    scheduler._last_lr = rates


def _ends_epoch(state: TrainerState) -> bool:
    return float(state.epoch or 0.5).is_integer()


def _is_evaluated(state: TrainerState) -> bool:
    return any("eval_loss" in entry and entry["step"] == state.global_step for entry in state.log_history)
