"""The summary of base against adapter for a terminal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

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


def _cell(name: str, row: SummaryRow, rows: Sequence[SummaryRow]) -> str:
    value = row.metrics.get(name)
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.1%}" if name == "answered" else f"{value:.4f}"
    finite = [v for other in rows if (v := other.metrics.get(name)) is not None and math.isfinite(v)]
    is_best = name != "answered" and value == max(finite)
    return f"[bold green]{text}[/bold green]" if is_best else text
