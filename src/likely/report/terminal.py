"""Results on a terminal: the table of all systems, examples, and what to type next.

Takes a :class:`likely.evaluation.contest.Evaluation`, or answers, and gives `cli` what rich prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from likely.data.records import Record
from likely.evaluation.contest import Estimate, Evaluation, Ranking, SystemResult
from likely.evaluation.metrics import FEWEST_ROWS, Metric
from likely.model.answers import Answers
from likely.report.words import (
    AT_TEN,
    UNKNOWN,
    how_ranked,
    resampled,
    rows_of_users,
    show,
    show_interval,
    show_metric,
    show_signed,
    uncorrected,
    worth_of_model,
)

ROLE = {"adapter": "adapter", "base": "base", "answer": "answer"}
"""What a narrow column calls the system that a report is about."""

BESIDE, UNDER = " \\[{}]", "\n{}"
"""Where an interval stands: next to its figure or below it."""


@dataclass(frozen=True)
class FittingForms:
    """Forms of a table, of which rich prints the first that fits the console, or else the last."""

    forms: tuple[Table, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the form that loses no figure."""
        anywhere = options.update(width=1000)
        fitting = (form for form in self.forms if Measurement.get(console, anywhere, form).maximum <= options.max_width)
        yield next(fitting, self.forms[-1])


def results_table(evaluation: Evaluation) -> Group:
    """Return the systems with, dimmed, the baselines; the best figure of a column is bold.

    Where rows name their users, a second table has the metrics within users.

    The widest form has intervals beside their figures. In the next two they stand below, the narrower of which fits 80
    columns. The last one has the figures of a system one below another.
    """
    overall = FittingForms(
        (
            _table(evaluation, BESIDE, None),
            _table(evaluation, UNDER, 22),
            _table(evaluation, UNDER, 13),
            _list(evaluation),
        )
    )
    shown: list[RenderableType] = [overall]
    if _within_users(evaluation):
        forms = (
            _user_table(evaluation, BESIDE, None),
            _user_table(evaluation, UNDER, 22),
            _user_table(evaluation, UNDER, 13),
        )
        shown += ["", FittingForms(forms)]
    main, best = evaluation.main_result, evaluation.best_baseline_result
    if evaluation.strata and main and best and main is not best:
        shown.append(FittingForms((_strata_table(evaluation, main, best), Table(show_header=False, box=None))))
    if evaluation.ranking:
        shown += ["", FittingForms(tuple(_ranking_table(evaluation.ranking, where) for where in (BESIDE, UNDER)))]
    return Group(*shown)


def _table(evaluation: Evaluation, where: str, widest_name: int | None) -> Table:
    """Return the table with intervals where they are to be, and names folded where they are wider than that."""
    table = _framed(evaluation, _ruled(where))
    table.add_column("on the same rows", overflow="fold", max_width=widest_name)
    for metric in _overall(evaluation):
        table.add_column(metric.short, justify="right", no_wrap=True)
    if _has_differences(evaluation):
        table.add_column("AUC - best\nbaseline", justify="right", no_wrap=True)
    for result in evaluation.results:
        table.add_row(escape(result.system.name), *_cells(evaluation, result, where).values(), style=_style(result))
    return table


def _list(evaluation: Evaluation) -> Table:
    table = Table("on the same rows", "", header_style="bold", box=box.SIMPLE_HEAD, show_lines=True)
    for result in evaluation.results:
        figures = [f"{label} {cell}" for label, cell in _cells(evaluation, result, UNDER).items()]
        table.add_row(escape(result.system.name), "\n".join(figures), style=_style(result))
    return _framed(evaluation, table)


def _user_table(evaluation: Evaluation, where: str, widest_name: int | None) -> Table:
    """Return the metrics within users, with intervals, and the difference in the weighted one."""
    table = _ruled(where)
    metrics = _within_users(evaluation)
    table.add_column("within users", overflow="fold", max_width=widest_name)
    for metric in metrics:
        table.add_column(metric.short, justify="right", no_wrap=True)
    compared = any("gauc" in result.beside_auc for result in evaluation.results)
    if compared:
        table.add_column("GAUC - best\nbaseline", justify="right", no_wrap=True)
    for result in evaluation.results:
        cells = [
            _cell(evaluation, result, metric) + _interval(result.estimate(metric.name), where) for metric in metrics
        ]
        if compared:
            cells.append(_difference(result.beside_auc.get("gauc"), where))
        table.add_row(escape(result.system.name), *cells, style=_style(result))
    counted = evaluation.counted_users
    pushed = "The liked share of a history is pushed below 0.5 here. " if evaluation.counts_histories else ""
    table.caption = (
        f"AUC within each user, averaged over the {counted['uauc']:,} with rows of both answers; of {FEWEST_ROWS} rows "
        f"or more, over {counted['uauc_5']:,}; GAUC weighted by rows. {pushed}By their rows, the users are worth "
        f"{evaluation.effective_users:,.0f} of equal size."
    )
    table.caption_justify = "left"
    return table


