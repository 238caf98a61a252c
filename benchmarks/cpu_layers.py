"""What our attention and our adapter's product gain on a CPU, over transformers' `sdpa` and peft's layer.

    python -m benchmarks.cpu_layers --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--group-size 4] [--candidates 100]

Alternates the same model three times over: as transformers and peft have it, with attention in blocks, and with the
product too. All compute the loss of one optimizer step, forward and backward, and then rank the same candidates; losses
and rankings are compared in every round. Prints how many times faster ours is, last.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import common
from benchmarks.common import Bench, Row
from benchmarks.scoring_throughput import question, ranker_of
from benchmarks.training_throughput import own_step
from likely.data.movielens import read_movielens

PLAIN, BLOCKS, OURS = "sdpa and peft's layer", "attention in blocks", "and one product"


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__)
    parser.add_argument("--group-size", type=int, default=4)
    parser.add_argument("--records", type=int, default=16, help="of the step")
    parser.add_argument("--candidates", type=int, default=100)
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    benches = {
        PLAIN: common.load_bench(arguments.model, arguments.shapes, own_attention=False, own_product=False),
        BLOCKS: common.load_bench(arguments.model, arguments.shapes, own_product=False),
        OURS: common.load_bench(arguments.model, arguments.shapes),
    }
    with tempfile.TemporaryDirectory() as scratch:
        data = common.prepared(arguments.source, Path(scratch))
        step = common.training_step(benches[OURS].builder, data, arguments.group_size, arguments.records)
        steps = {name: own_step(bench, step, "tree", Path(scratch) / name) for name, bench in benches.items()}
        training = common.alternate(steps, arguments.rounds)
    history, candidates = question(read_movielens(arguments.source), 22, arguments.candidates)
    rankers = {name: ranker_of(bench) for name, bench in benches.items()}
    ranking = common.alternate(
        {
            name: lambda turn, ranker=ranker: sum(one.p_yes for one in ranker.rank(history, candidates))
            for name, ranker in rankers.items()
        },
        arguments.rounds,
    )
    rows = [
        row_of(f"training step of {len(step)} records", training, benches[OURS]),
        row_of(f"ranking {len(candidates)} candidates", ranking, benches[OURS]),
    ]
    command = common.command_line("cpu_layers", arguments, "group_size", "candidates")
    details = {"seconds": {"training": common.rounded(training), "ranking": common.rounded(ranking)}}
    common.save(f"cpu-layers-{common.model_name(arguments)}", "attention and product", command, rows, details)
    common.print_result(common.spread_table(training, len(step), "examples", PLAIN), [])
    common.print_result(common.spread_table(ranking, len(candidates), "candidates", PLAIN), rows)


def row_of(what: str, seconds: dict[str, list[float]], bench: Bench) -> Row:
    """Return the row of one task: ours against transformers' and peft's layers."""
    alone, both = common.ratio(seconds, PLAIN, BLOCKS), common.ratio(seconds, PLAIN, OURS)
    note = f"{bench.name}; attention alone {alone:.2f}x, {len(seconds[OURS])} rounds of all three"
    return Row(f"{what}, our layers against transformers' and peft's", "", f"{both:.2f}x", None, note)


if __name__ == "__main__":
    main()
