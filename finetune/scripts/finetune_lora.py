"""Finetune with LoRA, or QLoRA on CUDA; the same as `likely train`."""

import sys

from likely.cli import run

if __name__ == "__main__":
    sys.exit(run(["train", *sys.argv[1:]]))
