"""Kills a small training at many moments, lets it go on each time, and compares its end with an uninterrupted one.

A story is one run that is killed (SIGKILL) several times and goes on with `resume` after each. Some kills come at a
random time; the others are aimed into the writing of a checkpoint, by watching for the folder it is written in. The
training runs in forks of this process, so that a life costs a second and not the imports.

    PYTHONPATH=tests python -m torture.kills --kills 60 --aimed 20
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file

from likely.config.run_config import RunConfig
from likely.data.records import write_records
from likely.evaluation.metrics import answer_metrics
from likely.files import WRITING
from likely.model.runtime import ready_process
from likely.sources.tiny_model import TinyShape, make_tiny_base
from likely.training import callbacks, trainer  # noqa: F401  (loaded before the forks, not in each of them)
from likely.training.checkpoints import checkpoints_in, newest_whole, step_of
from likely.training.run import train
from support import make_record, rows_of

KILLS_A_STORY = 5
HIDDEN = (".checkpoint-", WRITING)
TOLERANCE = 1e-6
MOMENT = 0.0005
"""Seconds between two looks at a run, which needs the processor more than who watches it."""


@dataclass
class Tally:
    """What happened so far."""

    kills: Counter[str] = field(default_factory=Counter)
    stories: int = 0
    lost: list[str] = field(default_factory=list)
    difference: float = 0.0


def main() -> int:
    """Run stories until enough kills have hit, print what happened, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=60, help="kills altogether")
    parser.add_argument("--aimed", type=int, default=20, help="of these, in the writing of a checkpoint")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ready_process()
    torch.set_num_threads(1)  # a fork has no other threads than the one that forked
    started = time.monotonic()
    draw, tally = random.Random(options.seed), Tally()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = make_inputs(folder)
        whole, seconds, writing = undisturbed(config)
        while tally.kills.total() < options.kills or tally.kills["writing"] < options.aimed:
            story = config.model_copy(update={"output_dir": str(folder / f"story-{tally.stories}")})
            tell_story(story, draw, tally, options, seconds, writing)
            compare(Path(story.output_dir), whole, tally)
            tally.stories += 1
    print(
        json.dumps(
            {
                "kills": tally.kills.total(),
                "in the writing of a checkpoint": tally.kills["writing"],
                "in the writing of the adapter": tally.kills["finishing"],
                "runs": tally.stories,
                "lost": len(tally.lost),
                "largest difference of a weight": tally.difference,
                "seconds": round(time.monotonic() - started),
            },
            indent=2,
        )
    )
    print(*tally.lost, sep="\n")
    return 1 if tally.lost else 0


def make_inputs(folder: Path) -> RunConfig:
    """Write records and a tiny base model, and return the configuration of a run of 15 steps with dropout."""
    records = [make_record(user, history) for user in range(8) for history in range(3, 8)]
    write_records(folder / "data.json", rows_of(records))
    prompts = [f"<|im_start|>user\n{r.instruction}\n{r.input}<|im_end|>\n<|im_start|>assistant\n" for r in records]
    base = make_tiny_base(folder / "base", prompts, TinyShape(vocabulary=600, hidden=64, layers=2, steps=0))
    return RunConfig(
        model_name_or_path=str(base),
        dataset=None,
        train_file=str(folder / "data.json"),
        eval_file=str(folder / "data.json"),
        output_dir=str(folder / "whole"),
        cutoff_len=512,
        num_train_epochs=3,
        gradient_accumulation_steps=4,
        learning_rate=5e-3,
        eval_steps=3,
        save_steps=3,
        logging_steps=1,
        lora_rank=4,
        early_stopping_patience=None,
        metric_for_best_model="eval_loss",
    )


