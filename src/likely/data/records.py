"""Records on disk: files in Alpaca's or ShareGPT's format, as JSON lists or JSON lines.

`dataset_info` says where they are and what their columns are called; :class:`Record` goes to `encoding`;
`preparation` writes its rows through :func:`write_records`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from likely.data.dataset_info import PREPARE, Columns
from likely.errors import LikelyError, did_you_mean
from likely.files import parse_json, replacing

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Labels:
    """The two answers, as the model is to write them."""

    positive: str = "Yes"
    negative: str = "No"


@dataclass(frozen=True)
class Record:
    """One question and its right answer.

    Attributes:
        instruction: what is asked, the same for many records.
        input: what it is asked about: a history and a candidate.
        output: the right label, exactly as configured.
        system: system prompt; empty for the chat template's own.
        history: earlier (question, answer) turns.
        user_id: whose record it is, where known.
        item_id: what the candidate is, where known.
        extra: all other keys of the row.
    """

    instruction: str
    input: str
    output: str
    system: str = ""
    history: tuple[tuple[str, str], ...] = ()
    user_id: str | None = None
    item_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_records(path: Path, labels: Labels, columns: Columns | None = None) -> list[Record]:
    """Read a JSON list or JSON lines.

    Outputs count as a label whatever their case, surrounding quotes and final punctuation. Half a surrogate pair,
    which JSON can spell and no text has, becomes U+FFFD.

    Args:
        path: the file.
        labels: what outputs have to be.
        columns: names of the columns; Alpaca's own by default.

    Raises:
        LikelyError: the file is missing, empty, damaged or of another shape, or a row lacks a key
            or has another output; names file, row (from 1) and key.
    """
    return parse_records(read_content(path), path, labels, columns)


def read_content(path: Path) -> bytes:
    """Return the bytes of a file of records, for :func:`parse_records`.

    Raises:
        LikelyError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise LikelyError(f"{path} does not exist; make it with: {PREPARE}") from None
    except OSError as error:
        raise LikelyError(f"{path} cannot be read ({error.strerror}); give a JSON file of records.") from error


def parse_records(content: bytes, path: Path, labels: Labels, columns: Columns | None = None) -> list[Record]:
    """Read the records of a file's content; as :func:`read_records`, which also reads the file.

    Args:
        content: of the file.
        path: its name, for messages.
        labels: what outputs have to be.
        columns: names of the columns; Alpaca's own by default.
    """
    columns = columns or Columns()
    spellings = {_plain(labels.positive): labels.positive, _plain(labels.negative): labels.negative}
    read = _from_sharegpt if columns.formatting == "sharegpt" else _from_alpaca
    rows = _rows(content, path)
    if _SURROGATE_ESCAPE.search(content):
        rows = [_without_lone_surrogates(row) for row in rows]
    return [read(row, columns, spellings, f"{path}, row {number}") for number, row in enumerate(rows, start=1)]


