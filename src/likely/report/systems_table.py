"""The table of a evaluation as HTML: every system's figures, and the intervals that matter as bars.

Takes a :class:`likely.evaluation.contest.Evaluation`; `html_report` puts the table on its page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from likely.evaluation.contest import Evaluation, Kind, SystemResult
from likely.report.html import escape, scrolling
from likely.report.words import (
    UNKNOWN,
    has_intervals,
    interval_of,
    is_finite,
    resampled,
    rows_of_users,
    show,
    show_signed,
)

COLUMNS = {
    "accuracy": "accuracy",
    "f1": "F1 (Yes)",
    "uauc": "UAUC",
    "log_loss": "log-loss",
    "ece": "ECE",
    "answered": "answered",
}
LOWER_IS_BETTER = ("log_loss", "ece")
KINDS: dict[Kind, str] = {"baseline": "baseline", "base": "base model", "adapter": "adapter", "fusion": "fusion"}
WIDTH, HEIGHT, MARGIN, LABEL = 150, 18, 6, 42
"""Of a bar, in CSS pixels; the margin keeps a dot at the end of the scale whole, and a label is this wide."""


@dataclass(frozen=True)
class Scale:
    """What the bars of a column span, from the left end to the right one."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where a value is, in pixels."""
        return MARGIN + (WIDTH - 2 * MARGIN) * (value - self.low) / (self.high - self.low)


def systems_table(evaluation: Evaluation) -> str:
    """Return the table with its caption, in a container that scrolls where the page is narrow."""
    columns = [name for name in COLUMNS if any(name in result.metrics for result in evaluation.results)]
    areas = _scale([_estimate(evaluation, result) for result in evaluation.results])
    differences = _scale([_difference(evaluation, result) for result in evaluation.results], [0.0])
    label = "95% interval" if has_intervals(evaluation) else ""
    heads = [
        '<th scope="col">system</th>',
        f'<th scope="col">AUC</th><th scope="col">{_axis(areas, label)}</th>',
        f'<th scope="col">AUC against<br>best baseline</th><th scope="col">{_axis(differences, label)}</th>',
        *(f'<th scope="col">{COLUMNS[name]}</th>' for name in columns),
    ]
    rows = "\n".join(_row(evaluation, result, columns, areas, differences) for result in evaluation.results)
    intervals = (
        f"Small figures are 95% intervals, by resampling {resampled(evaluation)}."
        if has_intervals(evaluation)
        else "There are no intervals: they come from resampling users, of whom there is one."
    )
    caption = (
        f"All on the same {rows_of_users(evaluation)}. {intervals} Bold is the best of a column; "
        "of log-loss and ECE, the lowest is. UAUC is the mean of each user's own AUC."
    )
    table = f'<table class="contest">\n<thead><tr>{"".join(heads)}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    return f'{scrolling(table, "Contestants")}\n<p class="note">{caption}</p>'


def _row(
    evaluation: Evaluation, result: SystemResult, columns: Sequence[str], areas: Scale | None, differences: Scale | None
) -> str:
    system = result.system
    is_best = system.kind == "baseline" and system.name == evaluation.best_baseline
    kind = KINDS[system.kind] + (", the best" if is_best else "")
    auc, difference = _estimate(evaluation, result), _difference(evaluation, result)
    signed = UNKNOWN if difference is None else show_signed(difference[0])
    cells = [
        f'<th scope="row">{escape(system.name)} <small>{kind}</small></th>',
        _figure_cell(evaluation, result, "auc"),
        f"<td>{_bar(areas, auc, f'{system.name}: AUC {_spoken(auc)}')}</td>",
        f"<td>{signed}{_small(None if difference is None else difference[1:], signed=True)}</td>",
        f"<td>{_bar(differences, difference, f'{system.name}: difference {_spoken(difference)}')}</td>",
        *(_figure_cell(evaluation, result, name) for name in columns),
    ]
    return f'<tr class="{system.kind}">{"".join(cells)}</tr>'


