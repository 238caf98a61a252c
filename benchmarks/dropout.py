"""Does a dropout mask that records share cost quality? Tree against packed rows at equal records, several seeds.

In a tree, records that share a position share its LoRA dropout mask; packed records each draw their own. Both train a
tiny Llama, made of the training prompts, on the same records in the same order, and are evaluated on the same rows.
Records are those of `make demo`: histories of 8 to 15 movies and a hint. Draws docs/dropout-tiny.png, and prints a
table.

    python -m benchmarks.dropout --source FOLDER_OR_ZIP_OF_A_RELEASE
"""

import argparse
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from benchmarks import DOCS, common
from likely.cli.demo import demo_protocol, tiny_base
from likely.config.run_config import RunConfig
from likely.evaluation.metrics import answer_metrics
from likely.model.runtime import keep_freed_memory
from likely.training.run import train

COLOURS = {"tree": "#1f5f99", "packed": "#c2571a"}
STEP, EVALUATIONS = 16, 8
"""Records of an optimizer step, and evaluations of a run."""


def main() -> None:
    arguments = arguments_parser().parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = common.prepared(arguments.source, folder / "data", demo_protocol())
        model = tiny_base(folder / "tiny-base", data)
        turns = product(range(arguments.seeds), COLOURS)
        runs = [run_once(arguments, folder, model, batching, seed) for seed, batching in turns]
    draw(runs, arguments.plot)
    common.print_result(table_of(runs), [])
    command = common.command_line("dropout", arguments, "dropout", "records", "evaluated", "seeds")
    common.save("dropout-tiny", "a shared dropout mask costs no quality", command, [], {"runs": runs})


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--records", type=int, default=2048)
    parser.add_argument("--evaluated", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plot", type=Path, default=DOCS / "dropout-tiny.png")
    return parser


def run_once(arguments: argparse.Namespace, folder: Path, model: Path, batching: str, seed: int) -> dict:
    """Train once and return the curve of evaluations and what it cost."""
    steps = arguments.records // STEP
    config = RunConfig(
        model_name_or_path=str(model),
        dtype="float32",
        dataset=None,
        **{f"{split}_file": str(folder / "data" / f"{split}.json") for split in ("train", "eval", "test")},
        max_samples=arguments.records,
        max_eval_samples=arguments.evaluated,
        batching=batching,
        group_size=8,
        output_dir=str(folder / f"{batching}-{seed}"),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=STEP // 2,
        per_device_eval_batch_size=2,
        num_train_epochs=1,
        learning_rate=1e-3,
        eval_steps=max(steps // EVALUATIONS, 1),
        early_stopping_patience=None,
        lora_dropout=arguments.dropout,
        logging_steps=max(steps // 32, 1),
        seed=seed,
    )
    started = time.perf_counter()
    finished = train(config, answer_metrics)
    evaluations = [entry for entry in finished.log if "eval_auc" in entry]
    losses = [entry for entry in finished.log if "loss" in entry]
    run = {
        "contestant": batching,
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "records": [entry["step"] * STEP for entry in evaluations],
        "eval_auc": [round(entry["eval_auc"], 4) for entry in evaluations],
        "eval_loss": [round(entry["eval_loss"], 4) for entry in evaluations],
        "training_records": [entry["step"] * STEP for entry in losses],
        "training_loss": [round(entry["loss"], 4) for entry in losses],
    }
    print(f"{batching}  seed {seed}  AUC {run['eval_auc'][-1]:.4f}  {run['seconds']:.0f} s", flush=True)
    return run


def table_of(runs: list[dict]) -> Table:
    """Return final AUC and loss of each layout: mean and spread over seeds."""
    table = Table("", "eval AUC", "eval loss", title="Equal records", title_justify="left")
    for name in COLOURS:
        cells = []
        for metric in ("eval_auc", "eval_loss"):
            last = np.array([run[metric][-1] for run in runs if run["contestant"] == name])
            cells.append(f"{last.mean():.4f} ± {last.std(ddof=1) if len(last) > 1 else 0:.4f}")
        table.add_row(name, *cells)
    return table


def draw(runs: list[dict], path: Path) -> None:
    """Plot losses and AUC over records seen, a colour a layout: seeds thin, their mean thick."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = (
        ("training_records", "training_loss", "training loss"),
        ("records", "eval_auc", "evaluation AUC"),
        ("records", "eval_loss", "evaluation loss"),
    )
    for axes, (seen, name, title) in zip(figure.subplots(1, 3), panels, strict=True):
        for batching, colour in COLOURS.items():
            mine = [run for run in runs if run["contestant"] == batching]
            for run in mine:
                axes.plot(run[seen], run[name], color=colour, alpha=0.3, linewidth=0.8)
            axes.plot(mine[0][seen], np.mean([run[name] for run in mine], axis=0), color=colour, label=batching)
        axes.set(xlabel="training records seen", title=title)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
