"""What a person sees of a result: summary table, examples, plot and metrics file.

Takes figures (`metrics`) and answers (`answers`) and writes to a console or a file.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from likely.answers import Answers
from likely.records import Record

HIGHER_IS_BETTER = {"accuracy": "accuracy", "f1": "F1 (Yes)", "auc": "AUC", "uauc": "UAUC", "answered": "answered"}


@dataclass(frozen=True)
class SummaryRow:
    """One line of the summary: a model or a baseline and its figures."""

    name: str
    metrics: Mapping[str, float]
    is_baseline: bool = False


def summary_table(rows: Sequence[SummaryRow], title: str) -> Table:
    """Return a table of models and baselines, the best figure of each column in bold."""
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("on the same rows", no_wrap=True)
    columns = [name for name in HIGHER_IS_BETTER if any(name in row.metrics for row in rows)]
    for name in columns:
        table.add_column(HIGHER_IS_BETTER[name], justify="right")
    for row in rows:
        cells = [_cell(name, row, rows) for name in columns]
        style = "dim" if row.is_baseline else ""
        table.add_row(escape(row.name), *cells, style=style)
    return table


def example_table(
    records: Sequence[Record], base: Answers, adapter: Answers, examples: int = 5, lines: int = 4
) -> Table:
    """Return the first records with the end of their history, the truth and P(Yes) of both models."""
    table = Table(title="Examples", title_justify="left", header_style="bold", show_lines=True)
    table.add_column("what the model reads (end)", ratio=1)
    for name in ("truth", "base", "adapter"):
        table.add_column(name, justify="right")
    for place, record in enumerate(records[:examples]):
        end = "\n".join((record.input or record.instruction).splitlines()[-lines:])
        table.add_row(
            escape(end),
            record.output,
            *(_probability(answers.p_yes[place], bool(answers.liked[place])) for answers in (base, adapter)),
        )
    return table


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
    console.print(
        f"[bold]Trained[/bold]    {trained['records']:,} records in {trained['seconds'] / 60:.1f} min; "
        f"best at step {metrics['best_step']}: {figures or 'not evaluated'}",
        highlight=False,
    )


def print_next_commands(console: Console, adapter_dir: Path, commands: Sequence[tuple[str, str]]) -> None:
    """Print where the adapter is and what to type next."""
    console.print(f"\n[bold]Adapter[/bold]  {escape(str(adapter_dir))}")
    for command, purpose in commands:
        console.print(
            f"  [cyan]{escape(command)}[/cyan]  [dim]{escape(purpose)}[/dim]", soft_wrap=True, highlight=False
        )


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; numbers that are not finite become null."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False
    ) as out:
        json.dump(_finite(value), out, indent=2, ensure_ascii=False)
        out.write("\n")
    os.chmod(out.name, 0o644)
    os.replace(out.name, path)


def save_training_plot(log: Sequence[Mapping[str, float]], path: Path) -> None:
    """Plot training loss, evaluation loss and AUC over optimizer steps into a PNG file.

    Args:
        log: entries of transformers' Trainer (`state.log_history`).
        path: where to.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    losses, areas = figure.subplots(1, 2)
    for name, label, colour in (("loss", "training", "#9db4c8"), ("eval_loss", "evaluation", "#1f5f99")):
        steps, values = _curve(log, name)
        losses.plot(steps, values, label=label, color=colour, marker="o" if name == "eval_loss" else None)
    losses.set(xlabel="optimizer steps", ylabel="loss at the answer (nats)", title="Loss")
    losses.legend(frameon=False)
    areas.plot(*_curve(log, "eval_auc"), color="#c2571a", marker="o", label="AUC")
    areas.plot(*_curve(log, "eval_accuracy"), color="#e0a576", marker="o", label="accuracy")
    areas.set(xlabel="optimizer steps", title="Evaluation")
    areas.legend(frameon=False)
    for axes in (losses, areas):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    temporary = path.with_name(f".{path.name}-{os.getpid()}.png")
    canvas.print_png(str(temporary))
    os.replace(temporary, path)


def _curve(log: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    entries = [entry for entry in log if name in entry and "step" in entry]
    return [entry["step"] for entry in entries], [entry[name] for entry in entries]


def _cell(name: str, row: SummaryRow, rows: Sequence[SummaryRow]) -> str:
    value = row.metrics.get(name)
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.1%}" if name == "answered" else f"{value:.4f}"
    finite = [v for other in rows if (v := other.metrics.get(name)) is not None and math.isfinite(v)]
    is_best = name != "answered" and value == max(finite)
    return f"[bold green]{text}[/bold green]" if is_best else text


def _probability(p_yes: float, liked: bool) -> str:
    right = (p_yes >= 0.5) == liked
    return f"[{'green' if right else 'red'}]{p_yes:.3f}[/]"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
