"""Which files a run reads and what their columns are called: LLaMA-Factory's `dataset_info.json`.

Names come from the configuration; paths and columns go to `records`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass

from likely.errors import LikelyError, did_you_mean
from likely.files import read_json

PREPARE = "likely prepare --dataset ml-latest-small"
"""What makes the data that the configurations name."""

REGISTRY = "dataset_info.json"
REMEDY = f"set dataset_dir to its folder, or set train_file and eval_file, or make it with: {PREPARE}"


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Columns:
    """What a file calls its columns; names as in LLaMA-Factory's `dataset_info.json`.

    `formatting` is `alpaca` (prompt, query, response, system, history), or `sharegpt` or `openai`, where
    `messages` names the list of turns and the tags say how a turn is written. `label_map` says what answers mean that
    are no label; it comes from the configuration.
    """

    formatting: Literal["alpaca", "sharegpt", "openai"] = "alpaca"
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
    label_map: Mapping[str, str] = field(default_factory=dict, repr=False)


OPENAI = Columns(
    "openai", messages="messages", role_tag="role", content_tag="content", user_tag="user", assistant_tag="assistant"
)
"""What OpenAI calls its columns."""

PASSED_OVER = ("tools", "observation_tag", "function_tag")
"""Columns and tags of LLaMA-Factory's that do not matter to records with an answer of one word."""

NOT_POSSIBLE = {
    **dict.fromkeys(("images", "videos", "audios"), "only text can be asked about"),
    **dict.fromkeys(("chosen", "rejected", "kto_tag"), "only records with an answer can be learnt from"),
}


@dataclass(frozen=True)
class DataFiles:
    """Where the records of a run are and how their columns are named."""

    train: Path | None
    eval: Path | None
    test: Path | None
    columns: Columns


class _Entry(BaseModel):
    """What the registry says of one data set; other keys of LLaMA-Factory's are passed over."""

    file_name: str
    file_name_eval: str | None = None
    file_name_test: str | None = None
    formatting: str = "alpaca"
    ranking: bool = False
    num_samples: Any = None
    columns: dict[str, str | None] | None = None
    tags: dict[str, str | None] | None = None

    @model_validator(mode="after")
    def _can_be_read(self) -> "_Entry":
        for key in (self.columns or {}).keys() & NOT_POSSIBLE:
            raise ValueError(f"{key} is not possible here: {NOT_POSSIBLE[key]}; choose another data set")
        if self.num_samples is not None:
            raise ValueError("num_samples is not possible here; take it out, and set max_samples in the configuration")
        if self.ranking:
            raise ValueError(f"ranking is not possible here: {NOT_POSSIBLE['chosen']}; choose another data set")
        return self

    def named(self) -> Columns:
        """Return the columns with the names that the entry gives them.

        Raises:
            ValidationError: one of them is no name, or is unknown.
        """
        given = {**(self.columns or {}), **(self.tags or {})}
        names = {key: name for key, name in given.items() if name is not None and key not in PASSED_OVER}
        own = vars(OPENAI) if self.formatting == "openai" else {"formatting": self.formatting}
        return TypeAdapter(Columns).validate_python({**own, **names})


def find_data(
    dataset_dir: str | Path,
    dataset: str | None,
    train_file: str | None = None,
    eval_file: str | None = None,
    test_file: str | None = None,
) -> DataFiles:
    """Find the files of a data set by its name in `dataset_info.json`, or as the configuration names them.

    Where there is no `dataset_info.json`, a folder of that name with `train.json`, as `likely prepare` writes it, is a
    data set too. `train.parquet` takes the place of a `train.json` that is not there.

    Args:
        dataset_dir: folder with `dataset_info.json`.
        dataset: name in it; where a training file is given, only its columns count, if the registry has it.
        train_file: path that wins over the registry, likewise `eval_file` and `test_file`.

    Raises:
        LikelyError: the registry or a file is missing or wrong.
    """
    named: Sequence[Path | None] = (None, None, None)
    columns = Columns()
    if dataset and not train_file:
        named, columns = _named_files(Path(dataset_dir), dataset)
    elif dataset and dataset in (entries := _entries(Path(dataset_dir))):
        columns = _entry_of(entries, dataset, Path(dataset_dir))[1]
    given = (train_file, eval_file, test_file)
    train, evaluation, test = (Path(own) if own else other for own, other in zip(given, named, strict=True))
    train, evaluation, test = (_in_either_format(path) for path in (train, evaluation, test))
    for path in (train, evaluation):
        if path is not None and not path.is_file():
            raise LikelyError(f"The data file {path} does not exist; correct its path, or make it with: {PREPARE}")
    return DataFiles(train, evaluation, test, columns)


def _in_either_format(path: Path | None) -> Any:
    """Return a file, or where it is a JSON file that is not there its namesake in Parquet, if that is."""
    other = path.with_suffix(".parquet") if path and path.suffix == ".json" else None
    return other if path and other and not path.exists() and other.is_file() else path


def _named_files(folder: Path, dataset: str) -> tuple[Sequence[Path | None], Columns]:
    """Return the three files of a data set and their columns."""
    registry = folder / REGISTRY
    train, evaluation, test = (folder / dataset / f"{split}.json" for split in ("train", "eval", "test"))
    prepared = (train, evaluation, test if _in_either_format(test).is_file() else None), Columns()
    is_prepared = _in_either_format(train).is_file()
    if is_prepared and not registry.exists():
        return prepared
    if not registry.exists():
        raise LikelyError(f"Neither {train} nor {registry} exists; {REMEDY}")
    entries = _entries(folder)
    if dataset not in entries:
        if is_prepared:
            return prepared
        hint = did_you_mean(dataset, entries) or f"it has {', '.join(entries) or 'none'}."
        raise LikelyError(f"{registry} has no data set {dataset!r}; {hint}")
    entry, columns = _entry_of(entries, dataset, folder)
    files = (entry.file_name, entry.file_name_eval, entry.file_name_test)
    return [folder / name if name else None for name in files], columns


def _entries(folder: Path) -> dict[str, Any]:
    """Return what the registry in a folder has, nothing where there is none."""
    registry = folder / REGISTRY
    entries = read_json(registry, REMEDY) if registry.exists() else {}
    if not isinstance(entries, dict):
        raise LikelyError(f"{registry} has to be an object; write one with an object for each data set.")
    return entries


def _entry_of(entries: Mapping[str, Any], dataset: str, folder: Path) -> tuple[_Entry, Columns]:
    """Return what the registry says of a data set, and its columns."""
    try:
        entry = _Entry.model_validate(entries[dataset])
        return entry, entry.named()
    except ValidationError as error:
        raise LikelyError(f"{folder / REGISTRY}, data set {dataset!r}: {_explain(error.errors()[0])}") from None


def _explain(problem: Any) -> str:
    """Turn one of pydantic's errors into words."""
    key = ".".join(map(str, problem["loc"])) or "it"
    if problem["type"] == "missing":
        return f"{key} is missing; name its training file, which has to lie in this folder or below it."
    if problem["type"] == "value_error":
        return f"{problem['ctx']['error']}."
    if problem["type"] == "unexpected_keyword_argument":
        names = [name for name in Columns.__dataclass_fields__ if name not in ("formatting", "label_map")]
        hint = did_you_mean(key, names) or f"there are {', '.join(names)}."
        return f"no column or tag is called {key!r} here; {hint}"
    return f"{key} is {problem['input']!r}; write what it should be ({problem['msg'].lower()})."
