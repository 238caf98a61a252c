"""The output folder of a run: may it be written, where does it go on, and what stands there in the end.

`run` asks before anything is loaded and hands over the finished Trainer. What scoring, ranking and a person need later
is all in the folder.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.errors import LikelyError
from likely.files import make_writable_folder, replacing, write_json
from likely.training.arguments import is_first_process

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from likely.training.trainer import AnswerTrainer

ADAPTER = "adapter_model.safetensors"


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
        for checkpoint in checkpoints if is_first_process() else ():
            shutil.rmtree(checkpoint)
        return None
    if (output_dir / ADAPTER).exists():
        raise LikelyError(
            f"output_dir {output_dir} holds a finished run; set overwrite_output_dir=true, or choose another folder."
        )
    if checkpoints:
        raise LikelyError(
            f"output_dir {output_dir} holds an unfinished run; go on with --resume, or set overwrite_output_dir=true."
        )
    return None


def leave_adapter(
    folder: Path, model: "PeftModel", tokenizer: "PreTrainedTokenizerBase", texts: Mapping[str, str]
) -> None:
    """Write adapter, tokenizer and other files, readable by others; the adapter last: it marks a run as finished.

    What an earlier run in the folder said of its own adapter goes first.

    Args:
        folder: of the run.
        model: whose adapter it is.
        tokenizer: the base model's.
        texts: name and content of the other files.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".finishing-") as temporary:
        finishing = Path(temporary)
        # Left to itself, peft asks the hub whether a vocabulary has grown; ours never does.
        model.save_pretrained(str(finishing), save_embedding_layers=False)
        tokenizer.save_pretrained(str(finishing))
        (finishing / "README.md").unlink()
        for name, text in texts.items():
            (finishing / name).write_text(text, encoding="utf-8")
        for stale in ("metrics.json", "README.md", "preparation.json"):
            (folder / stale).unlink(missing_ok=True)
        for path in sorted(finishing.iterdir(), key=lambda path: path.name == ADAPTER):
            path.chmod(0o644)
            os.replace(path, folder / path.name)


def leave_figures(folder: Path, figures: Mapping[str, Any], log: Sequence[Mapping[str, float]], card: str) -> None:
    """Write metrics.json, the Trainer's log in it, and the model card."""
    write_json(folder / "metrics.json", {**figures, "log": list(log)})
    with replacing(folder / "README.md") as page:
        page.write(card)


def run_figures(trainer: "AnswerTrainer", metric: str, greater_is_better: bool, seconds: float) -> dict[str, Any]:
    """Return the figures of a finished training: its best evaluation, its size, and versions.

    Args:
        trainer: that has trained.
        metric: which one makes an evaluation the best.
        greater_is_better: whether its larger values are better.
        seconds: that the training took.
    """
    evaluations = [entry for entry in trainer.state.log_history if metric in entry]
    choose = max if greater_is_better else min
    best = choose(evaluations, key=lambda entry: entry[metric]) if evaluations else {}
    return {
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


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
