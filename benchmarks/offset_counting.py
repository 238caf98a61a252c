"""What counting says of every record of a data set that it was not fitted to, for `offset_training`.

    python -m benchmarks.offset_counting --data FOLDER_OF_PREPARED_RECORDS --output counting.parquet

A training row is answered by trees that were grown on the rows of other users, in five folds; eval and test rows by
trees that were grown on all training rows, as a run's own counting is. What else counting says of a row is causal: it
is from before the row's own time, and nothing of it is fitted. Weights of the parts are fitted to training rows, so
that eval and test rows have had no say in their offsets.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likely.data.records import Labels, Record, read_records
from likely.data.task import RatingsTask, task_of
from likely.evaluation.baselines import prior_log_odds
from likely.evaluation.classifiers import grow_trees, known_columns
from likely.evaluation.counted_columns import RISING
from likely.evaluation.counting import PARTS, fit_counting, parts_beside_trees
from likely.evaluation.features import likes_of
from likely.evaluation.given import Given, everything_counted
from likely.evaluation.kept_trees import KeptTrees
from likely.evaluation.matrix_factorisation import fit_factors, going_on
from likely.evaluation.metrics import auc, log_loss, user_aucs
from likely.evaluation.stacking import fit_stack

Matrix = NDArray[np.float64]
SPLITS = ("train", "eval", "test")
FOLDS = 5
WITHOUT = PARTS.index("matrix factorisation")
"""Left out of the offset: it knows users of eval rows by fitted numbers, and those of held-out folds by none."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that likely prepare wrote")
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    arguments = parser.parse_args()
    paths = {split: next(arguments.data.glob(f"{split}.*")) for split in SPLITS}
    records = {split: read_records(path, Labels()) for split, path in paths.items()}
    task = task_of(paths["train"], None)
    assert isinstance(task, RatingsTask)
    given = Given(records["train"], records["test"], Labels(), records["eval"], task.words)
    everything = [*given.train, *given.earlier, *given.rows]
    said = np.vstack([out_of_fold(given), fit_counting(given, task.words)[1]])
    table = table_of(records, said, offsets_of(said, likes_of(everything, Labels()), len(given.train)))
    table.write_parquet(arguments.output, compression_level=19)
    print(json.dumps(figures_of(table), indent=1))


def out_of_fold(given: Given) -> Matrix:
    """Return log-odds of counting's parts for training rows, each fitted to the rows of other users."""
    columns = everything_counted(given)[0]
    users, fold_of_user = np.unique([str(record.user_id) for record in given.train], return_inverse=True)
    folds = np.random.default_rng(0).integers(0, FOLDS, len(users))[fold_of_user]
    trees, factorised = np.empty(len(columns)), np.empty(len(columns))
    for fold in range(FOLDS):
        known, asked = folds != fold, folds == fold
        grown = grow_trees(given.liked[known], columns[known], RISING, slowly=True)
        trees[asked] = KeptTrees.of(grown, known_columns(columns[known])).log_odds(columns[asked])
        others, held = _chosen(given.train, known), _chosen(given.train, asked)
        factorised[asked] = going_on(fit_factors(others, given.labels), others, held, given.labels, [])
        print(f"fold {fold + 1}: {asked.sum():,} rows, AUC {auc(given.liked[asked], trees[asked]):.4f}", flush=True)
    rates = prior_log_odds(given.counted, given.train, given.labels)
    return np.column_stack([trees, parts_beside_trees(columns, factorised, rates)])


def _chosen(records: Sequence[Record], chosen: NDArray[np.bool_]) -> list[Record]:
    return [records[place] for place in np.flatnonzero(chosen).tolist()]


def offsets_of(said: Matrix, liked: NDArray[np.bool_], training_rows: int) -> NDArray[np.float32]:
    """Return the weighted sum of the parts, float32 [rows], with weights that are fitted to the training rows."""
    parts = np.delete(said, WITHOUT, axis=1)
    stack = fit_stack(liked[:training_rows], parts[:training_rows])
    print(f"weights {dict(zip(np.delete(PARTS, WITHOUT), np.round(stack.weights, 3), strict=True))}", flush=True)
    return (stack.intercept + parts @ np.array(stack.weights)).astype(np.float32)


def table_of(records: dict[str, list[Record]], said: Matrix, offsets: NDArray[np.float32]) -> pl.DataFrame:
    """Return one row a record in the order of the files: who and what it is about, the offset and its parts."""
    rows = [(split, record) for split in SPLITS for record in records[split]]
    return pl.DataFrame(
        {
            "split": [split for split, _ in rows],
            "user_id": [record.user_id for _, record in rows],
            "item_id": [record.item_id for _, record in rows],
            "liked": likes_of([record for _, record in rows], Labels()),
            "offset": offsets,
            **{name: said[:, place].astype(np.float32) for place, name in enumerate(PARTS)},
        }
    )


def figures_of(table: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return how good and how well calibrated the offsets of each split are."""
    figures = {}
    for split in SPLITS:
        rows = table.filter(pl.col("split") == split)
        liked, offset = rows["liked"].to_numpy(), rows["offset"].to_numpy().astype(float)
        p_yes = 1 / (1 + np.exp(-offset))
        again = fit_stack(liked, offset[:, None])
        figures[split] = {
            "rows": len(rows),
            "auc": auc(liked, p_yes),
            "gauc": user_aucs(liked, p_yes, rows["user_id"].to_list())["gauc"],
            "log_loss": log_loss(liked, p_yes),
            "log_loss_recalibrated": log_loss(liked, again.p_yes(offset[:, None])),
            "slope": again.weights[0],
            "intercept": again.intercept,
            "mean_p_yes_less_share_of_likes": float(p_yes.mean() - liked.mean()),
        }
    return figures


if __name__ == "__main__":
    main()
