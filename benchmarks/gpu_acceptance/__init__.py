"""Acceptance of all that runs on a CUDA GPU: exactness, speed, memory, a profile, and TRL on the same records.

    python -m benchmarks.gpu_acceptance --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL
        --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER [--sections env speed trl profile exact memory] [--together]
        [--minutes M] [--out output/gpu-acceptance]
    python -m benchmarks.gpu_acceptance --tiny

Random weights in the shapes of the folder stand in for real ones. Each figure is written to OUT/results.jsonl at once,
so that a section that fails, or a machine that is taken away, costs no other figure. Sections share a process, as its
imports take seconds; where one kills it, those after it get another. What is measured comes in the order of its worth,
and with --minutes a section that has used up its share says what it leaves out. env, speed, trl and profile need the
GPU for themselves; exact and memory do not, and --together runs them side by side. A further command adds to OUT what
the ones before it found, and does without --source where OUT/data holds the records.

At the end the rows of docs/speed.md go to results/. Without a GPU, --tiny runs every section in tiny shapes on the CPU,
which checks this script and nothing else. trl, datasets and bitsandbytes may be missing; what needs them is then left
out, and a line says so.
"""

import argparse
from pathlib import Path

SHARES = {"env": 1, "speed": 12, "trl": 4, "profile": 3, "exact": 6, "memory": 6}
"""Sections in their order, and for how much of the time each one asks."""

SECTIONS = tuple(SHARES)
FIGURES = "results.jsonl"


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="folder or zip of MovieLens latest-small")
    parser.add_argument("--shapes", type=Path, help="folder with config.json and tokenizer, as of Qwen3-0.6B")
    parser.add_argument("--sections", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--together", action="store_true", help="the sections side by side, a process each")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="for all of them, imports included")
    parser.add_argument("--out", type=Path, default=Path("output/gpu-acceptance"), help="where figures and traces go")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes and invented ratings, also on a CPU")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in this process: what main starts
    return parser
