"""Compare the base model with a finetuned adapter; the same as `likely infer`."""

from likely.cli import main

ADAPTER_DIR = "output/qwen3-movielens-qlora"

if __name__ == "__main__":
    main("infer", "--adapter-dir", ADAPTER_DIR)