def write_records(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as a JSON list with one object a line, or as JSON lines if the name ends in `.jsonl`.

    Streams, and replaces the file only when all rows are written.

    Returns:
        The number of rows.
    """
    as_lines = path.suffix == ".jsonl"
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    count = 0
    with replacing(path) as out:
        out.write("" if as_lines else "[\n")
        for row in rows:
            out.write((",\n" if count and not as_lines else "") + encode(row) + ("\n" if as_lines else ""))
            count += 1
        out.write("" if as_lines else "\n]\n")
    return count


def _plain(output: str) -> str:
    return output.strip(" \t\r\n\"'“”‘’`.!?,;:").casefold()


def _rows(content: bytes, path: Path) -> list[Any]:
    """Return the rows of a JSON list, or of JSON lines, at least one."""
    remedy = f"give a JSON list of records, or one object a line, or make it with: {PREPARE}"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LikelyError(f"{path} is not UTF-8 text (line {line}); {remedy}") from error
    if text.lstrip()[:1] == "{":
        # Only \n ends a line: U+2028, U+0085 and others that splitlines knows may stand within JSON's strings.
        lines = enumerate(text.split("\n"), start=1)
        return [parse_json(line, path, remedy, number) for number, line in lines if line.strip()]
    rows = parse_json(text, path, remedy)
    if not isinstance(rows, list):
        raise LikelyError(f"{path} holds a {type(rows).__name__} where a list of records should be; write a JSON list.")
    if not rows:
        raise LikelyError(f"{path} holds no records; make it again with: {PREPARE}")
    return rows


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    return value


def _from_alpaca(row: Any, columns: Columns, spellings: Mapping[str, str], where: str) -> Record:
    if not isinstance(row, dict):
        raise LikelyError(f"{where}: a {type(row).__name__} where an object with {columns.prompt!r} should be.")
    history = row.get(columns.history) or ()
    if not isinstance(history, list | tuple) or not all(_is_pair(turn) for turn in history):
        raise LikelyError(f"{where}, key {columns.history!r}: not a list of [question, answer] pairs of text.")
    known = {columns.prompt, columns.query, columns.response, columns.system, columns.history}
    return _record(
        row,
        known,
        instruction=_text(row, columns.prompt, where),
        input=_text(row, columns.query, where, optional=True),
        output=_label(_text(row, columns.response, where), columns.response, spellings, where),
        system=_text(row, columns.system, where, optional=True),
        history=tuple((turn[0], turn[1]) for turn in history),
    )


def _from_sharegpt(row: Any, columns: Columns, spellings: Mapping[str, str], where: str) -> Record:
    turns = row.get(columns.messages) if isinstance(row, dict) else None
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, dict) for turn in turns):
        raise LikelyError(f"{where}, key {columns.messages!r}: missing, or not a list of turns.")
    said: list[tuple[str, str]] = []
    for number, turn in enumerate(turns, start=1):
        place = f"{where}, turn {number}"
        said.append((_text(turn, columns.role_tag, place), _text(turn, columns.content_tag, place)))
    system = _text(row, columns.system, where, optional=True)
    if said[0][0] == columns.system_tag:
        system = said.pop(0)[1]
    roles = [role for role, _ in said]
    if not said or len(said) % 2 or roles != [columns.user_tag, columns.assistant_tag] * (len(said) // 2):
        raise LikelyError(
            f"{where}, key {columns.messages!r}: turns have to alternate between {columns.user_tag!r} and "
            f"{columns.assistant_tag!r} and end with the latter."
        )
    texts = [text for _, text in said]
    return _record(
        row,
        {columns.messages, columns.system},
        instruction=texts[-2],
        input="",
        output=_label(texts[-1], columns.messages, spellings, where),
        system=system,
        history=tuple(zip(texts[:-2:2], texts[1:-2:2], strict=True)),
    )


def _record(row: Mapping[str, Any], known: set[str], **fields: Any) -> Record:
    ids = {key: None if row.get(key) is None else str(row[key]) for key in ("user_id", "item_id")}
    extra = {key: value for key, value in row.items() if key not in known and key not in ids}
    return Record(**fields, user_id=ids["user_id"], item_id=ids["item_id"], extra=extra)


def _text(row: Mapping[str, Any], key: str, where: str, optional: bool = False) -> str:
    value = row.get(key)
    if value is None and optional:
        return ""
    if key not in row:
        hint = f"{did_you_mean(key, row)} Columns are named in dataset_info.json.".lstrip()
        raise LikelyError(f"{where}: the key {key!r} is missing; {hint}")
    if not isinstance(value, str):
        raise LikelyError(f"{where}, key {key!r}: {str(value)[:40]!r} is not text.")
    return value


def _label(output: str, key: str, spellings: Mapping[str, str], where: str) -> str:
    label = spellings.get(_plain(output))
    if label is None:
        allowed = " or ".join(spellings.values())
        raise LikelyError(
            f"{where}, key {key!r}: {output[:60]!r} is neither {allowed}; write one of them, or set positive_label "
            "and negative_label."
        )
    return label


def _is_pair(turn: Any) -> bool:
    return isinstance(turn, list | tuple) and len(turn) == 2 and all(isinstance(text, str) for text in turn)
