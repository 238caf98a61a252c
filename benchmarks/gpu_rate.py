"""How near a training step on a CUDA GPU comes to its matrix rate: bfloat16, FlexAttention, Qwen3-0.6B's shapes.

    python -m benchmarks.gpu_rate --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER
        [--rate 790]

The figure is unique tokens x 4 x weights outside the embedding / time, over the rate of the device in TFLOP/s
(790 was measured for an H200). Without a CUDA GPU the row of the table says so.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import common
from benchmarks.common import Row
from benchmarks.training_throughput import own_step
from likely.encoding.batches import plan_rows

BAR = 0.4
WIDE = 16_384
"""Tokens of a forward pass; FlexAttention skips what the mask hides, so rows may be long."""


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__, rounds=10)
    parser.add_argument("--rate", type=float, default=790, help="TFLOP/s of the device")
    parser.add_argument("--records", type=int, default=128, help="of the step")
    return parser


def main() -> None:
    parser = arguments_parser()
    arguments = parser.parse_args()
    if arguments.shapes is None:
        parser.error("--shapes names the folder whose shapes are measured")
    figure = "Qwen3-0.6B bfloat16 training, share of the GPU's matrix rate"
    if torch.cuda.is_available():
        share, note = measure(arguments)
        row = Row(figure, f">= {BAR:.0%}", f"{share:.0%}", share >= BAR, note)
    else:
        row = Row(figure, f">= {BAR:.0%}", "cannot run", None, "no CUDA GPU was at hand; H200 rows stay open")
    command = common.command_line("gpu_rate", arguments)
    common.save("gpu-rate", "share of the GPU's matrix rate", command, [row], {})
    print(f"{figure}: {row.value}")


def measure(arguments: argparse.Namespace) -> tuple[float, str]:
    """Return the share of the device's rate that a step reaches, and where that was."""
    bench = common.load_bench(None, arguments.shapes, "bfloat16", "flex_attention", "cuda")
    bench = replace(bench, budget=replace(bench.budget, tokens=WIDE, attention_share=0.0))
    with tempfile.TemporaryDirectory() as scratch:
        data = common.prepared(arguments.source, Path(scratch))
        step = common.training_step(bench.builder, data, 4, arguments.records)
        run = own_step(bench, step, "tree", Path(scratch), use_cpu=False)
        spent = []
        for turn in range(arguments.rounds + 3):  # the first compile
            torch.cuda.synchronize()
            started = time.perf_counter()
            run(turn)
            torch.cuda.synchronize()
            spent.append(time.perf_counter() - started)
    tokens = sum(row.width for row in plan_rows(step, "tree", bench.budget))
    config = bench.model.get_base_model().config
    frozen = sum(weight.numel() for weight in bench.model.parameters() if not weight.requires_grad)
    weights = frozen - config.vocab_size * config.hidden_size
    share = tokens * 4 * weights / float(np.median(spent[3:])) / (arguments.rate * 1e12)
    return share, f"{torch.cuda.get_device_name()}, {tokens:,} unique tokens a step"


if __name__ == "__main__":
    main()
