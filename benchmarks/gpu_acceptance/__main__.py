"""Runs the sections, each in a process of its own, and writes the rows of docs/speed.md from their figures."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks import common
from benchmarks.gpu_acceptance import arguments_parser
from benchmarks.gpu_acceptance.environment import env
from benchmarks.gpu_acceptance.exactness import exact
from benchmarks.gpu_acceptance.ground import FIGURES, prepare_ground
from benchmarks.gpu_acceptance.memory import memory
from benchmarks.gpu_acceptance.profile import profile
from benchmarks.gpu_acceptance.speed import speed
from benchmarks.gpu_acceptance.sum_up import read_figures, rows_of
from benchmarks.gpu_acceptance.trl import trl

RUN = {"env": env, "exact": exact, "speed": speed, "memory": memory, "profile": profile, "trl": trl}


def main() -> None:
    parser = arguments_parser()
    arguments = parser.parse_args()
    if not arguments.tiny and None in (arguments.source, arguments.shapes):
        parser.error("--source and --shapes name the ratings and the shapes to measure; or --tiny")
    if not arguments.tiny and not torch.cuda.is_available():
        print("There is no CUDA GPU; --tiny checks this script on a CPU.")
        save(arguments, [])
    elif len(arguments.sections) == 1 or arguments.tiny:
        with tempfile.TemporaryDirectory() as scratch:
            ground = prepare_ground(
                Path(scratch) if arguments.tiny else arguments.out, arguments.tiny, arguments.source, arguments.shapes
            )
            for section in arguments.sections:
                RUN[section](ground)
    else:
        run_apart(arguments)


def run_apart(arguments: argparse.Namespace) -> None:
    """Run every section in a process of its own, whatever becomes of the others, and save what they found."""
    ground = prepare_ground(arguments.out, arguments.tiny, arguments.source, arguments.shapes)
    (ground.out / FIGURES).unlink(missing_ok=True)
    for section in arguments.sections:
        command = [sys.executable, "-m", "benchmarks.gpu_acceptance", "--sections", section]
        folders = ["--source", arguments.source, "--shapes", arguments.shapes, "--out", arguments.out]
        status = subprocess.run([*command, *map(str, folders)], check=False).returncode
        ground.say("done", of=section, status=status)
    save(arguments, read_figures(ground.out / FIGURES))


def save(arguments: argparse.Namespace, figures: list[dict[str, object]]) -> None:
    """Leave a result with the rows of the table, and print them."""
    rows = rows_of(figures)
    command = common.command_line("gpu_acceptance", arguments)
    common.save("gpu-acceptance", "all that runs on a CUDA GPU", command, rows, {"figures": figures})
    for row in rows:
        print(f"{row.figure}: {row.value} ({row.note})")


if __name__ == "__main__":
    main()
