"""The shipped configurations under the memory of the cards that they are for, by the commands that a user types."""

import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    """Train each preset under its cap, all at the same time, and ask the first and the last of the runs."""
    if not ground.on_gpu:
        ground.say("memory", card_gib=None, preset=CARDS[0][1], status=run(training(ground, *CARDS[0])))
        return
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    asked: list[tuple[float, list[str], dict[str, object]]] = []
    for gib, preset in CARDS:
        if gib > total + CUDA_GIB:
            ground.say("memory", card_gib=gib, preset=preset, left_out=f"this GPU has {total:.0f} GiB")
        else:
            share = min((gib - CUDA_GIB) / total, 1.0)
            asked.append((share, training(ground, gib, preset), {"card_gib": gib, "preset": preset}))
    verbs: list[tuple[float, list[str], dict[str, object]]] = []
    for verb, card in (("evaluate", CARDS[0]), ("infer", CARDS[-1])):
        verbs.append((1.0, [verb, "--run", str(run_folder(ground, *card)), "--max-samples", "200"], {"verb": verb}))
    for batch in (asked, verbs):
        with ThreadPoolExecutor(len(CARDS)) as threads:
            list(threads.map(lambda one: say_peak(ground, *one), batch))


def run_folder(ground: Ground, gib: int, preset: str) -> Path:
    return ground.out / f"run-{preset}-{gib}"


def training(ground: Ground, gib: int, preset: str) -> list[str]:
    """Return the words of a short training."""
    data, steps = ground.data, ground.size(40, 1)
    keys = {
        "model_name_or_path": ground.base,
        "dataset": "none",
        "train_file": data / "train.json",
        "eval_file": data / "eval.json",
        "test_file": data / "eval.json",
        "output_dir": run_folder(ground, gib, preset),
        "overwrite_output_dir": "true",
        "max_samples": ground.size(3000, 16),
        "max_eval_samples": ground.size(300, 8),
        "max_steps": steps,
        "eval_steps": max(steps // 2, 1),
    }
    return ["train", "--config", preset, *(f"{key}={value}" for key, value in keys.items())]


def say_peak(ground: Ground, share: float, words: list[str], about: dict[str, object]) -> None:
    """Run a command that may take so much of the memory, and say what it took."""
    command = [sys.executable, "-m", "benchmarks.gpu_acceptance.capped", str(share), *words]
    threads = str(max((os.cpu_count() or 1) // len(CARDS), 1))
    began = time.monotonic()
    most = None if ground.ends == math.inf else max(ground.ends - began, 1)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=most,
            env={**os.environ, "OMP_NUM_THREADS": threads},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        said = f"{late.stdout or ''}{late.stderr or ''}"
        ground.say("memory", **about, left_out=f"not done after {most:.0f} s", tail=said[-1500:])
        return
    seconds = round(time.monotonic() - began)
    if done.returncode:
        ground.say("memory", **about, status=done.returncode, tail=(done.stdout + done.stderr)[-1500:])
        return
    allocated, reserved = json.loads(done.stdout.splitlines()[-1])
    layout = [line.strip() for line in done.stdout.splitlines() if line.startswith("Layout")]
    ground.say(
        "memory", **about, status=0, allocated_gib=allocated, reserved_gib=reserved, seconds=seconds, layout=layout
    )
