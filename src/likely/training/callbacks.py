"""How a training ends: after so many minutes, and never without figures.

Callbacks of transformers' Trainer; `run` chooses them.
"""

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class StopAfter(TrainerCallback):
    """Ends training after some minutes, with a last evaluation and checkpoint like any other end."""

    def __init__(self, minutes: float) -> None:
        """Count from the beginning of training."""
        self.minutes = minutes
        self.started = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop when the time is up."""
        if time.monotonic() - self.started >= 60 * self.minutes:
            control.should_training_stop = True


class EvaluateAtEnd(TrainerCallback):
    """Evaluates and saves at the last step, wherever it falls, so that no run ends without figures."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for an evaluation and a checkpoint at the end."""
        if state.global_step >= state.max_steps or control.should_training_stop:
            control.should_log = True
            control.should_evaluate = args.eval_strategy != "no"
            control.should_save = True
