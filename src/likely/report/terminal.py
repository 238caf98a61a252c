"""The table of a evaluation on a terminal: every system's figures, and AUC with its intervals.

Takes a :class:`likely.evaluation.contest.Evaluation` and gives `cli` what rich prints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from likely.data.records import Record
from likely.evaluation.contest import Evaluation, SystemResult
from likely.model.answers import Answers

COLUMNS = {
    "accuracy": ("acc.", "accuracy"),
    "f1": ("F1", "F1"),
    "auc": ("AUC", "AUC"),
    "uauc": ("UAUC", "UAUC"),
    "log_loss": ("log-\nloss", "log-loss"),
    "ece": ("ECE", "ECE"),
    "answered": ("ans-\nwered", "answered"),
    "difference": ("AUC - best\nbaseline", "difference"),
}
"""What is shown, with its head in a table and its name in a list."""

LOWER_IS_BETTER = ("log_loss", "ece")
NO_BEST = ("answered", "difference")
BESIDE, UNDER = (" [", "]"), ("\n", "")
"""What stands before and after an interval, next to its figure or below it."""


@dataclass(frozen=True)
class FittingForms:
    """Forms of a table, of which rich prints the first that fits the console, or else the last."""

    forms: tuple[Table, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the form that loses no figure."""
        anywhere = options.update(width=1000)
        fitting = (form for form in self.forms if Measurement.get(console, anywhere, form).maximum <= options.max_width)
        yield next(fitting, self.forms[-1])


def results_table(evaluation: Evaluation) -> FittingForms:
    """Return the systems with, dimmed, the baselines; the best figure of a column is bold.

    The second form, which fits 80 columns, has intervals under their figures instead of beside them; the third
    has the figures of a system one below another.
    """
    listed = _framed(
        evaluation, Table("on the same rows", "", header_style="bold", box=box.SIMPLE_HEAD, show_lines=True)
    )
    for result in evaluation.results:
        cells = _cells(evaluation, result, UNDER)
        figures = [f"{name} {cell}" for (_, name), cell in zip(COLUMNS.values(), cells, strict=True)]
        listed.add_row(escape(result.system.name), "\n".join(figures), style=_style(result))
    return FittingForms((_table(evaluation, BESIDE), _table(evaluation, UNDER), listed))


def _table(evaluation: Evaluation, around: tuple[str, str]) -> Table:
    """Return the table with intervals as `around` has them; without blanks around cells where there is no room."""
    padding, widest = ((0, 1), None) if around == BESIDE else ((0, 0), 22)
    table = _framed(evaluation, Table(header_style="bold", box=box.SIMPLE_HEAD, show_edge=False, padding=padding))
    table.add_column("on the same rows", overflow="fold", max_width=widest)
    for head, _ in COLUMNS.values():
        table.add_column(head, justify="right", no_wrap=True)
    for result in evaluation.results:
        cells = _cells(evaluation, result, around)
        table.add_row(escape(result.system.name), *cells, style=_style(result))
    return table


def _framed(evaluation: Evaluation, table: Table) -> Table:
    """Put over a table what it is of, and under it how it is read."""
    table.title = f"{len(evaluation.records):,} rows of {len(set(evaluation.users)):,} users"
    table.caption = (
        f"AUC and its difference to {escape(evaluation.best_baseline)} with 95% intervals, over the same "
        "resamples of users. Bold is the best of a column, of log-loss and ECE the lowest."
    )
    table.title_justify = table.caption_justify = "left"
    return table


def _style(result: SystemResult) -> str:
    return "dim" if result.system.kind == "baseline" else ""


def _cells(evaluation: Evaluation, result: SystemResult, around: tuple[str, str]) -> list[str]:
    return [_cell(name, result, evaluation.results, around) for name in COLUMNS]


def _cell(name: str, result: SystemResult, results: Sequence[SystemResult], around: tuple[str, str]) -> str:
    if name == "difference":
        return _difference(result, around)
    value = result.metrics.get(name, math.nan)
    if not math.isfinite(value):
        return "–"
    text = f"{value:.0%}" if name == "answered" else _short(value)
    finite = [v for other in results if math.isfinite(v := other.metrics.get(name, math.nan))]
    best = min(finite) if name in LOWER_IS_BETTER else max(finite)
    figure = f"[bold green]{text}[/bold green]" if name not in NO_BEST and value == best else text
    return figure + (_interval(result.intervals["auc"], around) if name == "auc" else "")


def _difference(result: SystemResult, around: tuple[str, str]) -> str:
    if result.difference is None or not math.isfinite(result.difference[0]):
        return "–"
    value, low, high = result.difference
    return _short(value, signed=True) + _interval((low, high), around, signed=True)


def _interval(ends: tuple[float, float], around: tuple[str, str], signed: bool = False) -> str:
    """Return an interval to put beside or under a figure; nothing where it is unknown."""
    if not all(map(math.isfinite, ends)):
        return ""
    shown = (" " if signed else "–").join(_short(end, 3, signed) for end in ends)
    return escape(around[0]) + shown + around[1]


def _short(value: float, digits: int = 4, signed: bool = False) -> str:
    """Return a figure of at most five characters and its sign.

    >>> _short(0.80491), _short(1.0), _short(8.6119), _short(-0.0123, 3, signed=True)
    ('.8049', '1.000', '8.612', '-.012')
    """
    digits = digits - 1 if abs(value) >= 0.99995 else digits
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.99995 else text


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


def print_next_commands(console: Console, adapter_dir: Path, commands: Sequence[tuple[str, str]]) -> None:
    """Print where the adapter is and what to type next."""
    console.print(f"\n[bold]Adapter[/bold]  {escape(str(adapter_dir))}")
    for command, purpose in commands:
        console.print(
            f"  [cyan]{escape(command)}[/cyan]  [dim]{escape(purpose)}[/dim]", soft_wrap=True, highlight=False
        )


def _probability(p_yes: float, liked: bool) -> str:
    right = (p_yes >= 0.5) == liked
    return f"[{'green' if right else 'red'}]{p_yes:.3f}[/]"
