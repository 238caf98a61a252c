"""`likely train`: a finetuning run, told about in the terminal, and its picture and page."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_CONFIG, Config, Overrides, typed
from likely.errors import StoppedError
from likely.files import writing

if TYPE_CHECKING:
    from rich.console import Console

    from likely.config.run_config import RunConfig
    from likely.training.run import TrainedRun


def train(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest whole checkpoint.")] = False,
) -> None:
    """Finetune with LoRA, or QLoRA on CUDA."""
    from likely.config.reading import load_config

    run = load_config(config, overrides or ())  # before libraries that take seconds to import
    from likely.cli.report import report_run
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole
    from likely.report.terminal import print_next_commands

    ready_process()
    from likely.training.arguments import is_first_process

    console = SafeConsole(quiet=not is_first_process())
    try:
        finished = train_shown(console, run, resume)
    except StoppedError as stopped:
        command = f"{typed('likely')} train {shlex.join(['--config', str(config), *(overrides or ()), '--resume'])}"
        raise StoppedError(f"{stopped} Go on with: {command}", stopped.exit_status) from None
    if is_first_process():
        report_run(finished.output_dir)
    folder = shlex.quote(str(run.output_dir))
    commands = [
        (f"{typed('likely')} infer --run {folder}", "base against adapter"),
        (f"{typed('likely')} evaluate --run {folder}", "with baselines and intervals, into report.html"),
    ]
    if "tensorboard" in run.report_to:
        commands.append(
            (f"{typed('tensorboard')} --logdir {folder}/logs --port 6006", "curves, several runs side by side")
        )
    print_next_commands(console, "Adapter", finished.output_dir, commands)


def train_shown(console: Console, config: RunConfig, resume: bool = False) -> TrainedRun:
    """Train, tell about it in a terminal, and draw the curves into training.png."""
    from rich.markup import escape

    from likely.cli.training_progress import TrainingProgress
    from likely.evaluation.metrics import answer_metrics
    from likely.report.training_plot import save_training_plot
    from likely.training.arguments import is_first_process
    from likely.training.model_card import early_end
    from likely.training.run import train

    def tell(title: str, text: str) -> None:
        console.print(f"[bold]{title:<9}[/bold]  {escape(text)}", highlight=False)

    finished = train(config, answer_metrics, [TrainingProgress(console, config.max_minutes)], tell, resume)
    tell("Trained", described(finished))
    early = early_end(finished.metrics)
    if early:
        tell("Schedule", early)
    if is_first_process():
        picture = finished.output_dir / "training.png"
        with writing(picture):
            save_training_plot(finished.log, picture)
    return finished


def described(run: TrainedRun) -> str:
    """Return size and best evaluation of a run in a line."""
    names = {"eval_loss": "loss", "eval_accuracy": "accuracy", "eval_f1": "F1", "eval_auc": "AUC"}
    best, trained = run.metrics["eval"], run.metrics["train"]
    figures = "  ".join(f"{label} {best[name]:.4f}" for name, label in names.items() if name in best)
    found = f"best at step {run.metrics['best_step']}: {figures}" if figures else "not evaluated"
    return f"{trained['records']:,} records in {trained['seconds'] / 60:.1f} min; {found}"
