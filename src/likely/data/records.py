"""Records on disk: files in Alpaca's, ShareGPT's or OpenAI's format, as JSON lists, JSON lines, CSV or Parquet.

`dataset_info` says where they are and what their columns are called, and `row_files` reads their rows;
:class:`Record` goes to `encoding`; `preparation` writes its rows through :func:`write_records`.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from likely.data.dataset_info import Columns
from likely.data.label_spellings import plain, spellings
from likely.data.record_formats import check_keys, check_named, read_row, recognised
from likely.data.row_files import REMEDY, SLICE, iter_rows
from likely.errors import LikelyError
from likely.files import reading, replacing, replacing_bytes, writing

if TYPE_CHECKING:
    import polars as pl

IDENTIFIERS = ("user_id", "item_id")

TIME = "timestamp"

NUMBERS = (TIME, "history_likes", "history_length")
"""Keys that are counted with; CSV has text there, too."""

SHARES = "shares"
"""Key of a mapping of numbers; CSV has it as JSON."""

_WHOLE = re.compile(r"-?\d+\.0")
"""How CSV spells a whole number of a column with gaps."""

CUT_AT_ANCHORS = "cut_at_anchors"
"""Key of rows of long windows: a prompt that is too long begins where a user's other prompts do; see `shortening`."""

DRAWN = "drawn"
"""Key of rows beside drawn negatives: whether the row is one, and so no rating of its user's; see `negatives`."""


@dataclass(frozen=True)
class Labels:
    """The two answers, as the model is to write them."""

    positive: str = "Yes"
    negative: str = "No"


