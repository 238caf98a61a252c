"""Finetune with LoRA, or QLoRA on CUDA; the same as `likely train`."""

from likely.cli import main

if __name__ == "__main__":
    main("train")
