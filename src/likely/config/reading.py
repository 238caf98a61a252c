"""Configurations on disk: a YAML file and `key=value` overrides in, a checked :class:`RunConfig` out."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from likely.config.run_config import RunConfig
from likely.config.spellings import canonical
from likely.errors import LikelyError


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a YAML file and put overrides over it.

    Args:
        path: the YAML file; paths inside it are relative to the working directory.
        overrides: `key=value`, the value written as in YAML.

    Raises:
        LikelyError: all that is wrong with keys and values, in one sentence.
    """
    fields = RunConfig.model_fields
    values = canonical(_read_yaml(path), fields, str(path))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise LikelyError(f"The override {override!r} is not of the form key=value, as in learning_rate=1e-4.")
        where = f"he override {override!r}"
        values.update(canonical({key.strip(): _parse(text, f"T{where}")}, fields, f"t{where}"))
    try:
        return RunConfig(**values)
    except ValidationError as error:
        raise LikelyError(f"{path}: " + "; ".join(_explain(problem) for problem in error.errors()) + ".") from None


def dump_config(config: RunConfig) -> str:
    """Return the YAML text of a configuration; :func:`load_config` reads it back equal."""
    values = config.model_dump()
    values["lora_target"] = ",".join(config.lora_target)
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LikelyError(f"The configuration {path} does not exist; those of finetune/configs/ do.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LikelyError(f"The configuration {path} cannot be read as text ({error}); give a YAML file.") from error
    values = _parse(text, str(path))
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        found = "nothing" if values is None else f"a {type(values).__name__}"
        raise LikelyError(f"{path} holds {found} where keys and values should be; write lines such as seed: 42.")
    return values


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or "not readable"
        if "\\t" in problem:
            problem = "a tab where spaces should be"
        raise LikelyError(f"{where} is not YAML: line {line}: {problem}; fix that line.") from error
    except yaml.YAMLError as error:
        raise LikelyError(f"{where} is not YAML text; give keys and values.") from error


def _explain(problem: Any) -> str:
    """Turn one of pydantic's errors into words."""
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    key, value = str(problem["loc"][0]), problem["input"]
    context = problem.get("ctx", {})
    if problem["type"] == "missing":
        return f"{key} is missing"
    if problem["type"] == "literal_error":
        return f"{key}: {value} is unknown{_nearest(key, value)}"
    if problem["type"] in ("int_parsing", "int_type", "int_from_float"):
        return f"{key}: {value!r} is not a whole number"
    if problem["type"] in ("float_parsing", "float_type"):
        return f"{key}: {value!r} is not a number"
    if problem["type"] in ("bool_parsing", "bool_type"):
        return f"{key}: {value!r} is neither true nor false"
    if problem["type"] == "string_type" and isinstance(value, bool):
        return f"{key}: YAML reads that word as {str(value).lower()}; put it in double quotes"
    limits = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for name, words in limits.items():
        if name in context:
            why = "; no question fits into fewer tokens" if key == "cutoff_len" else ""
            return f"{key}: {value} has to be {words} {context[name]}{why}"
    return f"{key}: {value!r} is not allowed ({problem['msg'].lower()})"


def _nearest(key: str, value: Any) -> str:
    annotation = RunConfig.model_fields[key].annotation
    choices = [str(choice) for choice in get_args(annotation) if isinstance(choice, str | int)] or ["4 or none"]
    near = difflib.get_close_matches(str(value), choices, 1, cutoff=0.4)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{hint}; it can be {', '.join(choices)}"
