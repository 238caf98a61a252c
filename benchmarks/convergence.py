"""Does keeping a user's records together in the shuffle cost quality? Group sizes at equal records, several seeds.

A plain shuffle (group size 1) shares almost nothing within a step; larger groups are cheaper, but a step sees fewer
users. Records are those of `make demo` (histories of 8 to 15 movies and a hint), or shorter ones. Every contestant
trains on the same records in the same number of steps, only in another order, and is evaluated on the same rows.

    python benchmarks/convergence.py --source FOLDER_OR_ZIP_OF_A_RELEASE [--model FOLDER_OR_NAME]

In a tree, records that share a position share its LoRA dropout mask; packed records each draw their own. Whether that
costs quality:

    python benchmarks/convergence.py --source ... --dropout 0.05 --group-sizes 8 --batching tree packed --name dropout

writes benchmarks/results/<name>-<model>-<date>.json and docs/<name>-<model>.png, and prints a table. Without --model,
a tiny Llama is made of the training prompts. Runs that a result of the same day and settings holds already are not
repeated, so a study that was stopped goes on, and several processes may share one.
"""

import argparse
import json
import platform
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from likely.cli.demo import PROTOCOL, tiny_base
from likely.config.run_config import RunConfig
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.evaluation.metrics import answer_metrics
from likely.model.runtime import keep_freed_memory
from likely.training.run import train

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs"
COLOURS = ("#1f5f99", "#3d9a8b", "#c2571a", "#8a4fa3", "#666666")


def main() -> None:
    arguments = read_arguments()
    keep_freed_memory()
    base = Path(arguments.model).name if arguments.model else "tiny"
    path = RESULTS / f"{arguments.name}-{base}-{time.strftime('%Y-%m-%d')}.json"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        protocol = replace(PROTOCOL, history_length=arguments.history)
        prepare(read_movielens(arguments.source), folder / "data", protocol)
        model = arguments.model or str(tiny_base(folder / "tiny-base", folder / "data"))
        for seed in range(arguments.seeds):
            for group_size in arguments.group_sizes:
                for batching in arguments.batching:
                    done = {(run["contestant"], run["seed"]) for run in runs_of(path, arguments)}
                    if (contestant(batching, group_size), seed) not in done:
                        run = run_once(arguments, folder, model, batching, group_size, seed)
                        save(arguments, path, [*runs_of(path, arguments), run])
    Console().print(table_of(runs_of(path, arguments)))


def contestant(batching: str, group_size: int) -> str:
    return f"{batching}, groups of up to {group_size}"


def settings_of(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what all runs of a result have in common."""
    varying = ("source", "seeds", "group_sizes", "batching")
    return {name: str(value) for name, value in vars(arguments).items() if name not in varying}


def runs_of(path: Path, arguments: argparse.Namespace) -> list[dict]:
    """Return the runs of a result with these settings, by contestant and seed."""
    if not path.is_file():
        return []
    result = json.loads(path.read_text(encoding="utf-8"))
    if result["settings"] != settings_of(arguments):
        return []
    return sorted(result["runs"], key=lambda run: (len(run["contestant"]), run["contestant"], run["seed"]))


def save(arguments: argparse.Namespace, path: Path, runs: list[dict]) -> None:
    """Write result and plot of the runs so far."""
    result = {
        "claim": "quality at equal records: group sizes and layouts",
        "date": path.stem[-10:],
        "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("likely", "torch", "transformers", "peft")},
        "settings": settings_of(arguments),
        "data": arguments.source.resolve().name,
        "runs": runs,
    }
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(runs, DOCS / f"{path.stem[:-11]}.png")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--group-sizes", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--records", type=int, default=4096)
    parser.add_argument("--evaluated", type=int, default=1000)
    parser.add_argument("--evaluations", type=int, default=8)
    parser.add_argument("--history", type=int, default=PROTOCOL.history_length, help="shortest history, in movies")
    parser.add_argument("--step", type=int, default=16, help="records of an optimizer step")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--batching", nargs="+", default=["tree"], choices=["tree", "packed", "padded"])
    parser.add_argument("--name", default="convergence", help="of the result and the plot")
    return parser.parse_args()


def run_once(
    arguments: argparse.Namespace, folder: Path, model: str, batching: str, group_size: int, seed: int
) -> dict:
    """Train once and return the curve of evaluations and what it cost."""
    steps = arguments.records // arguments.step
    data = {f"{split}_file": str(folder / "data" / f"{split}.json") for split in ("train", "eval", "test")}
    config = RunConfig(
        model_name_or_path=model,
        dtype="float32",
        dataset=None,
        **data,
        max_samples=arguments.records,
        max_eval_samples=arguments.evaluated,
        batching=batching,
        group_size=group_size,
        output_dir=str(folder / f"{batching}-{group_size}-{seed}"),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=arguments.step // 2,
        per_device_eval_batch_size=2,
        num_train_epochs=1,
        learning_rate=arguments.learning_rate,
        eval_steps=max(steps // arguments.evaluations, 1),
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
        "contestant": contestant(batching, group_size),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "records": [entry["step"] * arguments.step for entry in evaluations],
        "eval_auc": [round(entry["eval_auc"], 4) for entry in evaluations],
        "eval_loss": [round(entry["eval_loss"], 4) for entry in evaluations],
        "training_records": [entry["step"] * arguments.step for entry in losses],
        "training_loss": [round(entry["loss"], 4) for entry in losses],
    }
    print(f"{run['contestant']}  seed {seed}  AUC {run['eval_auc'][-1]:.4f}  {run['seconds']:.0f} s", flush=True)
    return run


def table_of(runs: list[dict]) -> Table:
    """Return final AUC, loss and time of each contestant: mean and spread over seeds."""
    table = Table("", "eval AUC", "eval loss", "seconds a run", title="Equal records", title_justify="left")
    for name in dict.fromkeys(run["contestant"] for run in runs):
        mine = [run for run in runs if run["contestant"] == name]
        cells = []
        for metric in ("eval_auc", "eval_loss"):
            last = np.array([run[metric][-1] for run in mine])
            cells.append(f"{last.mean():.4f} ± {last.std(ddof=1) if len(last) > 1 else 0:.4f}")
        table.add_row(name, *cells, f"{np.mean([run['seconds'] for run in mine]):.0f}")
    return table


def draw(runs: list[dict], path: Path) -> None:
    """Plot losses and AUC over records seen, a colour a contestant: seeds thin, their mean thick."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    contestants = dict.fromkeys(run["contestant"] for run in runs)
    panels = (
        ("training_records", "training_loss", "training loss"),
        ("records", "eval_auc", "evaluation AUC"),
        ("records", "eval_loss", "evaluation loss"),
    )
    for axes, (seen, name, title) in zip(figure.subplots(1, 3), panels, strict=True):
        for label, colour in zip(contestants, COLOURS, strict=False):
            mine = [run for run in runs if run["contestant"] == label]
            marker = "o" if len(mine[0][seen]) < 4 else None
            for run in mine:
                axes.plot(run[seen], run[name], color=colour, alpha=0.3, linewidth=0.8, marker=marker, markersize=3)
            mean = np.mean([run[name] for run in mine], axis=0)
            axes.plot(mine[0][seen], mean, color=colour, linewidth=2, marker=marker, label=label)
        axes.set(xlabel="training records seen", title=title)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        if name == "training_loss":
            axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