class Place(NamedTuple):
    """Where a record comes from."""

    path: Path
    row: int

    def __str__(self) -> str:
        """Return file and row, from 1."""
        return f"{self.path}, row {self.row}"


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
        place: file and row that it was read from; None for one that was made.
    """

    instruction: str
    input: str
    output: str
    system: str = ""
    history: tuple[tuple[str, str], ...] = ()
    user_id: str | None = None
    item_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def is_cut_at_anchors(self) -> bool:
        """Whether a prompt that is too long loses its history in large steps, as those of long windows do."""
        return str(self.extra.get(CUT_AT_ANCHORS)).lower() == "true"  # CSV has words

    @property
    def is_drawn(self) -> bool:
        """Whether the item was drawn, and its user never rated it."""
        return str(self.extra.get(DRAWN)).lower() == "true"


def row_number(record: Record, place: int) -> int:
    """Return which row of its file a record is, from 1; one that is of none, as its place in a list, from 0, says."""
    return record.place.row if record.place else place + 1


def read_records(path: Path, labels: Labels, columns: Columns | None = None) -> list[Record]:
    """Read all records of a file; see :func:`likely.data.row_files.iter_rows` for what it may be.

    Outputs count as a label whatever their case, surrounding quotes, final punctuation and end token. Half a surrogate
    pair, which JSON can spell and no text has, becomes U+FFFD.

    Args:
        path: the file.
        labels: what outputs have to be.
        columns: names of the columns; by default Alpaca's own, or what the first row looks like.

    Raises:
        LikelyError: the file is missing, empty, damaged or of another shape, or a row lacks a key
            or has another output; names file, row (from 1) and key.
    """
    return list(records_of(iter_rows(path, read_content(path)), path, labels, columns))


def read_content(path: Path) -> bytes:
    """Return the bytes of a file of records, for :func:`likely.data.row_files.iter_rows`.

    Raises:
        LikelyError: the file is missing or cannot be read.
    """
    with reading(path, REMEDY):
        return path.read_bytes()


def records_of(
    rows: Iterable[Any], path: Path, labels: Labels, columns: Columns | None = None, answered: bool = True
) -> Iterator[Record]:
    """Make records of the rows of a file, one after the other.

    Args:
        rows: as the file has them; a record among them stays what it is.
        path: the file, for messages.
        labels: what outputs have to be.
        columns: names of the columns; by default Alpaca's own, or what the first row looks like.
        answered: whether rows have answers. Where not, answers that there are count for nothing, and the positive
            label stands for them.

    Raises:
        LikelyError: a row is wrong; names file, row (from 1) and key.
    """
    columns = columns or Columns()
    answers = spellings(labels.positive, labels.negative, columns.label_map)
    seen: set[tuple[str, ...]] = set()
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Record):
            yield row
            continue
        place = Place(path, number)
        columns = recognised(row, columns) if number == 1 else columns
        asked = read_row(row, columns, answered, place)
        if (keys := tuple(row)) not in seen:
            seen.add(keys)
            check_keys(keys, columns, place)
        label = labels.positive
        if answered:
            label = _label(asked.answer, answers, f"{place}, key {asked.answer_key!r}", labels)
        yield Record(
            instruction=asked.instruction,
            input=asked.input,
            output=label,
            system=asked.system,
            history=asked.history,
            user_id=identifier(row.get("user_id")),
            item_id=identifier(row.get("item_id")),
            extra={
                key: _number(value, key) if key in NUMBERS else _mapping(value) if key == SHARES else value
                for key, value in row.items()
                if key not in asked.known and key not in IDENTIFIERS
            },
            place=place,
        )
    if seen:
        check_named(seen, columns, path)


def write_records(
    path: Path, rows: Iterable[Mapping[str, Any]], nested: "Mapping[str, pl.DataType] | None" = None
) -> int:
    """Write rows as a JSON list with one object a line, or as its name says: JSON lines (`.jsonl`) or `.parquet`.

    Streams, and replaces the file only when all rows are written.

    Args:
        path: of the file.
        rows: mappings of the same keys, where the file is Parquet.
        nested: types of Parquet columns that hold mappings, whose own keys may differ from row to row.

    Returns:
        The number of rows.

    Raises:
        LikelyError: its name ends in none of these.
    """
    if path.suffix not in (".json", ".jsonl", ".parquet"):
        raise LikelyError(f"{path} ends in none of .json, .jsonl and .parquet; name one of these formats.")
    if path.suffix == ".parquet":
        return _write_parquet(path, iter(rows), nested or {})
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


def _write_parquet(path: Path, rows: Iterator[Mapping[str, Any]], nested: "Mapping[str, pl.DataType]") -> int:
    """Write a row group at a time; the rows of the first tell the types of the columns."""
    import polars as pl
    from polars.io.plugins import register_io_source

    first = pl.DataFrame(list(islice(rows, SLICE)), schema_overrides=nested, infer_schema_length=None)
    count = 0

    def frames(*wanted: object) -> "Iterator[pl.DataFrame]":
        nonlocal count
        frame = first
        while frame.height:
            count += frame.height
            yield frame
            frame = pl.DataFrame(list(islice(rows, SLICE)), schema=first.schema)

    with writing(path), replacing_bytes(path) as out:
        if first.is_empty():
            first.write_parquet(out)
        else:
            register_io_source(frames, schema=first.schema).sink_parquet(out, maintain_order=True, row_group_size=SLICE)
    return count


def _label(answer: Any, answers: Mapping[str, str], where: str, labels: Labels) -> str:
    label = answers.get(plain(answer)) if isinstance(answer, str | bool | int | float) else None
    if label is not None:
        return label
    both = f"{labels.positive} or {labels.negative}"
    if answer is None or answer == "":
        raise LikelyError(f"{where}: there is no answer; write {both}, or remove the row.")
    if not isinstance(answer, str | bool | int | float):
        raise LikelyError(f"{where}: {str(answer)[:40]!r} is not text; write {both}.")
    shown = str(answer)[:60]
    maps = (json.dumps({plain(shown): one}, ensure_ascii=False) for one in (labels.positive, labels.negative))
    raise LikelyError(
        f"{where}: {shown!r} is neither {labels.positive} nor {labels.negative}; write one of them, set positive_label "
        f"and negative_label, or say which of them it means, label_map={next(maps)!r} or {next(maps)!r}."
    )


def identifier(value: Any) -> str | None:
    """Return an id as text: 7.0, as a column with gaps has it, is the 7 of other files, and NaN is a gap."""
    if isinstance(value, str):
        value = value.removesuffix(".0") if _WHOLE.fullmatch(value) else value
    if isinstance(value, float):
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    return None if value is None or value == "" else str(value)


def _mapping(value: Any) -> Any:
    """Return the object of JSON that a text spells, and anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _number(value: Any, key: str) -> Any:
    """Return the number that a text spells, whole where it is a count, and anything else as it is.

    A date or a time, which is of UTC where it names no zone, is its seconds since 1970.
    """
    if isinstance(value, str):
        readers: list[Callable[[str], Any]] = [int, float, *([datetime.fromisoformat] if key == TIME else [])]
        for read in readers:
            with suppress(ValueError):
                value = read(value.strip())
                break
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return int(value) if key != TIME and isinstance(value, float) and value.is_integer() else value