def live(config: RunConfig, resume: bool) -> int:
    """Train in a fork of this process and return its process id; it exits with 0, or 1 and a traceback."""
    process = os.fork()
    if process:
        return process
    log = os.open(Path(config.output_dir).with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 1
    try:
        train(config, answer_metrics, resume=resume)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def undisturbed(config: RunConfig) -> tuple[Path, float, float]:
    """Train without a kill; return the folder, the seconds it took, and those that a checkpoint takes to write."""
    folder, started = Path(config.output_dir), time.monotonic()
    process, writing, seen = live(config, resume=False), 0.0, 0
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if stages(folder):
            since = time.monotonic()
            while stages(folder):
                time.sleep(MOMENT)
            writing, seen = writing + time.monotonic() - since, seen + 1
        time.sleep(MOMENT)
    assert (folder / "metrics.json").is_file(), folder.with_suffix(".log").read_text()
    return folder, time.monotonic() - started, writing / max(seen, 1)


def tell_story(
    config: RunConfig, draw: random.Random, tally: Tally, goal: argparse.Namespace, seconds: float, writing: float
) -> None:
    """Kill a run several times, and let it end."""
    folder = Path(config.output_dir)
    for _ in range(min(KILLS_A_STORY, goal.kills)):
        before = newest(folder)
        process = live(config, resume=before > 0)
        ended, patience = None, draw.uniform(0, seconds)
        if tally.kills["writing"] < goal.aimed:
            ended, patience = wait_for_writing(process, folder, draw.randint(1, 6)), draw.uniform(0, writing)
        if ended is None:
            ended = wait(process, patience)
        if ended is not None:
            note_end(ended, folder, tally)
            return
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        tally.kills[where(folder)] += 1
        if newest(folder) < before:
            tally.lost.append(f"{folder.name}: checkpoint-{before} is gone")
    note_end(wait(live(config, resume=newest(folder) > 0), 600), folder, tally)


def wait(process: int, seconds: float) -> int | None:
    """Wait for the end of a process, and return its exit status; None if it has not ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(MOMENT)
    return None


def wait_for_writing(process: int, folder: Path, checkpoint: int) -> int | None:
    """Wait until a process writes its n-th checkpoint, or its adapter, and return its exit status if it ends before."""
    for _ in range(checkpoint):
        while stages(folder):
            time.sleep(MOMENT)
        while not stages(folder):
            ended = wait(process, 0.001)
            if ended is not None:
                return ended
    return None


def stages(folder: Path) -> list[str]:
    """Return the hidden folders in which a checkpoint or the adapter is being written."""
    return [name for name in os.listdir(folder) if name.startswith(HIDDEN)] if folder.is_dir() else []


def where(folder: Path) -> str:
    """Return what a killed run was at."""
    hidden = stages(folder)
    if any(name.startswith(WRITING) for name in hidden):
        return "finishing"
    return "writing" if hidden else "elsewhere"


def newest(folder: Path) -> int:
    """Return the step of the newest whole checkpoint, or 0; nothing that is not whole may bear a checkpoint's name."""
    found, skipped = newest_whole(folder) if folder.is_dir() else (None, [])
    assert not skipped, skipped
    assert found is not None or not folder.is_dir() or not checkpoints_in(folder)
    return step_of(found) if found else 0


def note_end(status: int | None, folder: Path, tally: Tally) -> None:
    """Count a run that did not end well as lost."""
    if status != 0:
        tally.lost.append(f"{folder.name}: ended with {status}: {folder.with_suffix('.log').read_text()[-2000:]}")


def compare(folder: Path, whole: Path, tally: Tally) -> None:
    """Compare the adapter and the evaluations of a run with those of the undisturbed one."""
    if not (folder / "metrics.json").is_file():
        return
    one, other = (load_file(path / "adapter_model.safetensors") for path in (folder, whole))
    difference = max(float((one[name] - other[name]).abs().max()) for name in other)
    tally.difference = max(tally.difference, difference)
    figures = [json.loads((path / "metrics.json").read_text()) for path in (folder, whole)]
    evaluations = [
        [(entry["step"], entry["eval_loss"], entry["eval_auc"]) for entry in run["log"] if "eval_loss" in entry]
        for run in figures
    ]
    if difference > TOLERANCE or evaluations[0] != evaluations[1] or figures[0]["best_step"] != figures[1]["best_step"]:
        tally.lost.append(f"{folder.name}: differs by {difference}, {evaluations}")


if __name__ == "__main__":
    sys.exit(main())
