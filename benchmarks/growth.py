"""How cost grows: with the length of the history, with records that share one, and with candidates.

    python -m benchmarks.growth --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL
        [--model NAME_OR_FOLDER | --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER]

Draws docs/growth.png. Beside what was measured stands the limit of arithmetic: for each token that the layout computes
and each weight outside the embedding two multiply-adds in training (forward, and backward to the inputs; the weights
themselves do not train) and one in scoring, at the rate of one large matrix product on this machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from rich.console import Console
from rich.table import Table

from benchmarks import DOCS, common
from benchmarks.common import Bench
from benchmarks.scoring_throughput import question, ranker_of
from benchmarks.training_throughput import own_step
from likely.data.movielens import read_movielens
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels
from likely.encoding.batches import Layout, plan_rows
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.inference.ranking import cheapest_row
from likely.model.adapter import base_model
from likely.model.scoring import PassPlan, score

HISTORIES, GROUPS, CANDIDATES = (15, 30, 60), (1, 2, 4, 8, 15), (10, 100, 1000)
LONGEST = 4096
LAYOUTS: tuple[Layout, ...] = ("tree", "padded")
COLOURS = {"tree": "#1f5f99", "padded": "#c2571a"}


@dataclass(frozen=True)
class Point:
    """One measurement.

    Attributes:
        layout: `tree` or `padded`.
        at: what the cost grows with.
        rate: examples or candidates a second, the median of the rounds.
        limit: what the machine's arithmetic would allow.
    """

    layout: Layout
    at: int
    rate: float
    limit: float


def arguments_parser() -> argparse.ArgumentParser:
    return common.model_parser(__doc__, rounds=3)


def main() -> None:
    arguments = arguments_parser().parse_args()
    bench = common.load_bench(arguments.model, arguments.shapes)
    bench = replace(bench, builder=PromptBuilder(bench.builder.tokenizer, Labels(), LONGEST))
    bench = replace(bench, budget=replace(bench.budget, tokens=LONGEST))
    rate = matrix_rate()
    print(f"matrix product: {2 * rate / 1e9:.0f} GFLOP/s")
    with tempfile.TemporaryDirectory() as scratch:
        curves = {
            "history": by_history(bench, arguments, Path(scratch), rate),
            "group": by_group(bench, arguments, Path(scratch), rate),
            "candidates": by_candidates(bench, arguments, rate),
        }
    draw(curves, bench.name)
    details = {
        "settings": {"model": bench.name},
        "multiply_adds_a_second": rate,
        "curves": {name: [vars(point) for point in points] for name, points in curves.items()},
    }
    common.save("growth", "how cost grows", common.command_line("growth", arguments), [], details)
    Console().print(table_of(curves))


def by_history(bench: Bench, arguments: argparse.Namespace, scratch: Path, rate: float) -> list[Point]:
    """Train on groups of 4 records with histories of H to 2H - 1 movies."""
    points = []
    for length in HISTORIES:
        protocol = SplitProtocol(warmup=length, history_length=length)
        data = common.prepared(arguments.source, scratch / str(length), protocol)
        step = common.training_step(bench.builder, data, 4, 4)
        points += [trained(bench, layout, length, step, scratch, arguments.rounds, rate) for layout in LAYOUTS]
    return points


def by_group(bench: Bench, arguments: argparse.Namespace, scratch: Path, rate: float) -> list[Point]:
    """Train on the first 1, 2, 4 ... records of one history."""
    data = common.prepared(arguments.source, scratch / str(HISTORIES[0]))
    run = common.training_step(bench.builder, data, GROUPS[-1], GROUPS[-1])
    return [trained(bench, "tree", size, run[:size], scratch, arguments.rounds, rate) for size in GROUPS]


def trained(
    bench: Bench, layout: Layout, at: int, step: list[EncodedRecord], folder: Path, rounds: int, rate: float
) -> Point:
    """Time forward and backward of a step."""
    run = own_step(bench, step, layout, folder)
    weights = matrix_weights(bench)
    tokens = sum(row.width for row in plan_rows(step, layout, bench.budget))
    limit = len(step) * rate / (2 * weights * tokens)
    return Point(layout, at, len(step) / median_seconds(run, rounds), limit)


def by_candidates(bench: Bench, arguments: argparse.Namespace, rate: float) -> list[Point]:
    """Score 10, 100 and 1,000 candidates of one history; padded only as many as a minute allows."""
    history, candidates = question(read_movielens(arguments.source), 22, CANDIDATES[-1])
    ranker = ranker_of(bench)
    points = []
    for count in CANDIDATES:
        encoded = ranker.builder.encode_all(ranker.records_of(history, candidates[:count]))
        row = cheapest_row(max(len(record.input_ids) for record in encoded), bench.budget.attention_share)
        for layout, budget in {"tree": replace(bench.budget, tokens=row), "padded": bench.budget}.items():
            if layout == "padded" and count == CANDIDATES[-1]:
                continue
            plan = replace(bench, budget=budget).plan(layout)

            def run(turn: int, plan: PassPlan = plan, encoded: Sequence[EncodedRecord] = encoded) -> float:
                return float(score(bench.model, base_model(bench.model), encoded, plan).p_yes.sum())

            tokens = sum(row.width for row in plan_rows(encoded, layout, budget))
            limit = count * rate / (matrix_weights(bench) * tokens)
            points.append(Point(layout, count, count / median_seconds(run, 1 if count > 50 else 3), limit))
    return points


def median_seconds(run: Callable[[int], float], rounds: int) -> float:
    """Return the median time of a few rounds after one that warms up."""
    run(0)
    spent = []
    for turn in range(1, rounds + 1):
        started = time.perf_counter()
        run(turn)
        spent.append(time.perf_counter() - started)
    return float(np.median(spent))


def matrix_weights(bench: Bench) -> int:
    """Return the weights of the linear layers, without embedding, head and adapter."""
    model = base_model(bench.model)
    embedding = model.config.vocab_size * model.config.hidden_size
    frozen = sum(weight.numel() for weight in model.parameters() if not weight.requires_grad)
    return frozen - embedding * (1 if model.config.tie_word_embeddings else 2)


def matrix_rate() -> float:
    """Return the multiply-adds a second of the best of a few large products in float32."""
    size = 2048
    first, second = torch.randn(size, size), torch.randn(size, size)
    spent = []
    for _ in range(7):
        started = time.perf_counter()
        torch.mm(first, second)
        spent.append(time.perf_counter() - started)
    return size**3 / min(spent)


def draw(curves: dict[str, list[Point]], model: str) -> None:
    """Plot rates (dots) and limits (dashes) on logarithmic axes."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, 3)
    titles = {
        "history": ("shortest history, movies", "training, groups of 4", "examples/s"),
        "group": ("records that share a history", "training, one history", "examples/s"),
        "candidates": ("candidates", "scoring, one history of 22 movies", "candidates/s"),
    }
    for axes, (name, points) in zip(panels, curves.items(), strict=True):
        for layout in LAYOUTS:
            mine = [point for point in points if point.layout == layout]
            if mine:
                places = [point.at for point in mine]
                axes.plot(places, [point.rate for point in mine], "o-", color=COLOURS[layout], label=layout)
                limits = [point.limit for point in mine]
                axes.plot(places, limits, "--", color=COLOURS[layout], alpha=0.6, label=f"{layout}, arithmetic limit")
        label, title, unit = titles[name]
        axes.set(xscale="log", yscale="log", xlabel=label, title=title, ylabel=unit)
        axes.set_xticks(sorted({point.at for point in points}), [f"{at:,}" for at in sorted({p.at for p in points})])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"{model}, {torch.get_num_threads()} CPU threads, float32", fontsize=10)
    figure.savefig(DOCS / "growth.png", dpi=110)


def table_of(curves: dict[str, list[Point]]) -> Table:
    """Return all points."""
    table = Table("grows with", "at", "layout", "a second", "limit", "of limit")
    for name, points in curves.items():
        for point in points:
            share = f"{point.rate / point.limit:.0%}"
            table.add_row(name, f"{point.at:,}", point.layout, f"{point.rate:.2f}", f"{point.limit:.2f}", share)
    return table


if __name__ == "__main__":
    main()
