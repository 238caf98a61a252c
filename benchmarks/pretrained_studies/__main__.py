"""Prepares the records of the studies, runs them, or says what came of them."""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.pretrained_studies import arguments_parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    verbs = {"prepare": prepare, "run": run, "table": table}
    verbs[arguments.verb](arguments)


def prepare(arguments: argparse.Namespace) -> None:
    """Write records, and say what every setting computes and how long it would take."""
    from benchmarks.pretrained_studies.records import count_all, prepare_records, write_counts
    from benchmarks.pretrained_studies.workers import Pace
    from likely.data.movielens import read_movielens
    from likely.sources.catalogue import resolve_model

    model = resolve_model(arguments.model).location
    data = read_movielens(arguments.source)
    prepare_records(data, model, arguments.data, arguments.records, arguments.evaluated)
    counts = count_all(arguments.data, model)
    write_counts(arguments.data, counts)
    for setting, count in counts.items():
        said = {"setting": asdict(setting), "count": asdict(count)}
        print(json.dumps({**said, "expected_seconds": round(Pace(counts).first_guess(setting))}))


def run(arguments: argparse.Namespace) -> None:
    """Train until all is done or the time is over, and keep every finished run at once."""
    until = time.monotonic() + arguments.seconds
    from benchmarks.pretrained_studies.lines import finished_runs, read_lines
    from benchmarks.pretrained_studies.records import read_counts
    from benchmarks.pretrained_studies.studies import runs_in
    from benchmarks.pretrained_studies.workers import Ground, Pace, hand_out
    from likely.sources.catalogue import resolve_model

    done = finished_runs(read_lines([arguments.out]))
    runs = [run for run in runs_in(arguments.order, arguments.studies) if run not in done]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    ground = Ground(resolve_model(arguments.model).location, arguments.data, arguments.dtype)
    pace = Pace(read_counts(arguments.data))
    workers = min(arguments.workers, len(runs))
    hand_out(runs, pace, workers, until, ground, partial(keep, arguments.out, time.monotonic()))


def keep(path: Path, started: float, said: Mapping[str, Any]) -> None:
    """Write what a worker said, and a line of it on the terminal."""
    line = {**said, "at": round(time.monotonic() - started, 1)}
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line, separators=(",", ":")) + "\n")
    shown = {key: value for key, value in line.items() if key not in ("p_yes", "loss", "records", "versions")}
    print(json.dumps(shown), flush=True)


def table(arguments: argparse.Namespace) -> None:
    """Compare, print, draw, and leave a result."""
    from benchmarks import DOCS, common
    from benchmarks.pretrained_studies import tables
    from benchmarks.pretrained_studies.lines import finished_runs, read_lines
    from benchmarks.pretrained_studies.records import read_counts, read_part

    lines = read_lines(arguments.runs)
    runs = finished_runs(lines)
    rows = tables.answered_rows(read_part(arguments.data, "15", "eval"))
    counts = read_counts(arguments.data)
    found = tables.compare(runs, rows, counts, arguments.studies)
    tables.draw(found, runs, arguments.plot or DOCS / "pretrained-studies.png")
    studies = list(dict.fromkeys(one.study for one in found))
    for study in studies:
        print(tables.table_of(found, study), end="\n\n")
    ran_on = next(line for line in lines if "machine" in line)
    details = {
        "versions": ran_on["versions"],
        "compared": [asdict(one) for one in found],
        "runs": [
            {**{key: value for key, value in line.items() if key != "p_yes"}, "distinct_p_yes": len(set(line["p_yes"]))}
            for line in runs.values()
        ],
    }
    command = "python -m benchmarks.pretrained_studies run --data output/studies --out output/studies/runs.jsonl"
    command += f" --studies {' '.join(studies)}"
    claim = f"quality at equal records: {', '.join(studies)}"
    common.save("pretrained-studies", claim, command, tables.rows_of(found), details, ran_on["machine"])


if __name__ == "__main__":
    main()
