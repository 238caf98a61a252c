"""The output folder of a run: may it be written, where does it go on, and what stands there in the end.

`run` asks before anything is loaded and hands over the finished Trainer. What scoring, ranking and a person need later
is all in the folder.
"""

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.data.catalogue_file import CATALOGUE_FILE
from likely.data.task import BLEND_FILES, METRICS_FILE
from likely.errors import LikelyError
from likely.files import make_writable_folder, replacing, replacing_folder, write_json
from likely.model.adapter import ADAPTER_WEIGHTS
from likely.model.fingerprint import library_versions
from likely.training.checkpoints import (
    STATE,
    checkpoint_of,
    checkpoints_in,
    newest_whole,
    read_about,
    save_adapter,
    saying_why,
    what_is_wrong,
)
from likely.training.resume import Facts

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from likely.training.trainer import AnswerTrainer

NEVER_COME_DOWN = ("constant", "constant_with_warmup", "inverse_sqrt")
"""Schedules whose learning rate is not small at the end of a run, however long it is."""


@dataclass(frozen=True)
class Start:
    """Where a run begins, or goes on.

    Attributes:
        checkpoint: to go on from; None for a run that begins.
        about: what `checkpoint.json` says of it.
        best_is_lost: whether the weights of the best evaluation before it are not there any more.
        notes: what was found on the way to it, in a line each.
        today: by the clock of the process that looked, so that all have the same.
    """

    checkpoint: Path | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    best_is_lost: bool = False
    notes: tuple[str, ...] = ()
    today: datetime.date = field(default_factory=lambda: datetime.date.today())

    @property
    def made_with(self) -> Facts:
        """What the checkpoint was made with; nothing where it does not say."""
        facts: Facts = self.about.get("made_with", {})
        return facts

    @property
    def prompt_date(self) -> datetime.date:
        """The date of a run's prompts unless its configuration sets one: that of the checkpoint, or today."""
        kept: str | None = self.made_with.get("config", {}).get("prompt_date")
        return datetime.date.fromisoformat(kept) if kept else self.today


def check_folder(output_dir: Path) -> None:
    """Make an output folder, and try whether it can be written.

    Raises:
        LikelyError: it cannot.
    """
    try:
        make_writable_folder(output_dir)
    except OSError as error:
        raise LikelyError(f"output_dir {output_dir} cannot be written ({error.strerror}); choose another.") from error


def check_output(output_dir: Path, overwrite: bool, resume: bool) -> Start:
    """Check that a run may write to its output folder, which is there, and find where to go on from.

    Returns:
        The newest checkpoint that is whole if `resume` is set, otherwise none. Nothing is removed yet.

    Raises:
        LikelyError: the folder holds another run, or nothing to resume.
    """
    if resume:
        return _newest(output_dir)
    if overwrite:
        return Start()
    if (output_dir / ADAPTER_WEIGHTS).exists():
        raise LikelyError(
            f"output_dir {output_dir} holds a finished run; set overwrite_output_dir=true, or choose another folder."
        )
    if checkpoints_in(output_dir):
        raise LikelyError(
            f"output_dir {output_dir} holds an unfinished run; go on with --resume, or set overwrite_output_dir=true."
        )
    return Start()


def _newest(output_dir: Path) -> Start:
    """Return the newest checkpoint that is whole, and whether the best one before it is whole too."""
    if not checkpoints_in(output_dir):
        raise LikelyError(f"output_dir {output_dir} holds no checkpoint to resume from; run without --resume.")
    checkpoint, skipped = newest_whole(output_dir)
    if checkpoint is None:
        raise LikelyError(
            f"output_dir {output_dir} holds no whole checkpoint to resume from ({' '.join(skipped).rstrip('.')}); set "
            "overwrite_output_dir=true to start anew."
        )
    notes = [*skipped, f"Going on from {checkpoint.name}."]
    best = json.loads((checkpoint / STATE).read_text(encoding="utf-8")).get("best_global_step")
    problem = what_is_wrong(checkpoint_of(output_dir, best)) if best else None
    if problem:
        notes.append(f"The best evaluation so far was at step {best}, but of its checkpoint {problem}; it is left out.")
    return Start(checkpoint, read_about(checkpoint), bool(problem), tuple(notes))


def leave_adapter(
    folder: Path, model: "PeftModel", tokenizer: "PreTrainedTokenizerBase", texts: Mapping[str, str]
) -> None:
    """Write adapter, tokenizer and other files, readable by others; the adapter last: it marks a run as finished.

    An earlier adapter in the folder goes first, and what it said of itself: killed half-way, the run is not finished.

    Args:
        folder: of the run.
        model: whose adapter it is.
        tokenizer: the base model's.
        texts: name and content of the other files.

    Raises:
        LikelyError: they cannot be written.
    """
    with saying_why("The adapter", folder), replacing_folder(folder, last=ADAPTER_WEIGHTS) as finishing:
        save_adapter(model, finishing)
        tokenizer.save_pretrained(str(finishing))
        for name, text in texts.items():
            (finishing / name).write_text(text, encoding="utf-8")
        for stale in (ADAPTER_WEIGHTS, METRICS_FILE, "README.md", "preparation.json", CATALOGUE_FILE, *BLEND_FILES):
            (folder / stale).unlink(missing_ok=True)


def leave_figures(folder: Path, figures: Mapping[str, Any], log: Sequence[Mapping[str, float]], card: str) -> None:
    """Write metrics.json, the Trainer's log in it, and the model card."""
    write_json(folder / METRICS_FILE, {**figures, "log": list(log)})
    with replacing(folder / "README.md") as page:
        page.write(card)


def run_figures(trainer: "AnswerTrainer", seconds: float) -> dict[str, Any]:
    """Return the figures of a finished training: the evaluation of the weights it leaves, its size, and versions.

    Args:
        trainer: that has trained and holds these weights.
        seconds: that the training took, with all before a resume.
    """
    step = trainer.state.best_global_step or trainer.state.global_step
    there = [entry for entry in trainer.state.log_history if entry["step"] == step and "eval_loss" in entry]
    best = there[-1] if there else {}
    return {
        "best_step": best.get("step"),
        "eval": {name: value for name, value in best.items() if name.startswith("eval_")},
        "train": {
            "steps": trainer.state.global_step,
            "planned_steps": trainer.state.max_steps,
            "rate_left": _rate_left(trainer),
            "step_size": trainer.steps.together,
            "records": trainer.steps.seen_after(trainer.state.global_step),
            "seconds": round(seconds, 1),
        },
        "versions": library_versions(),
        "python": platform.python_version(),
    }


def _rate_left(trainer: "AnswerTrainer") -> float | None:
    """Return from what share of its peak the learning rate had yet to come down; None for one that never does."""
    if trainer.lr_scheduler is None or trainer.args.lr_scheduler_type in NEVER_COME_DOWN:
        return None
    (shape, *_) = trainer.lr_scheduler.lr_lambdas
    state = trainer.state
    return float(max(shape(step) for step in range(state.global_step, max(state.max_steps, state.global_step) + 1)))
