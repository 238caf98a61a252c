"""Rows a second of `likely predict` over a folder: one process, one worker of Ray, and two, a thread each.

    python -m benchmarks.predict_on_ray --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--users 12] [--candidates 100]
        [--model NAME_OR_FOLDER | --tiny] [--rounds 3]

Each file holds the candidates of one user, who share a history. All contestants score the same files, and their scores
are compared in every round. A rate counts from the moment at which as many files are done as there are workers, so that
neither the start of Ray nor the loading of a model is in it. CPU is what scoring processes took a row; other work on
the machine leaves it as it is.
"""

import argparse
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil
from rich.table import Table

from benchmarks import common
from benchmarks.common import Row
from benchmarks.scoring_throughput import busiest
from benchmarks.serve_load import tiny_model
from likely.config.reading import dump_config, load_config
from likely.data.movielens import read_movielens
from likely.data.question import show_question
from likely.data.ratings import RatingTable
from likely.data.task import TASK_FILE, RecordsTask, dump_task
from likely.data.wording import make_instruction, show_item, show_rated
from likely.inference.predict_folder import predict_folder
from likely.model.adapter import Lora, add_adapter
from likely.model.base import Precision, load_base
from likely.sources.catalogue import resolve_model

WITHOUT = "one process, no Ray"
CONTESTANTS = {WITHOUT: None, "one worker": 1, "two workers": 2}
HISTORY = 15


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--model", help="name or folder; by default smollm2-135m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=12, help="files, of one user each")
    parser.add_argument("--candidates", type=int, default=100, help="rows of a file")
    parser.add_argument("--tiny", action="store_true", help="a tiny model with random weights")
    return parser


def main() -> None:
    import ray
    import torch

    arguments = arguments_parser().parse_args()
    torch.set_num_threads(1)
    name = "tiny" if arguments.tiny else Path(arguments.model or "smollm2-135m").name
    data = read_movielens(arguments.source)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        model = str(tiny_model(data, root)) if arguments.tiny else arguments.model or "smollm2-135m"
        make_run(root / "run", model)
        write_rows(data, root / "in", arguments.users, arguments.candidates)
        measured = measure(root, arguments.candidates, arguments.rounds)
    ray.shutdown()
    command = common.command_line("predict_on_ray", arguments, "users", "candidates")
    where = f"{name}{', random weights' * arguments.tiny}, a thread each, {arguments.candidates} candidates a history"
    rows = [row_of(measured, where)]
    details = {"ray": version("ray"), "other_work": "other processes shared the cores", "measured": measured}
    command += " --tiny" * arguments.tiny
    common.save(f"predict-on-ray-{name}", "rows a second by workers", command, rows, details)
    common.print_result(table_of(measured), rows)


def make_run(folder: Path, model: str) -> None:
    """Write the folder of a run: a fresh adapter, and a configuration that names its base model."""
    base = load_base(resolve_model(model).location, Precision("float32", False), "sdpa")
    add_adapter(base, Lora(16, 64, 0.0, list(common.TARGETS))).save_pretrained(str(folder))
    config = load_config("smollm2_movielens_cpu", [f"model_name_or_path={model}", f"cutoff_len={common.CUTOFF}"])
    (folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    (folder / TASK_FILE).write_text(dump_task(RecordsTask()), encoding="utf-8")


def write_rows(data: RatingTable, folder: Path, users: int, candidates: int) -> None:
    """Write a file for each of the most active users: their first ratings, and the most rated movies."""
    folder.mkdir()
    shown = {
        number: show_item(title, year, details)
        for number, title, year, details in data.items.select("item_id", "title", "year", "details").iter_rows()
    }
    for user, rated, fresh in busiest(data, users, HISTORY, candidates):
        history = [show_rated(shown[movie], stars) for movie, stars in rated]
        asked = [{"instruction": make_instruction(4), "input": show_question(history, shown[one])} for one in fresh]
        pl.DataFrame(asked).write_parquet(folder / f"{user}.parquet")


def measure(root: Path, rows_a_file: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return rows a second and seconds of CPU a row of every contestant and round."""
    kept: dict[str, dict[str, list[float]]] = {name: {"rate": [], "cpu": []} for name in CONTESTANTS}
    for turn in range(rounds):
        for name in list(CONTESTANTS)[:: 1 if turn % 2 else -1]:
            output = root / f"{name}, round {turn}"
            rate, cpu = score(root, output, CONTESTANTS[name], rows_a_file)
            kept[name]["rate"].append(round(rate, 3))
            kept[name]["cpu"].append(round(cpu, 4))
        check_equal([root / f"{name}, round {turn}" for name in CONTESTANTS])
        print(
            f"round {turn + 1}: {[(name, one['rate'][-1], one['cpu'][-1]) for name, one in kept.items()]}", flush=True
        )
    return kept


def score(root: Path, output: Path, workers: int | None, rows_a_file: int) -> tuple[float, float]:
    """Score the folder; return rows a second and seconds of CPU a row, after the first file of every worker."""
    from likely.inference.on_ray import spread_on_ray

    warm = rows_a_file * (workers or 1)
    seen: list[tuple[int, float, float]] = []

    def note(done: int, _: int) -> None:
        if done >= warm:
            seen.append((done, time.perf_counter(), cpu_seconds(workers)))

    spread = partial(spread_on_ray, workers=workers) if workers else None
    predict_folder(root / "run", root / "in", output, on_progress=note, spread=spread)
    (done, began, used), (all_done, ended, all_used) = seen[0], seen[-1]
    return (all_done - done) / (ended - began), (all_used - used) / (all_done - done)


def cpu_seconds(workers: int | None) -> float:
    """Return what the processes that score have taken so far."""
    own = psutil.Process()
    scoring = [one for one in own.children(recursive=True) if one.name().startswith("ray::")] if workers else [own]
    return sum(sum(process.cpu_times()[:2]) for process in scoring)


def check_equal(folders: list[Path]) -> None:
    """Check that folders hold the same rows with the same probabilities."""
    first, *others = [
        pl.concat(pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))) for folder in folders
    ]
    for other in others:
        assert other.drop("p_yes").equals(first.drop("p_yes"))
        np.testing.assert_allclose(other["p_yes"], first["p_yes"], atol=1e-6)


def medians(measured: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Return the median of everything."""
    return {name: {what: float(np.median(own)) for what, own in one.items()} for name, one in measured.items()}


def row_of(measured: dict[str, Any], where: str) -> Row:
    """Return a line of the table of docs/speed.md."""
    alone, one, two = medians(measured).values()
    rates = f"{two['rate']:.1f} rows/s against {one['rate']:.1f}, and {alone['rate']:.1f} in one process without Ray"
    times = f"{two['cpu']:.4f} s against {one['cpu']:.4f}, and {alone['cpu']:.4f} in one process without Ray"
    note = f"{where}; {times}; {rates}, while other work shared the two cores"
    figure = "`likely predict` on Ray, CPU a row of two workers against one"
    return Row(figure, "", f"{one['cpu'] / two['cpu']:.2f}x", None, note)


def table_of(measured: dict[str, Any]) -> Table:
    """Return all medians as a table."""
    table = Table("", "rows/s", "CPU s a row")
    for name, one in medians(measured).items():
        table.add_row(name, f"{one['rate']:.2f}", f"{one['cpu']:.3f}")
    return table


if __name__ == "__main__":
    main()
