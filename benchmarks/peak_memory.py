"""Peak memory of one training step in a single forward pass: the tree against our own padded layout and TRL.

    python -m benchmarks.peak_memory --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--records 8] [--group-size 4]
        [--model NAME_OR_FOLDER | --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER]

Every contestant computes the same records in one forward and backward pass, in a process of its own. Counted is the
process's peak (resident set) in the step beyond what it held with the model loaded and one small step done. Prints how
the tree's peak compares with the padded one, last. Needs a POSIX system.
"""

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil
from rich.table import Table

from benchmarks import common
from benchmarks.common import Bench, Row
from benchmarks.training_throughput import own_step, trl_step
from likely.data.records import Labels
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.model.base import load_tokenizer
from likely.sources.catalogue import resolve_model

TREE, PADDED, TRL = "tree", "padded", "trl"
SHOWN = {TREE: common.TREE, PADDED: common.PADDED, TRL: common.TRL}
BAR = 0.5


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__, rounds=None)
    parser.add_argument("--group-size", type=int, default=4)
    parser.add_argument("--records", type=int, default=8, help="of the step")
    parser.add_argument("--contestant", choices=SHOWN, help="measure one in this process and print its bytes")
    parser.add_argument("--step", type=Path, help="the pickled step, for --contestant")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    if arguments.contestant:
        print(json.dumps(measure(arguments)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "step.pickle"
        path.write_bytes(pickle.dumps(chosen_step(arguments, Path(scratch))))
        grown = {name: in_own_process(name, path) for name in SHOWN}
    table = Table("", "peak above the loaded model, GiB", "of padded")
    for contestant, grew in grown.items():
        table.add_row(SHOWN[contestant], f"{grew / 2**30:.2f}", f"{grew / grown[PADDED]:.2f}")
    share = grown[TREE] / grown[PADDED]
    note = f"{common.model_name(arguments)}, {arguments.records} records "
    note += f"in groups of up to {arguments.group_size}, one pass; "
    note += ", ".join(f"{SHOWN[contestant]} {grew / 2**30:.2f} GiB" for contestant, grew in grown.items())
    rows = [Row("peak memory of an equal step, tree against padded", f"< {BAR}x", f"{share:.2f}x", share < BAR, note)]
    command = common.command_line("peak_memory", arguments, "records", "group_size")
    name = f"peak-memory-{common.model_name(arguments)}"
    common.save(name, "peak memory of an equal step", command, rows, {"bytes": grown})
    common.print_result(table, rows)


def chosen_step(arguments: argparse.Namespace, folder: Path) -> list[EncodedRecord]:
    """Return the records of one optimizer step."""
    location = str(arguments.shapes or resolve_model(arguments.model or "smollm2-135m").location)
    builder = PromptBuilder(load_tokenizer(location), Labels(), common.CUTOFF)
    data = common.prepared(arguments.source, folder)
    return common.training_step(builder, data, arguments.group_size, arguments.records)


def in_own_process(contestant: str, step: Path) -> int:
    """Return the bytes that a step of one contestant needs beyond the loaded model."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.peak_memory",
        *sys.argv[1:],
        "--contestant",
        contestant,
        "--step",
        str(step),
    ]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(finished.stdout.strip().splitlines()[-1]))


def measure(arguments: argparse.Namespace) -> int:
    """Return how much more than before the step this process holds at its peak."""
    step: list[EncodedRecord] = pickle.loads(arguments.step.read_bytes())  # written by the process that started this
    ours = arguments.contestant != TRL
    bench = common.load_bench(arguments.model, arguments.shapes, own_attention=ours, own_product=ours)
    bench = replace(bench, budget=replace(bench.budget, tokens=1 << 30))
    small = [replace(record, input_ids=record.input_ids[-64:]) for record in step[:2]]
    run(arguments.contestant, bench, small)
    held, earlier_peak = psutil.Process().memory_info().rss, peak()
    run(arguments.contestant, bench, step)
    assert peak() > earlier_peak, "loading took more memory than the step: give it more records"
    return peak() - held


def run(contestant: str, bench: Bench, step: list[EncodedRecord]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        if contestant == TRL:
            trl_step(bench, step, Path(scratch), packing=False, batch_size=len(step))(0)
        else:
            own_step(bench, step, "tree" if contestant == TREE else "padded", Path(scratch))(0)


def peak() -> int:
    """Return the largest resident set of this process so far, in bytes; Linux counts in KiB, macOS in bytes."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
