"""The curves of a training as a picture, for a run's folder: `training` gives the log, `cli` says where to draw it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likely.files import replacing_bytes
from likely.report.figures import curve_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    with replacing_bytes(path) as out:
        canvas.print_png(out)


def _draw(axes: "Axes", log: Sequence[Mapping[str, float]], curves: Sequence[tuple[str, str, str]]) -> None:
    """Draw the curves (key, label, colour) that have a point, or say that there are none."""
    from matplotlib.ticker import MaxNLocator

    drawn = 0
    for name, label, colour in curves:
        points = curve_of(log, name)
        if points:
            few_points = name.startswith("eval_") or len(points) == 1
            axes.plot(*zip(*points, strict=True), label=label, color=colour, marker="o" if few_points else None)
            drawn += 1
    if drawn:
        axes.legend(frameon=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color="grey")
        axes.set(xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
