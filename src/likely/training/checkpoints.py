"""Checkpoints that are whole or not there.

A checkpoint is written beside its place, in a hidden folder, and renamed when all of it is on the disk. It holds what
transformers' Trainer resumes from, and `checkpoint.json`: size and SHA-256 of every file, and what the run was made
with. The trainer writes here; `training` asks for the newest checkpoint that is whole.
"""

import errno
import hashlib
import json
import os
import pickle
import re
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.data.task import digest_of
from likely.errors import LikelyError
from likely.files import WRITING
from likely.model.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS

if TYPE_CHECKING:
    from peft import PeftModel

NAME = re.compile(r"checkpoint-([0-9]+)")
LEFT_OVER = re.compile(rf"\.checkpoint-[0-9]+(\.going)?|{re.escape(WRITING)}.+")
ABOUT = "checkpoint.json"
STATE = "trainer_state.json"
NEEDED = (ADAPTER_WEIGHTS, ADAPTER_CONFIG, "optimizer.pt", "scheduler.pt", STATE)
FORMAT = 1

UNREADABLE = (
    *(OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError),
    *(AssertionError, struct.error, pickle.UnpicklingError),
)
"""What reading a damaged file raises: the file system, PyTorch, JSON, and pickle about values it did not expect."""

NOT_OF_FOLDERS = (errno.EINVAL, errno.EBADF, errno.ENOTSUP)
"""What fsync raises of a folder where a file system has none for folders, such as VirtualBox's shared ones."""


def checkpoint_of(output_dir: Path, step: int) -> Path:
    """Return the folder of a step's checkpoint."""
    return output_dir / f"checkpoint-{step}"


def staging_of(output_dir: Path, step: int) -> Path:
    """Return the hidden folder in which a step's checkpoint is written."""
    return output_dir / f".checkpoint-{step}"


def step_of(checkpoint: Path) -> int:
    """Return the step of a checkpoint's folder."""
    match = NAME.fullmatch(checkpoint.name)
    assert match
    return int(match[1])


def checkpoints_in(output_dir: Path) -> list[Path]:
    """Return what bears a checkpoint's name, whole or not, by step."""
    return sorted((path for path in output_dir.glob("checkpoint-*") if NAME.fullmatch(path.name)), key=step_of)


def newest_whole(output_dir: Path) -> tuple[Path | None, list[str]]:
    """Return the newest checkpoint that is whole, if any, and what is wrong with each newer one, in a line each."""
    skipped: list[str] = []
    for checkpoint in reversed(checkpoints_in(output_dir)):
        problem = what_is_wrong(checkpoint)
        if problem is None:
            return checkpoint, skipped
        skipped.append(f"{checkpoint.name} is skipped: {problem}.")
    return None, skipped


def what_is_wrong(checkpoint: Path) -> str | None:
    """Return why a checkpoint cannot be resumed from, or None if it is whole.

    All bytes are compared with what `checkpoint.json` says of them. One written by an earlier version, which has no
    such file, is loaded file by file instead.
    """
    if not checkpoint.is_dir():
        return "it is not a folder"
    missing = [name for name in NEEDED if not (checkpoint / name).is_file()]
    if missing:
        return f"{missing[0]} is missing"
    if not list(checkpoint.glob("rng_state*.pth")):
        return "rng_state.pth is missing"
    if not (checkpoint / ABOUT).exists():
        return _cannot_be_loaded(checkpoint)
    try:
        about = read_about(checkpoint)
    except UNREADABLE:
        return f"{ABOUT} is damaged"
    if about["step"] != step_of(checkpoint):
        return f"it is of step {about['step']}"
    for name, (size, digest) in about["files"].items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size or digest_of(path) != digest:
            return f"{name} is damaged"
    return None


def read_about(checkpoint: Path) -> Mapping[str, Any]:
    """Return what `checkpoint.json` says, which is nothing in a checkpoint of an earlier version.

    Raises:
        ValueError, OSError, KeyError, TypeError: it is damaged.
    """
    path = checkpoint / ABOUT
    if not path.exists():
        return {}
    written = json.loads(path.read_text(encoding="utf-8"))
    about: Mapping[str, Any] = written["about"]
    if written["sha256"] != _digest(about):
        raise ValueError("its parts do not belong together")
    return about


def save_adapter(model: "PeftModel", folder: Path) -> None:
    """Write an adapter's weights and configuration into a folder, and nothing else.

    Raises:
        OSError: they cannot be written.
    """
    # Left to itself, peft asks the hub whether a vocabulary has grown; ours never does.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink()