def _figure_cell(evaluation: Evaluation, result: SystemResult, name: str) -> str:
    value = result.metrics.get(name)
    if not is_finite(value) or value is None:
        return f"<td>{UNKNOWN}</td>"
    text = f"{value:.1%}" if name == "answered" else show(value)
    others = [float(other.metrics[name]) for other in evaluation.results if is_finite(other.metrics.get(name))]
    best = min(others) if name in LOWER_IS_BETTER else max(others)
    figure = f"<strong>{text}</strong>" if name != "answered" and value == best else text
    return f"<td>{figure}{_small(interval_of(evaluation, result, name))}</td>"


def _small(interval: tuple[float, float] | None, signed: bool = False) -> str:
    """Return an interval for under a figure, nothing where it is unknown."""
    if interval is None or not all(map(math.isfinite, interval)):
        return ""
    low, high = (show_signed(end, 2) if signed else show(end, 2) for end in interval)
    return f" <small>{low} to {high}</small>" if signed else f" <small>{low}–{high}</small>"


Estimate = tuple[float, float, float]
"""A figure and its interval, whose ends are nan where unknown."""


def _estimate(evaluation: Evaluation, result: SystemResult) -> Estimate | None:
    auc = result.metrics.get("auc")
    if auc is None or not is_finite(auc):
        return None
    low, high = interval_of(evaluation, result, "auc") or (math.nan, math.nan)
    return auc, low, high


def _difference(evaluation: Evaluation, result: SystemResult) -> Estimate | None:
    if result.difference is None or not is_finite(result.difference[0]):
        return None
    difference, low, high = result.difference
    return (difference, low, high) if has_intervals(evaluation) else (difference, math.nan, math.nan)


def _scale(estimates: Sequence[Estimate | None], always: Sequence[float] = ()) -> Scale | None:
    """Return a scale in steps of .05 on which all estimates fit; None without any."""
    known = [value for estimate in estimates if estimate for value in estimate if math.isfinite(value)]
    if not known:
        return None
    known += always
    low, high = math.floor(min(known) * 20) / 20, math.ceil(max(known) * 20) / 20
    return Scale(low, high if high > low else low + 0.05)


def _axis(scale: Scale | None, label: str) -> str:
    """Return the scale of a column of bars for its head: zero if it is there, and the ends that are clear of it."""
    if scale is None:
        return label
    has_zero = scale.low <= 0 <= scale.high
    show_end = show_signed if has_zero else show
    ends = ((MARGIN, "start", scale.low), (WIDTH - MARGIN, "end", scale.high))
    marks = [
        f'<text x="{x}" y="14" text-anchor="{anchor}">{show_end(at, 2)}</text>'
        for x, anchor, at in ends
        if not has_zero or abs(scale.place(0) - x) > LABEL
    ]
    if has_zero:
        marks.append(f'<text x="{scale.place(0):.1f}" y="14" text-anchor="middle">0</text>')
    spoken = f"Scale from {show_end(scale.low, 2)} to {show_end(scale.high, 2)}"
    return f"{label}{_svg(marks, spoken, 'axis')}"


def _bar(scale: Scale | None, estimate: Estimate | None, label: str) -> str:
    """Return a dot with its interval as a line, and a line at zero if the scale has one."""
    if scale is None or estimate is None:
        return ""
    middle = HEIGHT / 2
    value, low, high = estimate
    marks = []
    if scale.low <= 0 <= scale.high:
        zero = f"{scale.place(0):.1f}"
        marks.append(f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="{HEIGHT}"/>')
    if math.isfinite(low) and math.isfinite(high):
        ends = f'x1="{scale.place(low):.1f}" x2="{scale.place(high):.1f}"'
        marks.append(f'<line class="interval" {ends} y1="{middle}" y2="{middle}"/>')
    marks.append(f'<circle cx="{scale.place(value):.1f}" cy="{middle}" r="4"/>')
    return _svg(marks, label, "bar")


def _svg(marks: Sequence[str], label: str, name: str) -> str:
    return (
        f'<svg class="{name}" role="img" aria-label="{escape(label)}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(marks)}</svg>'
    )


def _spoken(estimate: Estimate | None) -> str:
    if estimate is None:
        return "unknown"
    value, low, high = estimate
    known = math.isfinite(low) and math.isfinite(high)
    return f"{show_signed(value)}, {show_signed(low)} to {show_signed(high)}" if known else show_signed(value)
