"""What groups, wordings and longer histories are worth to a pretrained model: many short runs, compared in pairs.

    python -m benchmarks.pretrained_studies prepare --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL --data output/studies
    python -m benchmarks.pretrained_studies run --data output/studies --out output/studies/runs.jsonl
        [--model smollm2-135m] [--dtype auto] [--workers 8] [--seconds 280] [--order groups:0 groups:1 ...]
    python -m benchmarks.pretrained_studies table output/studies/runs.jsonl --data output/studies

`prepare` writes the same training records and the same eval rows once for each wording and window. `run` trains on them
with every contestant of `studies` and several seeds: worker processes share one GPU, or the cores, and take one run
after the other, in the order of what matters most, and none is begun that would not finish in time. Every finished run
is a line of OUT, with what the model answered to every eval row; runs that OUT has already are not repeated. `table`
compares the contestants of each study with its first one, over resamples of users and averaged over the seeds that both
have, and draws docs/pretrained-studies.png.
"""

import argparse
from pathlib import Path

from benchmarks.pretrained_studies.studies import ORDER, STUDIES, Turn


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    prepare = verbs.add_parser("prepare", help="write the records, and count what each contestant computes")
    prepare.add_argument("--source", type=Path, required=True, help="folder or zip of MovieLens latest-small")
    prepare.add_argument("--records", type=int, default=4096, help="to train on, of whole runs chosen at random")
    prepare.add_argument("--evaluated", type=int, help="most eval rows, of whole users; by default all")
    run = verbs.add_parser("run", help="train until the time is over")
    run.add_argument("--out", type=Path, required=True, help="JSON lines, a run each; kept and added to")
    run.add_argument("--workers", type=int, default=8)
    run.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    run.add_argument("--seconds", type=float, default=280, help="from the start of this command, whatever then runs")
    run.add_argument("--order", type=Turn.of, nargs="+", default=list(ORDER), help="study:seed, most important first")
    table = verbs.add_parser("table", help="compare the runs of one file or several")
    table.add_argument("runs", type=Path, nargs="+")
    table.add_argument("--plot", type=Path, help="by default docs/pretrained-studies.png")
    for verb in (prepare, run):
        verb.add_argument("--model", default="smollm2-135m", help="name or folder")
    for verb in (prepare, run, table):
        verb.add_argument("--data", type=Path, required=True, help="folder of the prepared records")
        verb.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    return parser
