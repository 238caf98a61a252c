"""What stands before the first step: tokenising all training records, cold and from the cache, and importing.

    python -m benchmarks.start_up --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL --tokenizer FOLDER_OF_QWEN3_TOKENIZER

Tokenising is reading train.json and encoding every record; the tokenizer is loaded already. Prints the slowest of its
figures last.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.table import Table

from benchmarks import common
from benchmarks.common import Row
from likely.data.records import Labels
from likely.encoding.cache import FOLDER, encode_file
from likely.encoding.prompt import PromptBuilder
from likely.model.base import load_tokenizer

IMPORTS = {"import likely": ["-c", "import likely"], "likely --help": ["-m", "likely", "--help"]}


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--tokenizer", required=True, help="folder or hub name")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    tokenizer = load_tokenizer(arguments.tokenizer)
    seconds: dict[str, list[float]] = {"cold": [], "from cache": [], **{name: [] for name in IMPORTS}}
    with tempfile.TemporaryDirectory() as scratch:
        file = common.prepared(arguments.source, Path(scratch)) / "train.json"
        records = 0
        for _ in range(arguments.rounds):
            shutil.rmtree(file.parent / FOLDER, ignore_errors=True)
            for name in ("cold", "from cache"):
                builder = PromptBuilder(tokenizer, Labels(), common.CUTOFF)
                started = time.perf_counter()
                records = len(encode_file(file, None, builder))
                seconds[name].append(time.perf_counter() - started)
            for name, command in IMPORTS.items():
                started = time.perf_counter()
                subprocess.run([sys.executable, *command], check=True, capture_output=True)
                seconds[name].append(time.perf_counter() - started)
    where = f"{Path(arguments.tokenizer).name} tokenizer, median of {arguments.rounds}"
    bars = {"cold": 60.0, "from cache": 2.0, "import likely": 0.5, "likely --help": 0.5}
    table = Table("", "median s", "min - max s", "bar")
    rows = []
    for name, spent in seconds.items():
        median = statistics.median(spent)
        table.add_row(name, f"{median:.2f}", f"{min(spent):.2f} - {max(spent):.2f}", f"< {bars[name]:g} s")
        figure = f"`{name}`" if name in IMPORTS else f"tokenising {records:,} records, {name}"
        note = "python process included" if name in IMPORTS else where
        rows.append(Row(figure, f"< {bars[name]:g} s", f"{median:.2f} s", median < bars[name], note))
    command = "python -m benchmarks.start_up --source ML_LATEST_SMALL --tokenizer QWEN3_TOKENIZER"
    common.save("start-up", "what stands before the first step", command, rows, {"seconds": seconds})
    common.print_result(table, rows)
    slowest = max(seconds, key=lambda name: statistics.median(seconds[name]) / bars[name])
    print(f"nearest to its bar: {slowest}, {statistics.median(seconds[slowest]) / bars[slowest]:.2f} of it")


if __name__ == "__main__":
    main()
