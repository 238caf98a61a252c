"""`likely train`: a finetuning run, told about in the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from likely.files import write_json
from likely.report.training_plot import save_training_plot


def print_run(
    console: Console, output_dir: Path, metrics: Mapping[str, Any], log: Sequence[Mapping[str, float]]
) -> None:
    """Write metrics.json and training.png of a finished run and print its best evaluation."""
    write_json(output_dir / "metrics.json", {**metrics, "log": list(log)})
    save_training_plot(log, output_dir / "training.png")
    names = {"eval_loss": "loss", "eval_accuracy": "accuracy", "eval_f1": "F1", "eval_auc": "AUC"}
    best = metrics["eval"]
    figures = "  ".join(f"{label} {best[name]:.4f}" for name, label in names.items() if name in best)
    trained = metrics["train"]
    found = f"best at step {metrics['best_step']}: {figures}" if figures else "not evaluated"
    console.print(
        f"[bold]Trained[/bold]    {trained['records']:,} records in {trained['seconds'] / 60:.1f} min; {found}",
        highlight=False,
    )
