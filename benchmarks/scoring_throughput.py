"""Candidates scored a second for one history: `Ranker.rank`, which computes the history once, against padded batches.

    python benchmarks/scoring_throughput.py --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--candidates 100]
        [--model NAME_OR_FOLDER | --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER]

The history is a real user's, the candidates the most rated movies. Both contestants compute logits at the answer only
and give the same probabilities, which are compared in every round. Prints how many times faster the tree is, last.
"""

from pathlib import Path

import numpy as np
import polars as pl
from measuring import (
    Bench,
    Row,
    alternate,
    command_line,
    load_bench,
    parser_of,
    print_result,
    ratio,
    rounded,
    save,
    spread_table,
)

from likely.data.movielens import MovieLens, read_movielens
from likely.data.protocol import SplitProtocol
from likely.data.task import ratings_task
from likely.inference.movies import Movie, RatedMovie
from likely.inference.ranking import Ranker
from likely.model.adapter import base_model
from likely.model.scoring import PassPlan, score

TREE, PADDED = "tree", "padded, answers only"
BAR = 10


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--history", type=int, default=22, help="movies in it")
    arguments = parser.parse_args()
    bench = load_bench(arguments.model, arguments.shapes)
    history, candidates = question(read_movielens(arguments.source), arguments.history, arguments.candidates)
    ranker = scorer_of(bench)
    encoded = ranker.builder.encode_all(ranker.records_of(history, candidates))
    plan = PassPlan("padded", bench.budget, (bench.builder.positive_ids[0], bench.builder.negative_ids[0]))

    def in_padded_batches(turn: int) -> float:
        return float(score(bench.model, base_model(bench.model), encoded, plan).p_yes.sum())

    def in_a_tree(turn: int) -> float:
        return sum(one.p_yes for one in ranker.rank(history, candidates))

    seconds = alternate({TREE: in_a_tree, PADDED: in_padded_batches}, arguments.rounds)
    value = ratio(seconds, PADDED, TREE)
    where = f"{bench.name}, a history of {len(history)} movies"
    note = f"{where}; {len(candidates) / float(np.median(seconds[TREE])):.1f} candidates/s"
    figure = f"scoring {len(candidates)} candidates of one history, tree against padded"
    rows = [Row(figure, f">= {BAR}x", f"{value:.1f}x", value >= BAR, note)]
    settings = {"model": bench.name, "candidates": len(candidates), "history": len(history)}
    command = command_line("scoring_throughput", arguments, candidates=arguments.candidates)
    name = f"scoring-throughput-{(arguments.shapes or Path(bench.name)).name}"
    save(name, "candidates scored a second", command, rows, {"settings": settings, "seconds": rounded(seconds)})
    print_result(spread_table(seconds, len(candidates), "candidates", PADDED), rows)


def question(data: MovieLens, length: int, count: int) -> tuple[list[RatedMovie], list[Movie]]:
    """Return the first ratings of the most active user, and the most rated movies that are not among them."""
    movies = {
        number: Movie(title, year, list(genres))
        for number, title, year, genres in data.movies.select("movie_id", "title", "year", "genres").iter_rows()
    }
    busiest = data.ratings["user_id"].value_counts(sort=True)["user_id"][0]
    rated = data.ratings.filter(pl.col("user_id") == busiest).sort("timestamp", "movie_id").head(length)
    history = [RatedMovie(movies[movie], rating) for movie, rating in rated.select("movie_id", "rating").iter_rows()]
    seen = set(rated["movie_id"])
    popular = data.ratings["movie_id"].value_counts(sort=True)["movie_id"].to_list()
    return history, [movies[number] for number in popular if number not in seen][:count]


def scorer_of(bench: Bench) -> Ranker:
    """Return a ranker of the benchmark's model."""
    bench.model.eval()
    return Ranker(bench.model, bench.builder, ratings_task(SplitProtocol()), bench.budget)


if __name__ == "__main__":
    main()
