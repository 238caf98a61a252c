"""What tests make their inputs with."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.data.records import Record

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from likely.model.adapter import Lora

INSTRUCTION = "A user rated movies up to 5 stars. Will they like the candidate movie? Answer Yes or No."
ADJECTIVES = ("Silent", "Golden", "Broken", "Electric", "Hidden", "Crimson")
NOUNS = ("River", "Empire", "Garden", "Machine", "Letter", "Harbour")


def make_record(user: int, history: int, seed: int = 0) -> Record:
    """Return an invented record; those of one user with the same seed grow from the same history."""
    draw = random.Random(f"{user} {seed}")
    titles = [f"{draw.choice(ADJECTIVES)} {draw.choice(NOUNS)} ({1950 + draw.randrange(70)})" for _ in range(60)]
    ratings = [draw.randrange(1, 11) / 2 for _ in titles]
    shown = [f"- {title} | Drama | rated {rating:g}" for title, rating in zip(titles, ratings, strict=True)]
    lines = ["History, oldest first:", *shown[:history], f"Candidate: {titles[history]} | Drama"]
    return Record(
        instruction=INSTRUCTION,
        input="\n".join(lines),
        output="Yes" if ratings[history] >= 4 else "No",
        user_id=str(user),
        item_id=titles[history],
    )


def records_of(likes: Iterable[bool], user: str = "a") -> list[Record]:
    """Return records of a user, each of another item, that say no more than whether it was liked."""
    return [
        Record("Liked?", "", "Yes" if like else "No", user_id=user, item_id=f"{user}{row}")
        for row, like in enumerate(likes)
    ]


def rows_of(records: Iterable[Record]) -> list[dict[str, str | None]]:
    """Return records as rows of a file."""
    return [
        {
            "instruction": record.instruction,
            "input": record.input,
            "output": record.output,
            "user_id": record.user_id,
            "item_id": record.item_id,
        }
        for record in records
    ]


def with_drawn_adapter(base: "PreTrainedModel", lora: "Lora", spread: float) -> "PeftModel":
    """Return a base model with an adapter whose weights are drawn, so that it answers otherwise than without."""
    import torch

    from likely.model.adapter import add_adapter

    torch.manual_seed(0)
    model = add_adapter(base, lora)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=spread)
    return model


def save_drawn_run(folder: Path, base: Path | str, lora: "Lora", spread: float, **changes: object) -> Path:
    """Write the folder of a run, as far as it is asked: a drawn adapter and its configuration. Return the folder."""
    import yaml

    from likely.model.base import Precision, load_base

    with_drawn_adapter(load_base(str(base), Precision("float32", False), "sdpa"), lora, spread).save_pretrained(folder)
    values = {
        "model_name_or_path": str(base),
        "dataset": None,
        "train_file": "nowhere.json",
        "output_dir": str(folder),
        "cutoff_len": 512,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
    return folder


def sketch(name: str, spoken: str, draw: Callable[[Any], None]) -> str:
    """Draw a picture of a page, and leave out what takes matplotlib long: to lay it out and write it."""
    from matplotlib.figure import Figure

    draw(Figure().subplots())
    return f"<svg><title>{name} {spoken}</title></svg>"


def train_prepared(folder: Path, base: Path) -> None:
    """Train two steps on the records in the folder's `data`, by the command, into its `run`."""
    from likely.cli import run

    keys = {
        "model_name_or_path": base,
        "dataset": "none",
        "output_dir": folder / "run",
        "cutoff_len": 2048,
        "max_steps": 2,
        "eval_strategy": "no",
    }
    keys |= {f"{split}_file": folder / "data" / f"{split}.json" for split in ("train", "eval", "test")}
    (folder / "run.yaml").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    assert run(["train", "--config", str(folder / "run.yaml")]) == 0
