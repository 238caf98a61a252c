"""The figures of `page`: matplotlib's, as SVG that stands inside a page and takes its colours from it.

Takes the rows and answers of an evaluation, its groups (`evaluation.groups`) and a run's log, and returns `<svg>`
elements. The same figures give the same bytes. Names and titles stay out of the drawings; the page has them.
"""

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from likely.evaluation.contest import Estimate, System
from likely.evaluation.groups import Group, equal_rows
from likely.model.answers import BoolRows, FloatRows
from likely.report.terms import Terms
from likely.report.words import is_finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = {"adapter": "", "base": "6 3", "baseline": "1.5 3", "fusion": "6 3 1.5 3", "answer": "9 2"}
DASHES |= dict.fromkeys(("liked", "other", "training", "evaluation"), "")
"""How lines differ for those who cannot tell their colours apart: lengths of dashes and gaps in pixels."""

INK = "#0a0b0c"
COLOURS = {kind: f"#0a0b{place:02x}" for place, kind in enumerate(DASHES, start=0x10)}
"""Colours that nothing else has; the page's take their place in the finished drawing."""

WIDTH, HEIGHT = 4.0, 3.0
"""Of a drawing, in inches; it is shown about a quarter larger."""

SETTINGS: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,  # labels may hold dollars
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
    "lines.scale_dashes": False,
}
BINS = 20
MARKERS = {"answer": "^", "adapter": "o", "base": "s", "baseline": "D"}


def roc_curves(liked: BoolRows, systems: Sequence[System], terms: Terms) -> str:
    """Draw the share of liked rows found against the share of others that come with them; needs rows of both."""
    from sklearn.metrics import roc_curve

    def draw(axes: "Axes") -> None:
        _diagonal(axes)
        for system in reversed(systems):
            others, found, _ = roc_curve(liked, system.p_yes)
            axes.plot(others, found, **_style(system.kind))
        negatives = f"share of {terms.negative} rows"
        axes.set(xlabel=negatives, ylabel=f"share of {terms.positives}", xlim=(0, 1), ylim=(0, 1.02))

    return _drawing("roc", f"ROC curves of {_names(systems)}", draw)


def reliability(liked: BoolRows, systems: Sequence[System], terms: Terms) -> str:
    """Draw the share liked against the mean P(Yes) of up to ten groups of rows of similar size, by P(Yes)."""

    def draw(axes: "Axes") -> None:
        _diagonal(axes)
        for system in reversed(systems):
            groups = equal_rows(system.p_yes, 10)
            means = [system.p_yes[rows].mean() for rows in groups]
            axes.plot(means, [liked[rows].mean() for rows in groups], marker="o", **_style(system.kind))
        axes.set(xlabel="mean P(Yes)", ylabel=f"share {terms.positive}", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

    return _drawing("reliability", f"Share {terms.positive} against mean P(Yes) of {_names(systems)}", draw)


def training_curves(
    log: Sequence[Mapping[str, Any]], names: Mapping[str, str], label: str, best_step: int | None
) -> str | None:
    """Draw figures of a Trainer's log over optimizer steps; None if none of them was measured.

    Args:
        log: entries of `state.log_history`; null stands for what was not finite.
        names: kind of line (see `DASHES`) of each figure.
        label: what is measured, with its unit.
        best_step: where the best evaluation was; marked.
    """
    from matplotlib.ticker import MaxNLocator

    curves = {name: curve_of(log, name) for name in names}
    if not any(curves.values()):
        return None

    def draw(axes: "Axes") -> None:
        for name, points in curves.items():
            if points:
                few = len(points) == 1 or (name.startswith("eval_") and len(points) <= 40)
                axes.plot(*zip(*points, strict=True), marker="o" if few else None, **_style(names[name]))
        if best_step is not None:
            axes.axvline(best_step, color=INK, alpha=0.35, linewidth=0.8)
        axes.set(xlabel="optimizer steps", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))

    return _drawing(f"training-{'-'.join(names)}", f"Over optimizer steps: {label}", draw)


