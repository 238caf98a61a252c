"""Configurations as text: a YAML file or a preset and `key=value` overrides in, a checked :class:`RunConfig` out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from likely.config.presets import PRESETS
from likely.config.run_config import RunConfig
from likely.config.spellings import canonical, check_precision
from likely.errors import LikelyError, did_you_mean
from likely.files import read_text


def load_config(config: Path | str, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a YAML file or a preset and put overrides over it.

    Args:
        config: a preset's name, or else the path of a YAML file; paths inside it are relative to the working directory.
        overrides: `key=value`.

    Raises:
        LikelyError: all that is wrong with keys and values, in one sentence.
    """
    fields = RunConfig.model_fields
    preset = PRESETS.get(str(config))
    said: dict[str, Any] = {} if preset else _read_config(Path(config))
    values = dict(preset.values) if preset else canonical(said, fields, str(config))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise LikelyError(f"The override {override!r} is not of the form key=value, as in learning_rate=1e-4.")
        where = f"The override {override!r}"
        one = {key.strip(): _override_value(text.strip(), where)}
        values.update(canonical(one, fields, where))
        said = said | one
    check_precision(said, str(values.get("dtype", "auto")), str(config))
    try:
        return RunConfig(**values)
    except ValidationError as error:
        raise LikelyError(
            f"{config}: " + "; ".join(explain(problem, RunConfig) for problem in error.errors()) + "."
        ) from None


def dump_config(config: RunConfig) -> str:
    """Return the YAML text of a configuration; :func:`load_config` reads it back equal."""
    values = config.model_dump()
    values["lora_target"] = ",".join(config.lora_target)
    values["report_to"] = ",".join(config.report_to) or "none"
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _read_config(path: Path) -> dict[str, Any]:
    if not path.exists():
        hint = did_you_mean(path.stem, PRESETS) or f"give a YAML file or one of {', '.join(PRESETS)}."
        raise LikelyError(f"The configuration {path} does not exist; {hint}")
    return read_yaml(path)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read keys and values, the latter as text or lists of text.

    Raises:
        LikelyError: the file cannot be read, or holds something else.
    """
    values = _parse(read_text(path, "give a YAML file."), str(path))
    if not isinstance(values, dict):
        found = f"a {type(values).__name__}" if values else "nothing"
        raise LikelyError(f"{path} holds {found} where keys and values should be; write lines such as seed: 42.")
    return values


def _override_value(text: str, where: str) -> Any:
    """Return the text of an override as it stands; a list, a mapping, or what is in quotes, as YAML reads it."""
    return _parse(text, where) if text.startswith(("[", "{", "'", '"')) else text


class _Words(yaml.BaseLoader):
    """Takes every value for text: what a word means is up to the key's type, not to YAML."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; a key that is there twice, of which YAML's reader would take the last, is refused."""
        seen = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def _parse(text: str, where: str) -> Any:
    """Parse YAML with every value as text."""
    try:
        return yaml.load(text, Loader=_Words)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or "not readable"
        if "\\t" in problem:
            problem = "a tab where spaces should be"
        raise LikelyError(f"{where} is not YAML: line {line}: {problem}; fix that line.") from error
    except yaml.YAMLError as error:
        raise LikelyError(f"{where} is not YAML text; give keys and values.") from error
    except RecursionError as error:
        raise LikelyError(f"{where} is nested too deeply; give keys and values.") from error


def explain(problem: Any, model: type[BaseModel]) -> str:
    """Turn one of pydantic's errors about the keys of a model into words."""
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    key, value = str(problem["loc"][0]), problem["input"]
    context = problem.get("ctx", {})
    if problem["type"] == "missing":
        return f"{key} is missing"
    if problem["type"] == "literal_error":
        return f"{key}: {value} is unknown{_nearest(model.model_fields[key].annotation, value)}"
    if problem["type"] in ("int_parsing", "int_type", "int_from_float"):
        return f"{key}: {value!r} is not a whole number"
    if problem["type"] in ("float_parsing", "float_type", "finite_number"):
        return f"{key}: {value!r} is not a number"
    if problem["type"] in ("bool_parsing", "bool_type"):
        return f"{key}: {value!r} is neither true nor false"
    if problem["type"] == "value_error":
        return f"{key}: {value!r} is not allowed ({context['error']})"
    if key == "label_map":
        return f"{key}: {value!r} says nothing; write what answers mean, as in " + '{"1": Yes, "0": No}'
    limits = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for name, words in limits.items():
        if name in context:
            why = "; no question fits into fewer tokens" if key == "cutoff_len" else ""
            return f"{key}: {value} has to be {words} {context[name]}{why}"
    return f"{key}: {value!r} is not allowed ({problem['msg'].lower()})"


def _nearest(annotation: Any, value: Any) -> str:
    if get_origin(annotation) is tuple:  # a list of such words
        annotation = get_args(annotation)[0]
    choices = [str(choice) for choice in get_args(annotation) if isinstance(choice, str | int)] or ["4 or none"]
    near = did_you_mean(str(value), choices).rstrip("?")
    return f"{f' ({near}?)' if near else ''}; it can be {', '.join(choices)}"