def publish(staging: Path, about: Mapping[str, Any]) -> Path:
    """Write `checkpoint.json` into a finished staging folder and give it its name.

    Args:
        staging: as :func:`staging_of` names it; nothing else is written to it any more.
        about: what the checkpoint was made with; plain JSON values.

    Returns:
        The checkpoint.

    Raises:
        OSError: it cannot be written.
    """
    checkpoint = staging.with_name(staging.name.removeprefix("."))
    files = {}
    for path in sorted(staging.iterdir()):
        files[path.name] = [path.stat().st_size, digest_of(path)]
        _flush(path)
    whole = {"format": FORMAT, "step": step_of(checkpoint), **about, "files": files}
    text = json.dumps({"about": whole, "sha256": _digest(whole)}, indent=1)
    (staging / ABOUT).write_text(text + "\n", encoding="utf-8")
    _flush(staging / ABOUT)
    _remove(checkpoint)  # only what is not whole can lie there: a run resumes from its newest whole one
    os.rename(staging, checkpoint)
    _flush(checkpoint.parent)
    return checkpoint


def rotate(output_dir: Path, limit: int | None, newest: int, best: int | None) -> None:
    """Remove the oldest checkpoints beyond a limit, never the newest or the best.

    What this program has not completed itself is left alone.

    Args:
        output_dir: of the run.
        limit: checkpoints kept; None for all.
        newest: step of the last one.
        best: step of the best evaluation, if any.
    """
    if limit is None:
        return
    ours = [path for path in checkpoints_in(output_dir) if step_of(path) <= newest and (path / ABOUT).is_file()]
    others = [path for path in ours if step_of(path) not in (newest, best)]
    surplus = len(ours) - max(limit, len(ours) - len(others))
    for checkpoint in others[: max(surplus, 0)]:
        _remove(checkpoint)


def clear(output_dir: Path) -> None:
    """Remove every checkpoint, whole or not."""
    for checkpoint in checkpoints_in(output_dir):
        _remove(checkpoint)
    tidy(output_dir)


def tidy(output_dir: Path) -> None:
    """Remove what a run that was killed left half written or half removed."""
    for path in output_dir.glob(".*-*"):
        if LEFT_OVER.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def saying_why(what: str, output_dir: Path) -> Iterator[None]:
    """Turn what the file system refuses while a run writes into a sentence.

    Args:
        what: is written, at the beginning of the sentence.
        output_dir: of the run.

    Raises:
        LikelyError: with the reason and, if there is one, the checkpoint to go on from.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        # PyTorch's archive writer says no more than that its file is shorter than it should be.
        if isinstance(error, RuntimeError) and not any(said in str(error) for said in ("inline_container", "iostream")):
            raise
        reason = "not all of it was taken" if isinstance(error, RuntimeError) else str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        there = next(folder for folder in (output_dir.absolute(), *output_dir.absolute().parents) if folder.exists())
        free = shutil.disk_usage(there).free / 1e6
        earlier = [path.name for path in checkpoints_in(output_dir) if (path / ABOUT).is_file()]
        then = f"make space and go on with --resume from {earlier[-1]}" if earlier else "make space and start again"
        raise LikelyError(
            f"{what} cannot be written to {output_dir} ({reason}; {free:,.1f} MB are free); {then}."
        ) from error


def _cannot_be_loaded(checkpoint: Path) -> str | None:
    """Return which file of an earlier version's checkpoint cannot be loaded, or None if all can."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers.trainer_callback import TrainerState
    from transformers.trainer_pt_utils import safe_globals

    name = ADAPTER_WEIGHTS
    try:
        load_file(checkpoint / name)
        name = ADAPTER_CONFIG
        json.loads((checkpoint / name).read_text(encoding="utf-8"))["base_model_name_or_path"]
        name = STATE
        if TrainerState.load_from_json(str(checkpoint / name)).global_step != step_of(checkpoint):
            return f"{STATE} is of another step"
        with safe_globals():
            for path in sorted(checkpoint.glob("*.pt*")):
                name = path.name
                torch.load(path, map_location="cpu", weights_only=True)
    except (*UNREADABLE, SafetensorError):
        return f"{name} is damaged"
    return None


def _digest(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; some file systems do the latter for files alone."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not path.is_dir() or error.errno not in NOT_OF_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def _remove(checkpoint: Path) -> None:
    """Remove a checkpoint, or whatever bears its name, so that no half of it is left under that name."""
    if checkpoint.is_symlink() or checkpoint.is_file():
        checkpoint.unlink()
    elif checkpoint.exists():
        going = checkpoint.with_name(f".{checkpoint.name}.going")
        shutil.rmtree(going, ignore_errors=True)
        os.rename(checkpoint, going)
        shutil.rmtree(going, ignore_errors=True)
