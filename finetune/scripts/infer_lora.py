"""Compare the base model with a finetuned adapter; the same as `likely infer`."""

import sys

from likely.cli import run

ADAPTER_DIR = "output/qwen3-movielens-qlora"

if __name__ == "__main__":
    sys.exit(run(["infer", "--adapter-dir", ADAPTER_DIR, *sys.argv[1:]]))
