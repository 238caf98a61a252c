"""What it gains to adapt the upper layers alone (`lora_layers`): no backward pass, and nothing kept for it, below them.

    python -m benchmarks.upper_layers --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--layers 20 15 10] [--group-size 4]

Alternates one model with adapters on all of its layers and on those next to the output, over forward and backward of
one optimizer step. Fresh adapters change nothing, so all have the same loss, which is compared in every round. What
is learnt with fewer layers is another question: docs/experiments.md. Prints how many times faster the step is, last.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import common
from benchmarks.common import Row
from benchmarks.training_throughput import own_step

ALL = "all layers"


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__)
    parser.add_argument("--layers", type=int, nargs="+", default=[20, 15, 10])
    parser.add_argument("--group-size", type=int, default=4)
    parser.add_argument("--records", type=int, default=16, help="of the step")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    names = {ALL: None, **{f"upper {count}": count for count in arguments.layers}}
    benches = {
        name: common.load_bench(arguments.model, arguments.shapes, upper_layers=count) for name, count in names.items()
    }
    with tempfile.TemporaryDirectory() as scratch:
        data = common.prepared(arguments.source, Path(scratch))
        step = common.training_step(benches[ALL].builder, data, arguments.group_size, arguments.records)
        steps = {name: own_step(bench, step, "tree", Path(scratch) / name) for name, bench in benches.items()}
        seconds = common.alternate(steps, arguments.rounds)
    rows = [
        Row(
            f"training step of {len(step)} records, adapters on the {name} layers against all",
            "",
            f"{common.ratio(seconds, ALL, name):.2f}x",
            None,
            f"{benches[ALL].name}, groups of up to {arguments.group_size}",
        )
        for name in seconds
        if name != ALL
    ]
    command = common.command_line("upper_layers", arguments, "layers", "group_size")
    details = {"seconds": common.rounded(seconds)}
    common.save(f"upper-layers-{common.model_name(arguments)}", "adapters on upper layers", command, rows, details)
    common.print_result(common.spread_table(seconds, len(step), "examples", ALL), rows)


if __name__ == "__main__":
    main()
