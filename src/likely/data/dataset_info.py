"""Which files a run reads and what their columns are called: LLaMA-Factory's `dataset_info.json`.

Names come from the configuration; paths and columns go to `records`.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from likely.errors import LikelyError

PREPARE = "python finetune/scripts/prepare_movielens.py --dataset ml-latest-small"
"""What makes the data that the configurations name."""

_COLUMN_NAMES = ("prompt", "query", "response", "system", "history", "messages")
_TAG_NAMES = ("role_tag", "content_tag", "user_tag", "assistant_tag", "system_tag")


@dataclass(frozen=True)
class Columns:
    """What a file calls its columns; names as in LLaMA-Factory's `dataset_info.json`.

    `formatting` is `alpaca` (prompt, query, response, system, history) or `sharegpt`, where
    `messages` names the list of turns and the tags say how a turn is written.
    """

    formatting: str = "alpaca"
    prompt: str = "instruction"
    query: str = "input"
    response: str = "output"
    system: str = "system"
    history: str = "history"
    messages: str = "conversations"
    role_tag: str = "from"
    content_tag: str = "value"
    user_tag: str = "human"
    assistant_tag: str = "gpt"
    system_tag: str = "system"


@dataclass(frozen=True)
class DataFiles:
    """Where the records of a run are and how their columns are named."""

    train: Path | None
    eval: Path | None
    test: Path | None
    columns: Columns


def find_data(
    dataset_dir: str | Path,
    dataset: str | None,
    train_file: str | None = None,
    eval_file: str | None = None,
    test_file: str | None = None,
) -> DataFiles:
    """Find the files of a data set by its name in `dataset_info.json`, or as the configuration names them.

    Args:
        dataset_dir: folder with `dataset_info.json`.
        dataset: name in it; read only as far as the three files are not given.
        train_file: path that wins over the registry, likewise `eval_file` and `test_file`.

    Raises:
        LikelyError: the registry or a file is missing or wrong.
    """
    given = [Path(name) if name else None for name in (train_file, eval_file, test_file)]
    columns = Columns()
    if dataset and not given[0]:
        entry = _registry_entry(Path(dataset_dir) / "dataset_info.json", dataset)
        columns = _columns_of(entry, f"{dataset} in {Path(dataset_dir) / 'dataset_info.json'}")
        for place, key in enumerate(("file_name", "file_name_eval", "file_name_test")):
            if given[place] is None and isinstance(entry.get(key), str):
                given[place] = Path(dataset_dir) / entry[key]
    for path in given[:2]:
        if path is not None and not path.is_file():
            raise LikelyError(f"The data file {path} does not exist; make it with: {PREPARE}")
    return DataFiles(given[0], given[1], given[2], columns)


def _registry_entry(path: Path, dataset: str) -> Mapping[str, Any]:
    try:
        registry = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LikelyError(f"{path} does not exist; set dataset_dir, or train_file and eval_file.") from None
    except ValueError as error:
        raise LikelyError(f"{path} is not JSON ({error}); fix it.") from error
    if not isinstance(registry, dict) or not all(isinstance(entry, dict) for entry in registry.values()):
        raise LikelyError(f"{path} has to be an object with an object for each data set; fix it.")
    if dataset not in registry:
        near = difflib.get_close_matches(dataset, registry, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(registry) or 'none'}."
        raise LikelyError(f"{path} has no data set {dataset!r}; {hint}")
    entry: Mapping[str, Any] = registry[dataset]
    if not isinstance(entry.get("file_name"), str):
        raise LikelyError(f"{path}, data set {dataset!r}: file_name is missing; name its training file.")
    return entry


def _columns_of(entry: Mapping[str, Any], where: str) -> Columns:
    formatting = entry.get("formatting", "alpaca")
    if formatting not in ("alpaca", "sharegpt"):
        raise LikelyError(f"The formatting of {where} is {formatting!r}; it can be alpaca or sharegpt.")
    names: dict[str, str] = {}
    for section, allowed in (("columns", _COLUMN_NAMES), ("tags", _TAG_NAMES)):
        given = entry.get(section, {})
        unknown = [key for key in given if key not in allowed]
        if unknown:
            raise LikelyError(f"{section} of {where} has {unknown[0]!r}; it can have {_list(allowed)}.")
        names.update(given)
    return Columns(formatting=formatting, **names)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
