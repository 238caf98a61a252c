"""What a language model reads in the texts of items: AUC of counting with it, without it and with two controls.

    python -m benchmarks.text_features --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL

The records are those of `likely prepare --hints` with histories of 8 to 15 movies; no adapter is trained. Answers the
eval rows, or the test rows with --split test. Reading the texts takes five minutes of one core, once.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks import common
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.data.task import RatingsTask, ratings_task
from likely.encoding.batches import Budget
from likely.evaluation.classifiers import boosted_trees, logistic_regression
from likely.evaluation.contest import System, judge
from likely.evaluation.counted_columns import RISING
from likely.evaluation.given import Given, everything_counted
from likely.evaluation.text_control import ngram_vectors
from likely.evaluation.text_rows import columns_of_records
from likely.evaluation.told_items import candidate_texts, told_items
from likely.model.base import Precision, attention_share, load_base, load_tokenizer
from likely.model.item_embeddings import Embedder, embed_items
from likely.model.runtime import keep_freed_memory
from likely.model.scoring import PassPlan
from likely.sources.catalogue import cache_folder, resolve_model

PROTOCOL = SplitProtocol(history_length=8, hints=True)
TOKENS = 8192
"""Of a forward pass."""

COUNTED, SHUFFLED = "counted alone", "with texts, vectors shuffled"
NGRAMS, READ = "with n-grams of texts", "with texts read by the model"
Columns = dict[str, tuple[np.ndarray, ...]]


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--split", choices=["eval", "test"], default="eval")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    keep_freed_memory()
    task = ratings_task(PROTOCOL)
    with tempfile.TemporaryDirectory() as scratch:
        prepare(read_movielens(arguments.source), Path(scratch), PROTOCOL)
        parts = {part: read_records(Path(scratch) / f"{part}.json", Labels()) for part in ("train", "eval", "test")}
    earlier = parts["eval"] if arguments.split == "test" else []
    given = Given(parts["train"], parts[arguments.split], Labels(), earlier, task.words)
    columns, reading = text_columns_of(given, task, arguments.model)
    runs = compare(given, columns)
    command = common.command_line("text_features", arguments, "split")
    details = {"split": arguments.split, "rows of the split": len(given.rows), "runs": runs}
    common.save(f"text-features-{arguments.split}", "what a language model reads in texts", command, [], details)
    common.print_result(table_of(runs), [])
    print(reading)


def text_columns_of(given: Given, task: RatingsTask, model: str) -> tuple[Columns, dict]:
    """Return the columns of texts of training records and of rows, by who read the texts, and what reading took."""
    told = told_items(given.counted, candidate_texts(given.counted), given.labels, task)
    started, computed = time.monotonic(), time.process_time()
    read = read_texts(model, told.texts, task.words.noun)
    reading = {"texts": len(told.texts), "seconds": round(time.monotonic() - started)}
    reading["CPU seconds"] = round(time.process_time() - computed)
    vectors = {
        SHUFFLED: read[np.random.default_rng(0).permutation(len(read))],
        NGRAMS: ngram_vectors(told.texts),
        READ: read,
    }
    columns: Columns = {COUNTED: (np.empty((len(given.train), 0)), np.empty((len(given.rows), 0)))}
    for name, own in vectors.items():
        added = columns_of_records(told, own)
        columns[name] = added[: len(given.train)], added[len(added) - len(given.rows) :]
    columns["with both"] = tuple(np.hstack([columns[NGRAMS][part], columns[READ][part]]) for part in (0, 1))
    return columns, reading


def read_texts(model: str, texts: Sequence[str], noun: str) -> np.ndarray:
    """Return the vectors of texts as `likely evaluate` computes and keeps them."""
    location = resolve_model(model).location
    base = load_base(location, Precision("float32", False), "sdpa")
    plan = PassPlan("tree", Budget(TOKENS, attention_share(base)), (0, 1))
    return embed_items(Embedder(base, load_tokenizer(location), plan), texts, noun, cache_folder())


def compare(given: Given, columns: Columns) -> list[dict]:
    """Let two classifiers answer with each set of columns; the differences are to counting and to the n-grams."""
    fitted_on, answered = everything_counted(given)
    rising = [fitted_on.shape[1] + place for place in RISING]
    ways: dict[str, tuple[tuple[np.ndarray, ...], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
        "features and shares, logistic regression": (
            given.features_and_shares,
            lambda known, asked: logistic_regression(given.liked, known, asked),
        ),
        "all we can count, boosted trees": (
            (fitted_on, answered),
            lambda known, asked: boosted_trees(given.liked, known, asked, rising, slowly=True),
        ),
    }
    runs = []
    for way, ((of_train, of_rows), answer) in ways.items():
        systems = [
            System.from_probabilities(
                name, "baseline", answer(np.hstack([of_train, known]), np.hstack([of_rows, asked]))
            )
            for name, (known, asked) in columns.items()
        ]
        for result in judge(given.rows, given.labels, systems).results:
            run = {"counted": way, "texts": result.system.name}
            run |= {name: round(result.metrics[name], 4) for name in ("auc", "uauc", "gauc", "log_loss")}
            others = {name: [round(end, 4) for end in found] for name, found in result.differences.items()}
            runs.append(run | {"auc less": others})
            print(runs[-1], flush=True)
    return runs


def table_of(runs: list[dict]) -> Table:
    """Return AUC and its differences to counting alone and to n-grams, with 95% intervals."""
    table = Table("counted", "texts", "AUC", "less counted alone", "less n-grams")
    for run in runs:
        less = [run["auc less"].get(name) for name in (COUNTED, NGRAMS)]
        shown = ["" if one is None else f"{one[0]:+.4f} ({one[1]:+.4f} to {one[2]:+.4f})" for one in less]
        table.add_row(run["counted"], run["texts"], f"{run['auc']:.4f}", *shown)
    return table


if __name__ == "__main__":
    main()
