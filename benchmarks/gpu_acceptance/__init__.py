"""Acceptance of all that runs on a CUDA GPU: exactness, speed, memory, a profile, and TRL on the same records.

    python -m benchmarks.gpu_acceptance --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL
        --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER [--sections env exact speed memory profile trl]
        [--out output/gpu-acceptance]
    python -m benchmarks.gpu_acceptance --tiny

Random weights in the shapes of the folder stand in for real ones. Every section runs in a process of its own and
writes each of its figures to OUT/results.jsonl at once, so that a section that fails, or a machine that is taken away,
costs no other figure. At the end the rows of docs/speed.md go to results/. Without a GPU, --tiny runs every section in
tiny shapes on the CPU, which checks this script and nothing else. trl, datasets and bitsandbytes may be missing; what
needs them is then left out, and a line says so.
"""

import argparse
from pathlib import Path

SECTIONS = ("env", "exact", "speed", "memory", "profile", "trl")


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="folder or zip of MovieLens latest-small")
    parser.add_argument("--shapes", type=Path, help="folder with config.json and tokenizer, as of Qwen3-0.6B")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--out", type=Path, default=Path("output/gpu-acceptance"), help="where figures and traces go")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes and invented ratings, also on a CPU")
    return parser