def probability_histogram(liked: BoolRows, p_yes: FloatRows, terms: Terms) -> str:
    """Draw how many rows got which P(Yes), liked rows upwards and the others downwards."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    edges = np.linspace(0, 1, BINS + 1)

    def draw(axes: "Axes") -> None:
        for kind, chosen, direction in (("liked", liked, 1), ("other", ~liked, -1)):
            rows, _ = np.histogram(p_yes[chosen], edges)
            axes.bar(edges[:-1], direction * rows, width=0.9 / BINS, align="edge", color=COLOURS[kind])
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.axvline(0.5, color=INK, alpha=0.35, linewidth=0.8)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{abs(number):,.0f}"))
        axes.set(xlabel="P(Yes)", ylabel="rows", xlim=(0, 1))

    return _drawing("probabilities", f"Histogram of P(Yes), {terms.positives} upwards, the others downwards", draw)


def group_figure(
    name: str, label: str, groups: Sequence[Group], areas: Sequence[tuple[System, Sequence[Estimate]]]
) -> str:
    """Draw each system's AUC on groups of rows, with 95% intervals where they are known.

    Args:
        name: of the drawing, unlike any other on the page.
        label: what the groups have in common.
        groups: in order.
        areas: systems, each with an AUC a group.
    """

    def draw(axes: "Axes") -> None:
        for place, (system, of_groups) in enumerate(areas):
            across = np.arange(len(groups)) + 0.16 * (place - (len(areas) - 1) / 2)
            middle, low, high = zip(*of_groups, strict=True)
            axes.plot(across, middle, MARKERS[system.kind], color=COLOURS[system.kind])
            axes.vlines(across, low, high, COLOURS[system.kind], linewidth=1.4)
        axes.axhline(0.5, color=INK, alpha=0.35, linewidth=0.8)
        names = [f"{group.label}\n{len(group.rows):,} rows" for group in groups]
        axes.set_xticks(range(len(groups)), names)
        axes.set(xlabel=label, ylabel="AUC", xlim=(-0.5, len(groups) - 0.5))
        axes.grid(visible=False, axis="x")

    return _drawing(name, f"AUC of {_names([system for system, _ in areas])} by {label}", draw)


def _drawing(name: str, spoken: str, draw: "Callable[[Axes], None]") -> str:
    """Return what `draw` draws as an SVG element.

    Args:
        name: begins the ids inside, so that those of several drawings on a page differ.
        spoken: what is to be seen, for those who do not see it.
        draw: draws on the axes it gets.
    """
    import matplotlib
    from matplotlib.figure import Figure

    text = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a reader's own settings, such as LaTeX, would change the drawing
        matplotlib.rcParams.update({**SETTINGS, "svg.hashsalt": name})
        drawing = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        draw(drawing.subplots())
        drawing.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _for_page(text.getvalue(), name, spoken)


def _for_page(svg: str, name: str, spoken: str) -> str:
    """Return matplotlib's SVG document as an element: no prologue, fixed size, colours, fonts or ids of its own."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', body))

    def keep(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    body = re.sub(r' id="([^"]+)"', keep, body)
    body = re.sub(r'xlink:href="#', f'href="#{name}-', body)
    body = body.replace("url(#", f"url(#{name}-")
    body = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", body)  # as matplotlib wrote it before 3.10
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    for kind, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{kind})")
    body = body.replace(INK, "currentColor")
    box = re.search(r'viewBox="[^"]+"', body)
    assert box is not None
    head = f'<svg role="img" aria-label="{html.escape(spoken)}" {box[0]}>'
    return re.sub(r"\s*\n\s*", " ", head + body[body.index(">") + 1 :].strip())


def _style(kind: str) -> dict[str, Any]:
    dashes = tuple(float(length) for length in DASHES[kind].split())
    return {"color": COLOURS[kind], "linestyle": (0, dashes) if dashes else "-"}


def _diagonal(axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.35, linewidth=0.8)


def curve_of(log: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """Return steps and values of a figure in a Trainer's log, as far as it is finite."""
    return [
        (entry["step"], entry[name]) for entry in log if is_finite(entry.get("step")) and is_finite(entry.get(name))
    ]


def _names(systems: Sequence[System]) -> str:
    return ", ".join(system.name for system in systems)
