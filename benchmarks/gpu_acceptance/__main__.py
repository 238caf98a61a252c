"""Starts processes that run the sections, and writes the rows of docs/speed.md from their figures.

It imports nothing heavy until the figures are there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.gpu_acceptance import FIGURES, SECTIONS, SHARES, arguments_parser

GRACE = 60.0
"""Seconds that a process has after its time to end by itself: what it is at may take a while."""


def main() -> None:
    parser = arguments_parser()
    arguments = parser.parse_args()
    arguments.sections.sort(key=SECTIONS.index)
    has_records = (arguments.out / "data" / "train.json").is_file()
    if not arguments.tiny and (arguments.shapes is None or (arguments.source is None and not has_records)):
        parser.error("--source and --shapes name the ratings and the shapes to measure; or --tiny")
    if arguments.tiny:
        with tempfile.TemporaryDirectory() as scratch:
            run_here(arguments, Path(scratch))
    elif arguments.here:
        run_here(arguments, arguments.out)
    else:
        run_apart(arguments)
        save(arguments, read_figures(arguments.out))


def run_here(arguments: argparse.Namespace, out: Path) -> None:
    """Run sections one after the other, each for its share of the time that is left."""
    ends = time.monotonic() + 60 * arguments.minutes
    import torch

    from benchmarks.gpu_acceptance.ground import prepare_ground
    from benchmarks.gpu_acceptance.sections import RUN

    if not arguments.tiny and not torch.cuda.is_available():
        print("There is no CUDA GPU; --tiny checks this script on a CPU.")
        return
    ground = prepare_ground(out, arguments.tiny, arguments.source, arguments.shapes)
    for place, section in enumerate(arguments.sections):
        began = time.monotonic()
        share = SHARES[section] / sum(SHARES[later] for later in arguments.sections[place:])
        RUN[section](replace(ground, ends=began + share * (ends - began)))
        ground.say("done", of=section, seconds=round(time.monotonic() - began, 1))


def run_apart(arguments: argparse.Namespace) -> None:
    """Run sections in processes of their own, whatever becomes of any of them."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + 60 * arguments.minutes
    if arguments.together:
        if not (arguments.out / "base" / "tokenizer.json").is_file():
            wait(arguments, [], start(arguments, [], ends), ends)  # which leaves the base model for all
        started = [([section], start(arguments, [section], ends)) for section in arguments.sections]
        for sections, process in started:
            wait(arguments, sections, process, ends)
        return
    left = arguments.sections
    while left and time.monotonic() < ends:
        left = wait(arguments, left, start(arguments, left, ends), ends)


def start(arguments: argparse.Namespace, sections: list[str], ends: float) -> "subprocess.Popen[bytes]":
    """Start a process for some sections."""
    minutes = (ends - time.monotonic()) / 60
    command = [sys.executable, "-m", "benchmarks.gpu_acceptance", "--here", "--minutes", str(minutes)]
    folders = {"--source": arguments.source, "--shapes": arguments.shapes, "--out": arguments.out}
    command += [word for name, folder in folders.items() if folder for word in (name, str(folder))]
    return subprocess.Popen([*command, "--sections", *sections])


def wait(
    arguments: argparse.Namespace, sections: list[str], process: "subprocess.Popen[bytes]", ends: float
) -> list[str]:
    """Wait for a process, say what ended it before its time, and return the sections that it did not come to."""
    try:
        most = max(ends - time.monotonic(), 0) + GRACE
        status = process.wait(None if most == float("inf") else most)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    if status == 0:
        return []
    done = [line["of"] for line in read_figures(arguments.out) if line["section"] == "done"]
    undone = [section for section in sections if section not in done]
    with (arguments.out / FIGURES).open("a", encoding="utf-8") as figures:
        for section in undone[:1]:
            figures.write(json.dumps({"section": "done", "of": section, "status": status}) + "\n")
    return undone[1:]


def read_figures(out: Path) -> list[dict[str, Any]]:
    """Return the lines that the sections wrote."""
    path = out / FIGURES
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def save(arguments: argparse.Namespace, figures: list[dict[str, Any]]) -> None:
    """Leave a result with the rows of the table, and print them."""
    from benchmarks import common
    from benchmarks.gpu_acceptance.sum_up import rows_of

    rows = rows_of(figures)
    command = common.command_line("gpu_acceptance", arguments)
    common.save("gpu-acceptance", "all that runs on a CUDA GPU", command, rows, {"figures": figures})
    for row in rows:
        print(f"{row.figure}: {row.value} ({row.note})")


if __name__ == "__main__":
    main()