def _strata_table(evaluation: Evaluation, main: SystemResult, best: SystemResult) -> Table:
    """Return how the system that a report is about ranks parts of the rows, beside the best baseline."""
    table = _ruled()
    table.add_column("AUC by training\nrows of", no_wrap=True)
    for name in ("rows", "best\nbaseline", ROLE.get(main.system.kind, "system"), "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for stratum in evaluation.strata:
        name = main.system.name
        cells = (f"{stratum.rows:,}", *(show(stratum.areas[one].value) for one in (best.system.name, name)))
        table.add_row(f"{stratum.of}: {stratum.label}", *cells, _difference(stratum.differences.get(name), BESIDE, 3))
    return table


def _ranking_table(ranking: Ranking, where: str) -> Table:
    """Return how well systems rank likes among other items."""
    table = _ruled()
    table.add_column("among all items", overflow="fold", max_width=None if where == BESIDE else 13)
    for name in AT_TEN.values():
        table.add_column(name, justify="right", no_wrap=True)
    for result in ranking.results:
        estimates = [result.metrics[metric] for metric in AT_TEN]
        table.add_row(escape(result.name), *(show(one.value) + _interval(one, where) for one in estimates))
    table.caption, table.caption_justify = how_ranked(ranking), "left"
    return table


def _ruled(where: str = BESIDE) -> Table:
    """Return a table with a line under its headings; without a gap where intervals stand under figures."""
    gap = (0, 1, 0, 0) if where == BESIDE else 0
    return Table(header_style="bold", box=box.SIMPLE_HEAD, show_edge=False, padding=gap)


def _within_users(evaluation: Evaluation) -> list[Metric]:
    return [metric for metric in evaluation.metrics if metric.within_users]


def _overall(evaluation: Evaluation) -> list[Metric]:
    return [metric for metric in evaluation.metrics if not metric.within_users]


def _framed(evaluation: Evaluation, table: Table) -> Table:
    """Put over a table what it is of, and under it how it is read."""
    table.title = rows_of_users(evaluation)
    best = f" and its difference to {escape(evaluation.best_baseline)}" if _has_differences(evaluation) else ""
    resamples = (
        f"AUC{best} with 95% intervals, over the same resamples of {resampled(evaluation)}. "
        if evaluation.has_intervals
        else ""
    )
    bold = "Bold is the best of a column, of log-loss and ECE the lowest."
    compared = uncorrected(evaluation) if _has_differences(evaluation) else ""
    told = (worth_of_model(evaluation), f"{resamples}{bold}", compared)
    table.caption = " ".join(sentence for sentence in told if sentence)
    table.title_justify = table.caption_justify = "left"
    return table


def _style(result: SystemResult) -> str:
    return "dim" if result.system.kind == "baseline" else ""


def _has_differences(evaluation: Evaluation) -> bool:
    return any(result.difference for result in evaluation.results)


def _cells(evaluation: Evaluation, result: SystemResult, where: str) -> dict[str, str]:
    """Return what is shown of a system, by the label of the figure."""
    cells = {}
    for metric in _overall(evaluation):
        interval = _interval(result.estimate(metric.name), where) if metric.name == "auc" else ""
        cells[metric.label] = _cell(evaluation, result, metric) + interval
    if _has_differences(evaluation):
        cells["difference"] = _difference(result.difference, where)
    return cells


def _cell(evaluation: Evaluation, result: SystemResult, metric: Metric) -> str:
    value = result.estimate(metric.name).value
    # Six characters at most, or five of a percentage, are what 80 columns have room for.
    text = show_metric(metric, value, 4 if value < 9.9999 else 3).replace("100.0%", "100%")
    return f"[bold green]{text}[/bold green]" if value == evaluation.best(metric) else text


def _difference(known: Estimate | None, where: str, digits: int = 4) -> str:
    return show_signed(known.value, digits) + _interval(known, where, signed=True) if known else UNKNOWN


def _interval(estimate: Estimate, where: str, signed: bool = False) -> str:
    """Return an interval to put beside or under a figure; nothing where it is unknown."""
    ends = show_interval(estimate, 3, signed, " " if signed else "–")
    return where.format(ends) if ends else ""


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


def print_next_commands(console: Console, made: str, folder: Path, commands: Sequence[tuple[str, str]]) -> None:
    """Print where something was left, such as an adapter, and what to type next."""
    console.print(f"\n[bold]{made}[/bold]  {escape(str(folder))}", highlight=False)
    for command, purpose in commands:
        console.print(
            f"  [cyan]{escape(command)}[/cyan]  [dim]{escape(purpose)}[/dim]", soft_wrap=True, highlight=False
        )


def _probability(p_yes: float, liked: bool) -> str:
    right = (p_yes >= 0.5) == liked
    return f"[{'green' if right else 'red'}]{show(p_yes)}[/]"
