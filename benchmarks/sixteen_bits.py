"""What bfloat16 gains on a CPU whose processor has instructions for it, and how far gradients and answers move.

    python -m benchmarks.sixteen_bits --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--group-size 4] [--candidates 100]

Alternates one model in float32 and in bfloat16, which `dtype: auto` takes where that is clearly faster. The adapter,
drawn at random, is held in float32 either way. Both compute the loss of one optimizer step, forward and backward, and
then rank the same candidates. Prints how close gradients and answers are, and how many times faster bfloat16 is.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks import common
from benchmarks.common import Bench, Row
from benchmarks.scoring_throughput import question, ranker_of
from benchmarks.training_throughput import own_step
from likely.data.movielens import read_movielens
from likely.encoding.batches import make_batches
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import base_model
from likely.model.forward import answer_logits
from likely.model.trial import bfloat16_gain

FLOAT32, BFLOAT16 = "float32", "bfloat16"
ROUNDING = 0.05
"""How much losses, and sums of P(Yes), may differ relatively; more would be a fault."""


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__)
    parser.add_argument("--group-size", type=int, default=4)
    parser.add_argument("--records", type=int, default=16, help="of the step")
    parser.add_argument("--candidates", type=int, default=100)
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    load = common.load_bench
    benches = {dtype: load(arguments.model, arguments.shapes, dtype) for dtype in (FLOAT32, BFLOAT16)}
    for bench in benches.values():
        draw_adapter(bench)
    with tempfile.TemporaryDirectory() as scratch:
        data = common.prepared(arguments.source, Path(scratch))
        step = common.training_step(benches[FLOAT32].builder, data, arguments.group_size, arguments.records)
        steps = {dtype: own_step(bench, step, "tree", Path(scratch) / dtype) for dtype, bench in benches.items()}
        training = common.alternate(steps, arguments.rounds, ROUNDING)
    gradients = [gradient(bench, step) for bench in benches.values()]
    cosine = torch.nn.functional.cosine_similarity(*gradients, dim=0).item()

    history, candidates = question(read_movielens(arguments.source), 22, arguments.candidates)
    rankers = {dtype: ranker_of(bench) for dtype, bench in benches.items()}
    said: dict[str, dict[str, float]] = {}

    def rank(dtype: str) -> float:
        said[dtype] = {one.candidate.title: one.p_yes for one in rankers[dtype].rank(history, candidates)}
        return sum(said[dtype].values())

    contestants = {dtype: lambda turn, own=dtype: rank(own) for dtype in rankers}
    ranking = common.alternate(contestants, arguments.rounds, ROUNDING)
    change = np.abs([said[FLOAT32][title] - p_yes for title, p_yes in said[BFLOAT16].items()])
    name = benches[FLOAT32].name
    near = f"{name}; cosine of the gradients {cosine:.5f}"
    moved = f"{name}; P(Yes) moves by {change.mean():.4f} in the mean and {change.max():.4f} at most"
    rows = [
        row_of(f"training step of {len(step)} records", training, near),
        row_of(f"ranking {len(candidates)} candidates", ranking, moved),
    ]
    details = {
        "gain_of_a_product": {width: round(bfloat16_gain(width), 2) for width in (576, 1024)},
        "seconds": {"training": common.rounded(training), "ranking": common.rounded(ranking)},
    }
    command = common.command_line("sixteen_bits", arguments, "group_size", "candidates")
    common.save(f"sixteen-bits-{common.model_name(arguments)}", "bfloat16 on a CPU", command, rows, details)
    common.print_result(common.spread_table(training, len(step), "examples", FLOAT32), [])
    common.print_result(common.spread_table(ranking, len(candidates), "candidates", FLOAT32), rows)


def draw_adapter(bench: Bench) -> None:
    """Draw the half of the adapter that begins at zero, the same for every dtype, so that all of it has a gradient."""
    draw = torch.Generator().manual_seed(0)
    for name, weight in bench.model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.01, generator=draw)


def gradient(bench: Bench, step: list[EncodedRecord]) -> torch.Tensor:
    """Return the gradient of the step's loss by the adapter, float64 [weights]."""
    bench.model.train()
    for batch in make_batches(step, "tree", bench.budget):
        logits = answer_logits(bench.model, batch, base_model(bench.model))
        torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="sum").backward()
    found = torch.cat([weight.grad.flatten() for weight in bench.model.parameters() if weight.grad is not None])
    bench.model.zero_grad()
    return found.double()


def row_of(what: str, seconds: dict[str, list[float]], note: str) -> Row:
    """Return the row of one task."""
    times = common.ratio(seconds, FLOAT32, BFLOAT16)
    return Row(f"{what}, bfloat16 against float32 on a CPU", "", f"{times:.2f}x", None, note)


if __name__ == "__main__":
    main()
