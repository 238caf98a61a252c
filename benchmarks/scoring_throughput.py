"""Candidates scored a second for one history: `Ranker.rank`, which computes the history once, against padded batches.

    python -m benchmarks.scoring_throughput --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--candidates 100]
        [--model NAME_OR_FOLDER | --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER]

The history is a real user's, the candidates the most rated movies. Both contestants compute logits at the answer only
and give the same probabilities, which are compared in every round. Prints how many times faster the tree is, last.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import polars as pl

from benchmarks import common
from benchmarks.common import PADDED, TREE, Bench
from likely.config.reading import load_config
from likely.data.movielens import read_movielens
from likely.data.protocol import SplitProtocol
from likely.data.ratings import RatingTable
from likely.data.task import ratings_task
from likely.inference.loaded_run import LoadedRun
from likely.inference.movies import Movie, RatedMovie
from likely.inference.ranking import Ranker
from likely.model.adapter import base_model
from likely.model.base import pass_cost
from likely.model.scoring import score

BAR = 10


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--history", type=int, default=22, help="movies in it")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    bench = common.load_bench(arguments.model, arguments.shapes)
    history, candidates = question(read_movielens(arguments.source), arguments.history, arguments.candidates)
    ranker = ranker_of(bench)
    encoded = ranker.builder.encode_all(ranker.records_of(history, candidates))
    plan = bench.plan("padded")

    def in_padded_batches(turn: int) -> float:
        return float(score(bench.model, base_model(bench.model), encoded, plan).p_yes.sum())

    def in_a_tree(turn: int) -> float:
        return sum(one.p_yes for one in ranker.rank(history, candidates))

    seconds = common.alternate({TREE: in_a_tree, PADDED: in_padded_batches}, arguments.rounds)
    where = f"{bench.name}, a history of {len(history)} movies"
    note = f"{where}; {common.rate(seconds, TREE, len(candidates)):.1f} candidates/s"
    figure = f"scoring {len(candidates)} candidates of one history, tree against padded"
    rows = [common.faster_row(figure, common.ratio(seconds, PADDED, TREE), BAR, note)]
    settings = {"model": bench.name, "candidates": len(candidates), "history": len(history)}
    command = common.command_line("scoring_throughput", arguments, "candidates")
    details = {"settings": settings, "seconds": common.rounded(seconds)}
    name = f"scoring-throughput-{common.model_name(arguments)}"
    common.save(name, "candidates scored a second", command, rows, details)
    common.print_result(common.spread_table(seconds, len(candidates), "candidates", PADDED), rows)


class Busy(NamedTuple):
    """A user with many ratings: the first of them, item and stars, and the most rated items that are not among them."""

    user: int
    rated: list[tuple[int, float]]
    fresh: list[int]


def busiest(data: RatingTable, users: int, length: int, count: int) -> list[Busy]:
    """Return the users with the most ratings, each with so many of the first of them and so many other items."""
    popular = data.ratings["item_id"].value_counts(sort=True)["item_id"].to_list()
    found = []
    for user in data.ratings["user_id"].value_counts(sort=True)["user_id"][:users]:
        first = data.ratings.filter(pl.col("user_id") == user).sort("timestamp", "item_id").head(length)
        seen = set(first["item_id"])
        fresh = [item for item in popular if item not in seen][:count]
        found.append(Busy(user, first.select("item_id", "rating").rows(), fresh))
    return found


def question(data: RatingTable, length: int, count: int) -> tuple[list[RatedMovie], list[Movie]]:
    """Return the history of the most active user, and as many candidates."""
    movies = {
        number: Movie(title, year, list(genres))
        for number, title, year, genres in data.items.select("item_id", "title", "year", "details").iter_rows()
    }
    (one,) = busiest(data, 1, length, count)
    return [RatedMovie(movies[item], stars) for item, stars in one.rated], [movies[item] for item in one.fresh]


def ranker_of(bench: Bench) -> Ranker:
    """Return a ranker of the benchmark's model."""
    bench.model.eval()
    config = load_config("smollm2_movielens_cpu", [f"cutoff_len={common.CUTOFF}"])
    plan = bench.plan("tree")
    plan = replace(plan, budget=replace(plan.budget, pass_cost=pass_cost(base_model(bench.model))))
    run = LoadedRun(Path("benchmark"), config, bench.builder, bench.model, "benchmark", plan)
    return Ranker(run, ratings_task(SplitProtocol()))


if __name__ == "__main__":
    main()
