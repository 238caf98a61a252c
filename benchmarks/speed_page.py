"""Writes the table of docs/speed.md from results/, one row a figure, with the command that repeats it.

    python -m benchmarks.speed_page [--check]

With --check it only says whether the page is as the results have it, and fails if not.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import DOCS, RESULTS

PAGE = DOCS / "speed.md"
BEGIN, END = "<!-- table: python -m benchmarks.speed_page -->", "<!-- end of table -->"
ORDER = (
    "training-throughput",
    "scoring-throughput",
    "evaluation-throughput",
    "peak-memory",
    "cpu-layers",
    "gpu",
    "start-up",
    "serve-load",
    "predict-on-ray",
    "upper-layers",
    "sixteen-bits",
)
VERDICT = {True: "met", False: "**missed**", None: "not measured"}


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    text = PAGE.read_text(encoding="utf-8")
    written = with_table(text, table(results(RESULTS)))
    if arguments.check:
        sys.exit(0 if written == text else f"{PAGE} is not what the results say; run python -m benchmarks.speed_page")
    PAGE.write_text(written, encoding="utf-8")


def results(folder: Path) -> list[dict[str, Any]]:
    """Return all results with rows of the table, in the table's order.

    What one machine cannot measure is left out as soon as another has.
    """
    paths = [path for name in ORDER for path in sorted(folder.glob(f"{name}*"))]
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    measured = {row["figure"] for result in found for row in result["rows"] if row["met"] is not None}
    for result in found:
        result["rows"] = [row for row in result["rows"] if row["met"] is not None or row["figure"] not in measured]
    return [result for result in found if result["rows"]]


def table(found: list[dict[str, Any]]) -> str:
    """Return the table, and below it the commands, numbered as in its last column, and where and what each ran."""
    lines = ["| figure | goal | measured | | where | how |", "|---|---|---|---|---|---|"]
    commands = []
    machines: dict[str, list[str]] = {}
    for number, result in enumerate(found, start=1):
        for row in result["rows"]:
            verdict = VERDICT[row["met"]] if row["bar"] else ""
            cells = (row["figure"], row["bar"], row["value"], verdict, row["note"], f"[{number}]")
            lines.append("| " + " | ".join(cells) + " |")
        commands.append(f"    [{number}] {result['command']}")
        machine = result["machine"]
        where = machine["gpu"] or f"{machine['processor']}, {machine['threads']} threads"
        where += f", commit {result['commit']}" if result.get("commit") else ""
        machines.setdefault(where, []).append(f"[{number}]")
    run_on = [f"{' '.join(numbers)} on {where}" for where, numbers in machines.items()]
    return "\n".join([*lines, "", *commands, "", f"Run {'; '.join(run_on)}."])


def with_table(text: str, new: str) -> str:
    """Return a page with the table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{new}\n{END}{after}"


if __name__ == "__main__":
    main()
