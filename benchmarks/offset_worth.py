"""What models that were trained past counting add to it: weights fitted on eval rows, then the test rows, once.

    python -m benchmarks.offset_worth --data DATA --output OUTPUT             choose, on eval rows alone
    python -m benchmarks.offset_worth --data DATA --output OUTPUT --test      the test rows too

Reads `counting.parquet` of DATA and what `offset_training` left in OUTPUT. On eval rows, every user is answered with
weights that were fitted to the others, in ten folds.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from likely.evaluation.counting import PARTS
from likely.evaluation.metrics import auc, log_loss, user_aucs
from likely.evaluation.resampling import UserDraws, draw_users, interval, resampled_metrics
from likely.evaluation.stacking import fit_stack

Matrix = NDArray[np.float64]
FOLDS = 10
FIGURES = ("auc", "gauc", "uauc", "log_loss")
TEXTS = "counting with texts"
"""Column of counting.parquet where the item texts that the base model reads were counted too."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--test", action="store_true", help="answer the test rows, once the choice is made")
    arguments = parser.parse_args()
    counted = pl.read_parquet(arguments.data / "counting.parquet")
    said = answers_of(counted, arguments.output)
    held_out = {split: counted.filter(pl.col("split") == split) for split in ("eval", "test")}
    found = {}
    for split in ("eval", "test") if arguments.test else ("eval",):
        found[split] = compare(held_out, said, split)
        show(split, found[split])
    (arguments.output / "worth.json").write_text(json.dumps(found, indent=1) + "\n")


def answers_of(counted: pl.DataFrame, folder: Path) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return what each model says of eval and test rows, and the mean of the seeds of each way of training."""
    keys, said = ["split", "user_id", "item_id"], {}
    for path in sorted(folder.glob("*-[0-9].parquet")):
        table = pl.read_parquet(path)
        for when in [column for column in ("half", "end") if column in table.columns]:
            name = path.stem if when == "end" else f"{path.stem} half-way"
            joined = counted.filter(pl.col("split") != "train").join(table, on=keys, how="left", maintain_order="left")
            if joined[when].null_count() == 0:
                numbers = {
                    split: joined.filter(pl.col("split") == split)[when].to_numpy() for split in ("eval", "test")
                }
                said[name] = {split: column.astype(float) for split, column in numbers.items()}
    for way in sorted({name.rpartition("-")[0] for name in said if "half-way" not in name}):
        seeds = [said[name] for name in said if name.rpartition("-")[0] == way and "half-way" not in name]
        if len(seeds) > 1:
            said[f"{way}, mean of {len(seeds)}"] = {
                split: np.mean([one[split] for one in seeds], axis=0) for split in ("eval", "test")
            }
    return said


def compare(held_out: dict[str, pl.DataFrame], said: dict, split: str) -> dict[str, dict]:
    """Return figures of counting and of each stack on one split, and differences with 95% intervals over users."""
    tuned, asked = held_out["eval"], held_out[split]
    liked, users = asked["liked"].to_numpy(), asked["user_id"].to_list()
    drawn = draw_users(users)
    bases = {"counting": list(PARTS)}
    if TEXTS in tuned.columns:
        bases["counting and texts"] = [*PARTS, TEXTS]
    answers, against = {}, {}
    for base, columns in bases.items():
        known = {part: table.select(columns).to_numpy().astype(float) for part, table in held_out.items()}
        answers[base] = stacked(tuned, known["eval"], known[split], split)
        against[base] = None if base == "counting" else "counting"
        for name, numbers in said.items():
            beside = {part: np.column_stack([known[part], numbers[part]]) for part in ("eval", split)}
            answers[f"{base} + {name}"] = stacked(tuned, beside["eval"], beside[split], split)
            against[f"{base} + {name}"] = base
    answers |= {f"{name} alone": 1 / (1 + np.exp(-numbers[split])) for name, numbers in said.items()}
    resampled = {name: _resampled(liked, p_yes, drawn) for name, p_yes in answers.items()}
    return {
        name: {
            "auc": auc(liked, p_yes),
            **user_aucs(liked, p_yes, users),
            "log_loss": log_loss(liked, p_yes),
            "less": {
                figure: [
                    _point(liked, p_yes, users, figure) - _point(liked, answers[other], users, figure),
                    *interval(resampled[name][figure] - resampled[other][figure]),
                ]
                for figure in FIGURES
            }
            if (other := against.get(name))
            else {},
        }
        for name, p_yes in answers.items()
    }


def stacked(tuned: pl.DataFrame, known: Matrix, asked: Matrix, split: str) -> NDArray[np.float64]:
    """Return P(Yes) of weights that were fitted on eval rows; eval rows are answered by weights of other users."""
    liked = tuned["liked"].to_numpy()
    if split != "eval":
        return fit_stack(liked, known).p_yes(asked)
    names, user_of_row = np.unique(tuned["user_id"].to_numpy(), return_inverse=True)
    folds = np.random.default_rng(0).permutation(len(names))[user_of_row] % FOLDS
    p_yes = np.empty(len(known))
    for fold in range(FOLDS):
        p_yes[folds == fold] = fit_stack(liked[folds != fold], known[folds != fold]).p_yes(asked[folds == fold])
    return p_yes


def _resampled(liked: NDArray[np.bool_], p_yes: NDArray[np.float64], drawn: UserDraws) -> dict:
    return resampled_metrics(liked, p_yes, p_yes >= 0.5, p_yes < 0.5, drawn)


def _point(liked: NDArray[np.bool_], p_yes: NDArray[np.float64], users: list[str], figure: str) -> float:
    if figure == "log_loss":
        return log_loss(liked, p_yes)
    return auc(liked, p_yes) if figure == "auc" else user_aucs(liked, p_yes, users)[figure]


def show(split: str, found: dict[str, dict]) -> None:
    """Print the figures of a split, best AUC first."""
    table = Table(split, "AUC", "GAUC", "UAUC", "log-loss", "AUC added", "log-loss added")
    for name, one in sorted(found.items(), key=lambda entry: -entry[1]["auc"]):
        figures = [f"{one[figure]:.4f}" for figure in FIGURES]
        less = [one["less"].get(figure) for figure in ("auc", "log_loss")]
        added = ["" if two is None else f"{two[0]:+.4f} ({two[1]:+.4f} to {two[2]:+.4f})" for two in less]
        table.add_row(name, *figures, *added)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
