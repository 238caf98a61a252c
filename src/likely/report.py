"""What a person sees of a result: summary table, examples, plot and metrics file.

Takes figures (`metrics`) and answers (`answers`) and writes to a console or a file.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from likely.answers import Answers
from likely.files import replacing
from likely.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HIGHER_IS_BETTER = {"accuracy": "accuracy", "f1": "F1 (Yes)", "auc": "AUC", "uauc": "UAUC", "answered": "answered"}


@dataclass(frozen=True)
class SummaryRow:
    """One line of the summary: a model or a baseline and its figures."""

    name: str
    metrics: Mapping[str, float]
    is_baseline: bool = False


@dataclass(frozen=True)
class FittingTable:
    """A table that rich prints in its wide form where all of that fits the console, else in its narrow form."""

    wide: Table
    narrow: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the form that loses no figure."""
        needed = Measurement.get(console, options.update(width=1000), self.wide).maximum
        yield self.wide if needed <= options.max_width else self.narrow


def summary_table(rows: Sequence[SummaryRow], title: str) -> FittingTable:
    """Return a table of models and, dimmed, baselines; the best figure of each column in bold."""
    columns = [name for name in HIGHER_IS_BETTER if any(name in row.metrics for row in rows)]
    wide = Table("on the same rows", title=title, title_justify="left", header_style="bold")
    narrow = Table("on the same rows", "", title=title, title_justify="left", header_style="bold", show_lines=True)
    for name in columns:
        wide.add_column(HIGHER_IS_BETTER[name], justify="right")
    for row in rows:
        style = "dim" if row.is_baseline else ""
        cells = [_cell(name, row, rows) for name in columns]
        wide.add_row(escape(row.name), *cells, style=style)
        figures = [f"{HIGHER_IS_BETTER[name]} {cell}" for name, cell in zip(columns, cells, strict=True)]
        narrow.add_row(escape(row.name), "\n".join(figures), style=style)
    return FittingTable(wide, narrow)


def example_table(
    records: Sequence[Record], base: Answers, adapter: Answers, examples: int = 5, lines: int = 4
) -> Table:
    """Return records of different users with the end of their history, the truth and P(Yes) of both models."""
    table = Table(title="Examples", title_justify="left", header_style="bold", show_lines=True)
    table.add_column("what the model reads (end)", ratio=1)
    for name in ("truth", "base", "adapter"):
        table.add_column(name, justify="right")
    first_of_user: dict[str, int] = {}
    for place, record in enumerate(records):
        first_of_user.setdefault(record.user_id or f"row {place}", place)
    for place in list(first_of_user.values())[:examples]:
        record = records[place]
        end = "\n".join((record.input or record.instruction).splitlines()[-lines:])
        table.add_row(
            escape(end),
            escape(record.output),
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
    found = f"best at step {metrics['best_step']}: {figures}" if figures else "not evaluated"
    console.print(
        f"[bold]Trained[/bold]    {trained['records']:,} records in {trained['seconds'] / 60:.1f} min; {found}",
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
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as out:
        out.write(text)


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
    _draw(losses, log, [("loss", "training", "#9db4c8"), ("eval_loss", "evaluation", "#1f5f99")])
    losses.set(xlabel="optimizer steps", ylabel="loss at the answer (nats)", title="Loss")
    _draw(areas, log, [("eval_auc", "AUC", "#c2571a"), ("eval_accuracy", "accuracy", "#e0a576")])
    areas.set(xlabel="optimizer steps", title="Evaluation")
    temporary = path.with_name(f".{path.name}-{os.getpid()}.png")
    canvas.print_png(str(temporary))
    os.replace(temporary, path)


def _draw(axes: "Axes", log: Sequence[Mapping[str, float]], curves: Sequence[tuple[str, str, str]]) -> None:
    """Draw the curves (key, label, colour) that have a point, or say that there are none."""
    from matplotlib.ticker import MaxNLocator

    drawn = 0
    for name, label, colour in curves:
        steps, values = _curve(log, name)
        if steps:
            few_points = name.startswith("eval_") or len(steps) == 1
            axes.plot(steps, values, label=label, color=colour, marker="o" if few_points else None)
            drawn += 1
    if drawn:
        axes.legend(frameon=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color="grey")
        axes.set(xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


def _curve(log: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    entries = [entry for entry in log if "step" in entry and math.isfinite(entry.get(name, math.nan))]
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
