"""What a record costs as its history grows to 1,000 movies: alone, packed, padded and in the tree.

    python -m benchmarks.long_histories --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL --shapes FOLDER_OF_QWEN3

Counts, without a model, on the records of `prepare --window all`: for every length, steps of 64 consecutive records of
a user whose histories have from that many movies on. What stands in a pass is planned by the very planner of training.
A cost is counted in tokens that attend to nobody: a row of w tokens costs w (1 + s w), where s is what attention costs
in the shapes of the folder's config.json. Draws docs/long-histories.png.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from rich.table import Table
from transformers import AutoConfig

from benchmarks import DOCS, common
from likely.data.movielens import read_movielens
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, Record
from likely.data.timelines import build_timelines, make_rows
from likely.encoding.batches import Budget, Layout, plan_batches
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.model.base import load_tokenizer

LENGTHS = (15, 30, 60, 125, 250, 500, 1000)
STEP = 64
PASS_OF_RECORDS = 2
"""A pass has the tokens of so many of the longest records, as in the main configuration."""

NAMES = {"padded": "padded", "packed": "packed", "tree 16": "tree, steps of 16", "tree 64": "tree, steps of 64"}
COLOURS = {"padded": "#c2571a", "packed": "#8a4fa3", "tree 16": "#3d9a8b", "tree 64": "#1f5f99"}


@dataclass(frozen=True)
class Point:
    """What a record costs.

    Attributes:
        contestant: a key of :data:`NAMES`.
        movies: of the shortest history.
        tokens: computed a record, padding included.
        cost: the same with attention.
    """

    contestant: str
    movies: int
    tokens: float
    cost: float


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--shapes", type=Path, required=True, help="folder with config.json and tokenizer")
    parser.add_argument("--users", type=int, default=4, help="most users a length, those with the most ratings")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS))
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    builder = PromptBuilder(load_tokenizer(str(arguments.shapes)), Labels(), 1 << 30)
    share = attention_share_of(arguments.shapes)
    points = []
    for movies in arguments.lengths:
        steps = [builder.encode_all(records) for records in steps_of_users(arguments.source, movies, arguments.users)]
        points += points_of(steps, movies, share)
        print(f"{movies:,} movies: {len(steps)} users", flush=True)
    draw(points, DOCS / "long-histories.png", arguments.shapes.name)
    details = {
        "settings": {"shapes": arguments.shapes.name, "users": arguments.users, "step": STEP},
        "attention_share": share,
        "points": [vars(point) for point in points],
    }
    command = common.command_line("long_histories", arguments, "users")
    common.save("long-histories", "cost of a record against the length of its history", command, [], details)
    common.print_result(table_of(points), [])


def attention_share_of(shapes: Path) -> float:
    """Return what `likely.model.base.attention_share` says of a model of these shapes, without its weights."""
    config = AutoConfig.from_pretrained(shapes)
    width, heads, size = config.hidden_size, config.num_attention_heads, config.head_dim
    attention = width * size * (2 * heads + 2 * config.num_key_value_heads)
    weights = config.num_hidden_layers * (attention + 3 * width * config.intermediate_size)
    return 2 * config.num_hidden_layers * heads * size / weights


def steps_of_users(source: Path, movies: int, users: int) -> list[list[Record]]:
    """Return a step of records of each of some users, whose histories have so many movies and more."""
    data, protocol = read_movielens(source), SplitProtocol(warmup=movies, window="all")
    table = build_timelines(data.ratings, protocol)
    lengths = table.filter(pl.col("split") == "train").group_by("user_id").len().filter(pl.col("len") >= STEP)
    chosen = lengths.sort("len", "user_id", descending=True)["user_id"].head(users)
    kept = table.filter(pl.col("user_id").is_in(chosen.implode()) & (pl.col("position") < movies + STEP))
    rows = list(make_rows(kept, data, "train", protocol))
    records = [Record(row["instruction"], row["input"], row["output"]) for row in rows]
    return [records[start : start + STEP] for start in range(0, len(records), STEP)]


def points_of(steps: Sequence[Sequence[EncodedRecord]], movies: int, share: float) -> list[Point]:
    """Return what the records of some steps cost in every layout."""
    longest = max(len(record.input_ids) for step in steps for record in step)
    budget = Budget(PASS_OF_RECORDS * longest, share)
    quarters = [step[start : start + 16] for step in steps for start in range(0, STEP, 16)]
    contestants: dict[str, tuple[Layout, Sequence[Sequence[EncodedRecord]]]] = {
        "padded": ("padded", steps),
        "packed": ("packed", steps),
        "tree 16": ("tree", quarters),
        "tree 64": ("tree", steps),
    }
    points = []
    for name, (layout, parts) in contestants.items():
        passes = [rows for part in parts for rows in plan_batches(part, layout, budget)]
        widths = np.array([rows[0].width for rows in passes for _ in rows], float)
        records = sum(len(part) for part in parts)
        points.append(Point(name, movies, widths.sum() / records, float(budget.cost(widths).sum()) / records))
    return points


def draw(points: Sequence[Point], path: Path, model: str) -> None:
    """Plot tokens, and the same with attention, on logarithmic axes."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = {"tokens": "tokens a record", "cost": "with attention, in tokens a record"}
    for axes, (key, title) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        for name, label in NAMES.items():
            mine = [point for point in points if point.contestant == name]
            places, values = [point.movies for point in mine], [getattr(point, key) for point in mine]
            # Packed rows lie on padded ones where each holds a single record, so they are a thin line over it.
            look = {"linestyle": "--"} if name == "packed" else {"marker": "o", "linewidth": 2.5}
            axes.plot(places, values, color=COLOURS[name], label=label, **look)
        lengths = sorted({point.movies for point in points})
        axes.set(xscale="log", yscale="log", xlabel="movies in the history", title=title)
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.tick_params(axis="y", labelleft=True)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if key == "tokens":
            axes.legend(frameon=False)
    figure.suptitle(f"MovieLens latest-small, counted in the shapes of {model}", fontsize=10)
    figure.savefig(path, dpi=110)


def table_of(points: Sequence[Point]) -> Table:
    """Return all points, with how many times less the tree costs than padded rows."""
    table = Table("movies", *(f"{label}: tokens / cost" for label in NAMES.values()), "padded / tree 64")
    for movies in sorted({point.movies for point in points}):
        mine = {point.contestant: point for point in points if point.movies == movies}
        cells = [f"{mine[name].tokens:,.0f} / {mine[name].cost:,.0f}" for name in NAMES]
        table.add_row(f"{movies:,}", *cells, f"{mine['padded'].cost / mine['tree 64'].cost:.1f}x")
    return table


if __name__ == "__main__":
    main()
