"""The shipped configurations under the memory of the cards that they are for, by the commands that a user types."""

import json
import subprocess
import sys
import time

import torch

from benchmarks.gpu_acceptance.ground import Ground
from likely.cli import run

CUDA_GIB = 0.6
"""What CUDA itself takes of a card."""

CARDS = (
    (8, "qwen3_movielens_8gb"),
    (16, "qwen3_movielens_qlora"),
    (16, "qwen3_movielens_16gb"),
    (15, "qwen3_movielens_16gb"),
    (24, "qwen3_movielens_24gb"),
)
"""GiB of a card and the preset that is to run on it; a T4 has 15."""


def memory(ground: Ground) -> None:
    """Train each preset under its cap, and ask the last of the runs."""
    if not ground.on_gpu:
        ground.say("memory", card_gib=None, preset=CARDS[0][1], status=run(training(ground, CARDS[0][1])))
        return
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    for gib, preset in CARDS:
        if gib > total + CUDA_GIB:
            ground.say("memory", card_gib=gib, preset=preset, left_out=f"this GPU has {total:.0f} GiB")
        else:
            say_peak(ground, min((gib - CUDA_GIB) / total, 1.0), training(ground, preset), card_gib=gib, preset=preset)
    folder = str(ground.out / f"run-{CARDS[0][1]}")
    for verb in ("infer", "evaluate"):
        say_peak(ground, 1.0, [verb, "--adapter-dir", folder, "--max-samples", "200"], verb=verb)


def training(ground: Ground, preset: str) -> list[str]:
    """Return the words of a short training."""
    data, steps = ground.data, ground.size(40, 1)
    keys = {
        "model_name_or_path": ground.base,
        "dataset": "none",
        "train_file": data / "train.json",
        "eval_file": data / "eval.json",
        "test_file": data / "eval.json",
        "output_dir": ground.out / f"run-{preset}",
        "overwrite_output_dir": "true",
        "max_samples": ground.size(3000, 16),
        "max_eval_samples": ground.size(500, 8),
        "max_steps": steps,
        "eval_steps": max(steps // 2, 1),
    }
    return ["train", "--config", preset, *(f"{key}={value}" for key, value in keys.items())]


def say_peak(ground: Ground, share: float, words: list[str], **about: object) -> None:
    """Run a command that may take so much of the memory, and say what it took."""
    command = [sys.executable, "-m", "benchmarks.gpu_acceptance.capped", str(share), *words]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = round(time.perf_counter() - started)
    if done.returncode:
        ground.say("memory", **about, status=done.returncode, tail=(done.stdout + done.stderr)[-1500:])
        return
    allocated, reserved = json.loads(done.stdout.splitlines()[-1])
    ground.say("memory", **about, status=0, allocated_gib=allocated, reserved_gib=reserved, seconds=seconds)
