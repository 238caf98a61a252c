"""What our attention and our adapter's product gain on a CPU, over transformers' `sdpa` and peft's layer.

    python benchmarks/cpu_layers.py --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--group-size 4] [--candidates 100]

Alternates the same model three times over: as transformers and peft have it, with attention in blocks, and with the
product too. All compute the loss of one optimizer step, forward and backward, and then rank the same candidates; losses
and rankings are compared in every round. Prints how many times faster ours is, last.
"""

import tempfile
from pathlib import Path

from measuring import (
    Bench,
    Row,
    alternate,
    command_line,
    load_bench,
    parser_of,
    prepared,
    print_result,
    ratio,
    rounded,
    save,
    spread_table,
    training_step,
)
from scoring_throughput import question, scorer_of
from training_throughput import own_step

from likely.data.movielens import read_movielens

PLAIN, BLOCKS, OURS = "sdpa and peft's layer", "attention in blocks", "and one product"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--group-size", type=int, default=4)
    parser.add_argument("--records", type=int, default=16, help="of the step")
    parser.add_argument("--candidates", type=int, default=100)
    arguments = parser.parse_args()
    benches = {
        PLAIN: load_bench(arguments.model, arguments.shapes, own_attention=False, own_product=False),
        BLOCKS: load_bench(arguments.model, arguments.shapes, own_product=False),
        OURS: load_bench(arguments.model, arguments.shapes),
    }
    with tempfile.TemporaryDirectory() as scratch:
        data = prepared(arguments.source, Path(scratch))
        step = training_step(benches[OURS].builder, data, arguments.group_size, arguments.records)
        steps = {name: own_step(bench, step, "tree", Path(scratch) / name) for name, bench in benches.items()}
        training = alternate(steps, arguments.rounds)
    history, candidates = question(read_movielens(arguments.source), 22, arguments.candidates)
    scorers = {name: scorer_of(bench) for name, bench in benches.items()}
    ranking = alternate(
        {
            name: lambda turn, ranker=ranker: sum(one.p_yes for one in ranker.rank(history, candidates))
            for name, ranker in scorers.items()
        },
        arguments.rounds,
    )
    rows = [
        row_of(f"training step of {len(step)} records", training, benches[OURS]),
        row_of(f"ranking {len(candidates)} candidates", ranking, benches[OURS]),
    ]
    command = command_line("cpu_layers", arguments, group_size=arguments.group_size, candidates=arguments.candidates)
    details = {"seconds": {"training": rounded(training), "ranking": rounded(ranking)}}
    save(
        f"cpu-layers-{(arguments.shapes or Path(benches[OURS].name)).name}",
        "attention and product",
        command,
        rows,
        details,
    )
    print_result(spread_table(training, len(step), "examples", PLAIN), [])
    print_result(spread_table(ranking, len(candidates), "candidates", PLAIN), rows)


def row_of(what: str, seconds: dict[str, list[float]], bench: Bench) -> Row:
    """Return the row of one task: ours against transformers' and peft's layers."""
    note = (
        f"{bench.name}; attention alone {ratio(seconds, PLAIN, BLOCKS):.2f}x, {len(seconds[OURS])} rounds of all three"
    )
    return Row(
        f"{what}, our layers against transformers' and peft's", "", f"{ratio(seconds, PLAIN, OURS):.2f}x", None, note
    )


if __name__ == "__main__":
    main()
