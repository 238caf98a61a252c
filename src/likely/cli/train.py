"""`likely train`: a finetuning run, told about in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from likely.cli.options import MAIN_CONFIG, Config, Overrides
from likely.files import write_json

if TYPE_CHECKING:
    from rich.console import Console


def train(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
) -> None:
    """Finetune with LoRA, or QLoRA on CUDA."""
    from rich.console import Console

    from likely.config.reading import load_config
    from likely.model.runtime import ready_process
    from likely.report.terminal import print_next_commands
    from likely.sources.catalogue import resolve_model

    run = load_config(config, overrides or ())
    ready_process()
    from likely.cli.report import report_run
    from likely.evaluation.metrics import answer_metrics
    from likely.training.arguments import is_first_process
    from likely.training.run import train as train_run

    console = Console(quiet=not is_first_process())
    finished = train_run(run, resolve_model(run.model_name_or_path).location, console, answer_metrics, resume)
    print_run(console, finished.output_dir, finished.metrics, finished.log)
    if is_first_process():
        report_run(finished.output_dir)
    print_next_commands(
        console,
        finished.output_dir,
        [
            (f"python finetune/scripts/infer_lora.py --adapter-dir {run.output_dir}", "base against adapter"),
            (f"likely evaluate --adapter-dir {run.output_dir}", "with baselines and intervals, into report.html"),
            (f"tensorboard --logdir {run.output_dir}/logs --port 6006", "curves, several runs side by side"),
        ],
    )


def print_run(
    console: Console, output_dir: Path, metrics: Mapping[str, Any], log: Sequence[Mapping[str, float]]
) -> None:
    """Write metrics.json and training.png of a finished run and print its best evaluation."""
    from likely.report.training_plot import save_training_plot
    from likely.report.words import figures_line

    write_json(output_dir / "metrics.json", {**metrics, "log": list(log)})
    save_training_plot(log, output_dir / "training.png")
    figures = figures_line(metrics["eval"], "eval_")
    trained = metrics["train"]
    found = f"best at step {metrics['best_step']}: {figures}" if figures else "not evaluated"
    console.print(
        f"[bold]Trained[/bold]    {trained['records']:,} records in {trained['seconds'] / 60:.1f} min; {found}",
        highlight=False,
    )
