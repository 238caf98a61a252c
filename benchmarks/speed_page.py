"""Writes the table of docs/speed.md from results/, one row a figure, with the command that repeats it.

    python benchmarks/speed_page.py [--check]

With --check it only says whether the page is as the results have it, and fails if not.
"""

import argparse
import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
BEGIN, END = "<!-- table: python benchmarks/speed_page.py -->", "<!-- end of table -->"
ORDER = (
    "training-throughput",
    "scoring-throughput",
    "evaluation-throughput",
    "peak-memory",
    "cpu-layers",
    "gpu",
    "start-up",
)
VERDICT = {True: "met", False: "**missed**", None: "not measured"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    written = with_table(text, table(results()))
    if arguments.check:
        sys.exit(0 if written == text else "docs/speed.md is not what the results say; run benchmarks/speed_page.py")
    PAGE.write_text(written, encoding="utf-8")


def results() -> list[dict]:
    """Return all results with rows of the table, in the table's order."""
    found = [
        json.loads(path.read_text(encoding="utf-8")) for name in ORDER for path in sorted(RESULTS.glob(f"{name}*"))
    ]
    return [result for result in found if result.get("rows")]


def table(found: list[dict]) -> str:
    """Return the table and below it the commands, numbered as in its last column."""
    lines = ["| figure | bar | measured | | where | how |", "|---|---|---|---|---|---|"]
    commands = []
    for number, result in enumerate(found, start=1):
        for row in result["rows"]:
            verdict = VERDICT[row["met"]] if row["bar"] else ""
            cells = (row["figure"], row["bar"], row["value"], verdict, row["note"], f"[{number}]")
            lines.append("| " + " | ".join(cells) + " |")
        commands.append(f"    [{number}] {result['command']}")
    return "\n".join([*lines, "", *commands])


def with_table(text: str, new: str) -> str:
    """Return a page with the table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{new}\n{END}{after}"


if __name__ == "__main__":
    main()
