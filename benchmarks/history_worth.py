"""What longer histories are worth: AUC on eval rows with histories of 15, 60 and all movies, of one model.

    python -m benchmarks.history_worth --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL

Trains SmolLM2-135M, or --model, on the records of the same users with each window and several seeds, twice: once over
the same candidates (equal records), and once for the same time (equal minutes). All are evaluated on the same eval
rows. A night on two cores; a small trial: --users 10 --seeds 1 --minutes 5 --cutoff 2048.
"""

import argparse
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks import common
from likely.config.run_config import RunConfig
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.evaluation.metrics import answer_metrics
from likely.model.runtime import keep_freed_memory
from likely.training.run import train

WINDOWS = {
    "15": SplitProtocol(),
    "60": SplitProtocol(history_length=60),
    "all": SplitProtocol(window="all"),
}
"""Histories of 15 to 29 movies, of 60 to 119, and of all; the warm-up, and so the candidates, are the same."""

REGIMES = ("equal records", "equal minutes")


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--users", type=int, default=100, help="whose records are trained on and evaluated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--cutoff", type=int, default=8192, help="longer prompts are cut at anchors")
    parser.add_argument("--step", type=int, default=64, help="records of an optimizer step")
    parser.add_argument("--group-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    keep_freed_memory()
    runs: list[dict] = []
    with tempfile.TemporaryDirectory() as scratch:
        for window, protocol in WINDOWS.items():
            data = read_movielens(arguments.source)
            prepare(data, Path(scratch) / window, protocol, arguments.users, file_format="parquet")
        for seed, regime, window in product(range(arguments.seeds), REGIMES, WINDOWS):
            runs.append(run_once(arguments, Path(scratch), window, regime, seed))
            save(arguments, runs)
    common.print_result(table_of(runs), [])


def run_once(arguments: argparse.Namespace, folder: Path, window: str, regime: str, seed: int) -> dict:
    """Train once and return what came of it on the eval rows."""
    config = RunConfig(
        model_name_or_path=arguments.model,
        dataset=None,
        **{f"{split}_file": str(folder / window / f"{split}.parquet") for split in ("train", "eval", "test")},
        cutoff_len=arguments.cutoff,
        max_eval_samples=None,
        group_size=arguments.group_size,
        output_dir=str(folder / f"{window}-{regime.replace(' ', '-')}-{seed}"),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=arguments.step // 2,
        per_device_eval_batch_size=2,
        num_train_epochs=1 if regime == "equal records" else 1000,
        max_minutes=arguments.minutes if regime == "equal minutes" else None,
        learning_rate=arguments.learning_rate,
        eval_steps=1_000_000,
        early_stopping_patience=None,
        report_to="none",
        seed=seed,
    )
    finished = train(config, answer_metrics)
    last = [entry for entry in finished.log if "eval_auc" in entry][-1]
    run = {"window": window, "regime": regime, "seed": seed, "records": last["step"] * arguments.step}
    run |= {"eval_auc": round(last["eval_auc"], 4), "eval_loss": round(last["eval_loss"], 4)}
    print(run, flush=True)
    return run


def save(arguments: argparse.Namespace, runs: list[dict]) -> None:
    """Write the runs so far."""
    options = ("users", "seeds", "minutes", "cutoff", "step", "group_size", "learning_rate")
    command = common.command_line("history_worth", arguments, *options)
    settings = {name: str(value) for name, value in vars(arguments).items() if name != "source"}
    common.save("history-worth", "what longer histories are worth", command, [], {"settings": settings, "runs": runs})


def table_of(runs: list[dict]) -> Table:
    """Return AUC, loss and records of every window: mean and spread over seeds."""
    table = Table("", "histories", "records", "eval AUC", "eval loss")
    for regime, window in product(REGIMES, WINDOWS):
        mine = [run for run in runs if (run["regime"], run["window"]) == (regime, window)]
        figures = {name: np.array([run[name] for run in mine], float) for name in ("records", "eval_auc", "eval_loss")}
        spread = {name: values.std(ddof=1) if len(values) > 1 else 0.0 for name, values in figures.items()}
        cells = [f"{figures[name].mean():.4f} ± {spread[name]:.4f}" for name in ("eval_auc", "eval_loss")]
        table.add_row(regime, window, f"{figures['records'].mean():,.0f}", *cells)
    return table


if __name__ == "__main__":
    main()
