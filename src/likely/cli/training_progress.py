"""A training's progress in the terminal: a bar, and a line for each log entry and evaluation."""

import math
import time
from typing import Any

from rich.console import Console
from rich.progress import TaskID
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from likely.cli.progress import progress_bar
from likely.report.words import figures_line


class TrainingProgress(TrainerCallback):
    """Shows a bar in a terminal, and a line for each log entry and evaluation everywhere."""

    def __init__(self, console: Console, max_minutes: float | None = None) -> None:
        """Write to `console`; the training takes no more than `max_minutes`, where that is given."""
        self.console = console
        self.most_seconds = 60 * max_minutes if max_minutes else math.inf
        self.bar = progress_bar(console)
        self.task: TaskID | None = None
        self.started, self.first_step = 0.0, 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the bar."""
        self.started, self.first_step = time.monotonic(), state.global_step
        if state.is_world_process_zero:
            self.bar.start()
            self.task = self.bar.add_task("training", total=state.max_steps, completed=state.global_step, figures="")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move the bar."""
        if self.task is not None:
            self.bar.update(self.task, completed=state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the loss, or the figures of an evaluation."""
        if self.task is None or not logs:
            return
        figures = describe(logs)
        if figures:
            self.bar.update(self.task, figures=figures)
            left = "" if "eval_loss" in logs else self._time_left(state)
            if "eval_loss" in logs or not self.console.is_terminal:
                self.console.print(f"  step {state.global_step}/{state.max_steps}  {figures}{left}", highlight=False)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the bar."""
        self.bar.stop()
        self.task = None

    def _time_left(self, state: TrainerState) -> str:
        """Return how long it will take from here, in words; nothing where no step is left or none was taken."""
        taken, left = state.global_step - self.first_step, state.max_steps - state.global_step
        if not taken or not left:
            return ""
        passed = time.monotonic() - self.started
        seconds = max(min(passed / taken * left, self.most_seconds - passed), 0)
        return f"  [dim]about {seconds / 60:.1f} min left[/dim]"


def describe(logs: dict[str, float]) -> str:
    """Return the figures of a log entry in words, or nothing where it holds none of them."""
    return f"[bold]eval[/bold] {figures_line(logs, 'eval_')}" if "eval_loss" in logs else figures_line(logs)
