"""The output folder of a run: may it be written, where does it go on, and what stands there in the end.

`training` asks before anything is loaded and hands over the finished Trainer.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.config.reading import dump_config
from likely.config.run_config import RunConfig
from likely.data.task import Task, save_task
from likely.errors import LikelyError
from likely.files import make_writable_folder

if TYPE_CHECKING:
    from likely.training.trainer import AnswerTrainer


def check_output(output_dir: Path, overwrite: bool, resume: bool) -> Path | None:
    """Check that a run may write to its output folder, and find where to go on from.

    Returns:
        The last checkpoint if `resume` is set, otherwise None.

    Raises:
        LikelyError: the folder cannot be written, holds another run, or holds nothing to resume.
    """
    try:
        make_writable_folder(output_dir)
    except OSError as error:
        raise LikelyError(f"output_dir {output_dir} cannot be written ({error.strerror}); choose another.") from error
    checkpoints = sorted(output_dir.glob("checkpoint-*"), key=_step_of)
    if resume:
        if not checkpoints:
            raise LikelyError(f"output_dir {output_dir} holds no checkpoint to resume from; run without --resume.")
        return checkpoints[-1]
    if overwrite:
        for checkpoint in checkpoints:
            shutil.rmtree(checkpoint)
        return None
    if (output_dir / "adapter_model.safetensors").exists():
        raise LikelyError(
            f"output_dir {output_dir} holds a finished run; set overwrite_output_dir=true, or choose another folder."
        )
    if checkpoints:
        raise LikelyError(
            f"output_dir {output_dir} holds an unfinished run; go on with --resume, or set overwrite_output_dir=true."
        )
    return None


def run_figures(
    config: RunConfig, trainer: "AnswerTrainer", seconds: float
) -> tuple[Mapping[str, Any], list[dict[str, float]]]:
    """Return the figures of a finished training (its best evaluation, its size, versions) and the Trainer's log."""
    log = [dict(entry) for entry in trainer.state.log_history]
    evaluations = [entry for entry in log if config.metric_for_best_model in entry]
    choose = max if config.greater_is_better else min
    best = choose(evaluations, key=lambda entry: entry[config.metric_for_best_model]) if evaluations else {}
    metrics = {
        "best_step": best.get("step"),
        "eval": {name: value for name, value in best.items() if name.startswith("eval_")},
        "train": {
            "steps": trainer.state.global_step,
            "records": round((trainer.state.epoch or 0) * len(trainer.train_records)),
            "seconds": round(seconds, 1),
        },
        "versions": {name: version(name) for name in ("likely", "torch", "transformers", "peft")},
        "python": platform.python_version(),
    }
    return metrics, log


def leave_adapter(config: RunConfig, task: Task, trainer: "AnswerTrainer") -> None:
    """Write adapter, tokenizer, configuration and task; the adapter last, because it marks the run as finished."""
    output_dir = Path(config.output_dir)
    with tempfile.TemporaryDirectory(dir=output_dir, prefix=".finishing-") as folder:
        finishing = Path(folder)
        trainer.save_model(str(finishing))
        (finishing / "config.yaml").write_text(dump_config(config), encoding="utf-8")
        save_task(finishing, task)
        for path in sorted(finishing.iterdir(), key=lambda path: path.name == "adapter_model.safetensors"):
            os.replace(path, output_dir / path.name)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
