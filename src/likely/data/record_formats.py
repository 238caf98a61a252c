"""What a row of a file asks and answers, in Alpaca's format or in turns, as ShareGPT and OpenAI write them.

`records` gives rows of `row_files` and the names of their columns (`dataset_info`), and makes records of what comes
out.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from likely.data.dataset_info import OPENAI, Columns
from likely.errors import LikelyError, did_you_mean


class Asked(NamedTuple):
    """A question, and its answer where there is one.

    Attributes:
        instruction: what is asked.
        input: what it is asked about.
        system: system prompt; empty for none.
        history: earlier (question, answer) turns.
        answer: as the row has it, of any type; None without one.
        answer_key: key that the answer stands under.
        known: keys of the row that are in the above.
    """

    instruction: str
    input: str
    system: str
    history: tuple[tuple[str, str], ...]
    answer: Any
    answer_key: str
    known: set[str]


def recognised(row: Any, columns: Columns) -> Columns:
    """Return the columns of a file whose columns nobody has named, by what its first row has."""
    unnamed = Columns(label_map=columns.label_map)
    if not isinstance(row, dict) or columns != unnamed or columns.prompt in row:
        return columns
    if OPENAI.messages in row:
        return Columns(**{**vars(OPENAI), "label_map": columns.label_map})
    if columns.messages in row:
        return Columns("sharegpt", label_map=columns.label_map)
    return columns


def check_keys(keys: Collection[str], columns: Columns, where: object) -> None:
    """Refuse a key that seems to mean an optional column: without that, the prompt would silently say less.

    Args:
        keys: of a row.
        columns: what its columns are called.
        where: file and row, for messages.

    Raises:
        LikelyError: there is such a key, that differs by white space, capitals or a plural from a missing one.
    """
    for name in set(_optional(columns).values()).difference(keys):
        for key in keys:
            if isinstance(key, str) and _much_alike(key) == _much_alike(name):
                raise LikelyError(f"{where}: the key {key!r} would not be read; did you mean {name!r}?")


def check_named(keys: Iterable[Collection[str]], columns: Columns, path: Path) -> None:
    """Refuse a file of which no row has an optional column that the registry gives a name of its own.

    Args:
        keys: of all its rows.
        columns: what its columns are called.
        path: of the file, for messages.

    Raises:
        LikelyError: there is such a column.
    """
    there, usual = {key for of_row in keys for key in of_row}, Columns()
    for role, name in _optional(columns).items():
        if name not in there and name != getattr(usual, role):
            hint = did_you_mean(name, there) or f"there are {', '.join(sorted(there))}."
            raise LikelyError(f"{path}: no row has the key {name!r}, which dataset_info.json names as {role}; {hint}")


def _optional(columns: Columns) -> dict[str, str]:
    """Return the roles that a row may do without, and what the columns are called that have them."""
    roles = ("query", "system", "history") if columns.formatting == "alpaca" else ("system",)
    return {role: getattr(columns, role) for role in roles}


def _much_alike(key: str) -> str:
    return key.strip().casefold().removesuffix("s")


def read_row(row: Any, columns: Columns, answered: bool, where: object) -> Asked:
    """Return what a row says.

    Args:
        row: of a file.
        columns: what its columns are called.
        answered: whether the row has to have an answer.
        where: file and row, for messages.

    Raises:
        LikelyError: it lacks something, or has something of another kind.
    """
    if not isinstance(row, dict):
        wanted = columns.prompt if columns.formatting == "alpaca" else columns.messages
        raise LikelyError(f"{where}: a {type(row).__name__} where an object with {wanted!r} should be.")
    return (_from_alpaca if columns.formatting == "alpaca" else _from_turns)(row, columns, answered, where)


def _from_alpaca(row: Mapping[str, Any], columns: Columns, answered: bool, where: object) -> Asked:
    history = _listed(row.get(columns.history)) or ()
    if not isinstance(history, list | tuple) or not all(_is_pair(turn) for turn in history):
        raise LikelyError(f"{where}, key {columns.history!r}: not a list of [question, answer] pairs of text.")
    known = {columns.prompt, columns.query, columns.response, columns.system, columns.history}
    if answered:
        _demand(row, columns.response, where, known)
    return Asked(
        instruction=_text(row, columns.prompt, where, known=known),
        input=_text(row, columns.query, where, optional=True),
        system=_text(row, columns.system, where, optional=True),
        history=tuple((turn[0], turn[1]) for turn in history),
        answer=row.get(columns.response),
        answer_key=columns.response,
        known=known,
    )


def _from_turns(row: Mapping[str, Any], columns: Columns, answered: bool, where: object) -> Asked:
    key = columns.messages
    turns = _listed(row.get(key))
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, dict) for turn in turns):
        hint = "" if key in row else f" {did_you_mean(key, row)}".rstrip()
        raise LikelyError(f"{where}, key {key!r}: missing, or not a list of turns.{hint}")
    said: list[tuple[str, str]] = []
    for number, turn in enumerate(turns, start=1):
        place = f"{where}, turn {number}"
        said.append((_text(turn, columns.role_tag, place), _content(turn, columns.content_tag, place)))
    system = _text(row, columns.system, where, optional=True)
    if said[0][0] == columns.system_tag:
        system = said.pop(0)[1]
    *before, (last, text) = said or [("", "")]
    answer = text if last == columns.assistant_tag else None
    asked = before if answer is not None else said
    roles = [role for role, _ in asked]
    alternating = [columns.user_tag, columns.assistant_tag] * len(asked)
    if len(asked) % 2 == 0 or roles != alternating[: len(asked)] or (answered and answer is None):
        end = "end with the latter" if answered else "end with a question, or with an answer to it"
        raise LikelyError(
            f"{where}, key {key!r}: turns have to alternate between {columns.user_tag!r} and "
            f"{columns.assistant_tag!r} and {end}."
        )
    texts = [text for _, text in asked]
    return Asked(
        instruction=texts[-1],
        input="",
        system=system,
        history=tuple(zip(texts[:-1:2], texts[1::2], strict=True)),
        answer=answer,
        answer_key=key,
        known={key, columns.system},
    )


def _demand(row: Mapping[str, Any], key: str, where: object, known: Collection[str] = ()) -> None:
    """Refuse a row without a key, and name the nearest that it has; those that are `known` mean something else."""
    if key not in row:
        hint = did_you_mean(key, [name for name in row if name not in known]) or f"there are {', '.join(row)}."
        raise LikelyError(f"{where}: the key {key!r} is missing; {hint} Columns are named in dataset_info.json.")


def _text(row: Mapping[str, Any], key: str, where: object, optional: bool = False, known: Collection[str] = ()) -> str:
    value = row.get(key)
    if value is None and optional:
        return ""
    _demand(row, key, where, known)
    if not isinstance(value, str):
        raise LikelyError(f"{where}, key {key!r}: {str(value)[:40]!r} is not text.")
    return value


def _content(turn: Mapping[str, Any], key: str, where: str) -> str:
    """Return the text of a turn; OpenAI may write it as a list of parts."""
    parts = turn.get(key)
    if not isinstance(parts, list):
        return _text(turn, key, where)
    if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts):
        raise LikelyError(f"{where}, key {key!r}: a part that is not text; only text can be asked about.")
    return "".join(part["text"] for part in parts)


def _listed(value: Any) -> Any:
    """Return a list that CSV can only have as JSON."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value or None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _is_pair(turn: Any) -> bool:
    return isinstance(turn, list | tuple) and len(turn) == 2 and all(isinstance(text, str) for text in turn)
