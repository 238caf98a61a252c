"""What the tree costs where there is nothing to share: sliding windows, against packed rows of the same records.

    python -m benchmarks.no_sharing --source FOLDER_OR_ZIP_OF_A_RELEASE [--model FOLDER_OR_NAME]

Alternates the two layouts on the same steps, whose losses have to agree, and prints how the tree's time compares with
that of packed rows, last; also the time to plan an epoch of all records. Without --model, a tiny Llama is made of the
training prompts.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import common
from benchmarks.common import Bench
from likely.cli.demo import tiny_base
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.encoding.batches import Layout, make_batches
from likely.encoding.order import shared_runs, shuffled_groups
from likely.encoding.prompt import EncodedRecord
from likely.encoding.saving import epoch_saving
from likely.model.adapter import base_model
from likely.model.forward import answer_logits

STEP = 16
LAYOUTS: tuple[Layout, ...] = ("tree", "packed")


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=7)
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = common.prepared(arguments.source, Path(scratch), SplitProtocol(window="sliding"))
        bench = common.load_bench(arguments.model or str(tiny_base(Path(scratch) / "tiny-base", data)))
        records = bench.builder.encode_all(read_records(data / "train.json", Labels()))
    started = time.perf_counter()
    order = shuffled_groups(shared_runs(records), 8, STEP, 0)
    planned = epoch_saving(records, order, STEP, "tree", bench.budget).records
    planning = time.perf_counter() - started
    draw = np.random.default_rng(0)
    drawn = [draw.choice(len(records), STEP, replace=False) for _ in range(arguments.rounds + 1)]
    steps = [[records[index] for index in step] for step in drawn]
    seconds = common.alternate({layout: own_steps(bench, steps, layout) for layout in LAYOUTS}, arguments.rounds)
    share = common.ratio(seconds, "tree", "packed")
    details = {
        "settings": {"model": arguments.model or "tiny", "data": arguments.source.resolve().name},
        "records_planned": planned,
        "planning_seconds": round(planning, 2),
        "seconds": common.rounded(seconds),
        "ratio": round(share, 3),
    }
    command = common.command_line("no_sharing", arguments)
    common.save("no-sharing", "time of a step without anything to share, tree over packed", command, [], details)
    common.print_result(common.spread_table(seconds, STEP, "records", "packed"), [])
    print(f"{planned:,} records planned in {planning:.1f} s\ntree / packed: {share:.3f}")


def own_steps(bench: Bench, steps: list[list[EncodedRecord]], layout: Layout) -> Callable[[int], float]:
    """Return a function that lays out the step of a round, runs it forward and backward, and returns its loss."""

    def run(turn: int) -> float:
        total = 0.0
        for batch in make_batches(steps[turn], layout, bench.budget):
            logits = answer_logits(bench.model, batch, base_model(bench.model))
            loss = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum") / STEP
            loss.backward()
            total += loss.item()
        bench.model.zero_grad()
        return total

    return run


if __name__ == "__main__":
    main()
