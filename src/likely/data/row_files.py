"""The rows of a file of records, one after the other: a JSON list, JSON lines, CSV or Parquet.

`records` makes records of them; `inference.predict` reads files that are larger than memory. Only the part of a file
that is being read is held.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from likely.data.dataset_info import PREPARE
from likely.errors import LikelyError
from likely.files import parse_json

if TYPE_CHECKING:
    import polars as pl

REMEDY = f"give a JSON list of records, one object a line, CSV or Parquet, or make it with: {PREPARE}"
BLOCK = 1 << 20
"""Bytes of a text that are read at once."""

SLICE = 16_384
"""Rows of a Parquet file that are held at once."""

_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def iter_rows(path: Path, content: bytes | None = None) -> Iterator[Any]:
    """Yield the rows of a file: objects of JSON, or by the ending of its name lines of `.csv` and rows of `.parquet`.

    All values of CSV are text. Half a surrogate pair, which JSON can spell and no text has, becomes U+FFFD.

    Args:
        path: the file, or only its name.
        content: its bytes, where they have been read already.

    Raises:
        LikelyError: the file is missing, empty, damaged or of another shape.
    """
    if path.suffix.lower() == ".parquet":
        rows: Iterator[Any] = (row for frame in parquet_frames(path, content) for row in frame.iter_rows(named=True))
    else:
        texts = _texts(io.BytesIO(content) if content is not None else _open(path), path)
        rows = _csv_rows(texts, path) if path.suffix.lower() == ".csv" else _json_rows(texts, path)
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise LikelyError(f"{path} holds no records; {REMEDY}")


def parquet_frames(path: Path, content: bytes | None = None, rows: int = SLICE) -> "Iterator[pl.DataFrame]":
    """Yield the rows of a Parquet file, so many at once.

    Raises:
        LikelyError: it is missing or damaged.
    """
    import polars as pl

    # The second, where the reader trusts a damaged file, is no Exception.
    unreadable = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
    if content is None:
        _open(path).close()
    try:
        table = pl.scan_parquet(path if content is None else io.BytesIO(content))
        count = table.select(pl.len()).collect().item()
    except (*unreadable, OSError) as error:
        raise LikelyError(f"{path} is not a Parquet file that can be read; {REMEDY}") from error
    for start in range(0, count, rows):
        try:
            frame = table.slice(start, rows).collect()
        except (*unreadable, OSError) as error:
            raise LikelyError(f"{path} is damaged after row {start}; {REMEDY}") from error
        yield frame


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise LikelyError(f"{path} does not exist; name a file of records.") from None
    except OSError as error:
        raise LikelyError(f"{path} cannot be read ({error.strerror}); give a file of records.") from error


def _texts(file: IO[bytes], path: Path) -> Iterator[str]:
    """Yield the text of a file, block by block, and close it."""
    decoder, line = codecs.getincrementaldecoder("utf-8-sig")(), 1
    with file:
        at_end = False
        while not at_end:
            block = file.read(BLOCK)
            at_end = not block
            try:
                text = decoder.decode(block, at_end)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise LikelyError(f"{path} is not UTF-8 text (line {line}); {REMEDY}") from error
            line += text.count("\n")
            if text:
                yield text


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield lines with their ends.

    Only a line feed ends one: U+2028, U+0085 and others that `splitlines` knows may stand within JSON's strings.
    """
    begun = ""
    for text in texts:
        *whole, begun = (begun + text).split("\n")
        yield from (f"{line}\n" for line in whole)
    if begun:
        yield begun


def _csv_rows(texts: Iterable[str], path: Path) -> Iterator[dict[str, str]]:
    lines = _lines(texts)
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(_chained(first, lines), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        if not any(header):
            raise LikelyError(f"{path} is empty; {REMEDY}")
        if len(set(header)) < len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise LikelyError(f"{path} has two columns {twice!r}; rename one of them.")
        for row in reader:
            if row and len(row) != len(header):
                raise LikelyError(
                    f"{path}, line {reader.line_num}: {len(row)} values under the {len(header)} names of the first "
                    "line; put values that hold a comma or a line end into quotes."
                )
            if row:
                yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise LikelyError(f"{path} is not CSV (line {reader.line_num}: {error}); fix that line.") from error


def _chained(first: str, others: Iterable[str]) -> Iterator[str]:
    yield first
    yield from others


def _json_rows(texts: Iterator[str], path: Path) -> Iterator[Any]:
    start = next(texts, "")
    while not start.strip() and (more := next(texts, "")):
        start += more
    opening = start.lstrip()[:1]
    if opening == "{":
        for number, line in enumerate(_lines(_chained(start, texts)), start=1):
            if line.strip():
                yield _cleaned(parse_json(line, path, REMEDY, number), line)
    elif opening == "[":
        yield from _ListReader(texts, path, start).items()
    else:
        value = parse_json(start + "".join(texts), path, REMEDY)
        raise LikelyError(
            f"{path} holds a {type(value).__name__} where a list of records should be; write a JSON list."
        )


class _ListReader:
    """Reads the items of a JSON list, and of its text holds no more than an item and a block."""

    def __init__(self, texts: Iterator[str], path: Path, text: str) -> None:
        """Begin with the `text` read so far, in which the list opens."""
        self.texts, self.path = texts, path
        self.text, self.place = text, 0
        self.line, self.column = 1, 0

    def items(self) -> Iterator[Any]:
        """Yield one item after the other.

        Raises:
            LikelyError: it is not JSON.
        """
        self._advance(self.text.index("[") + 1)
        if self._next_character() == "]":
            self._advance(self.place + 1)
        else:
            while True:
                yield self._item()
                following = self._next_character()
                self._advance(self.place + bool(following))
                if following == "]":
                    break
                if following != ",":
                    raise self._fault("Expecting ',' delimiter", bool(following))
                self._next_character()
        if self._next_character():
            raise self._fault("Extra data")

    def _item(self) -> Any:
        decoder = json.JSONDecoder()
        while True:
            try:
                item, end = decoder.raw_decode(self.text, self.place)
            except json.JSONDecodeError:
                if self._read_more():
                    continue
                self._explain()
            except (RecursionError, ValueError):
                self._explain()
            # Of a number there may be more to come.
            is_whole = not isinstance(item, int | float) or self.text[end : end + 1] in tuple(",] \t\r\n")
            if is_whole or not self._read_more():
                break
        item = _cleaned(item, self.text[self.place : end])
        self._advance(end)
        return item

    def _explain(self) -> NoReturn:
        """Parse what is left to say what is wrong with it, and where."""
        rest = self.text[self.place :]
        if not rest.strip():
            raise self._fault("Expecting value")
        parse_json(" " * self.column + rest, self.path, REMEDY, self.line)
        raise AssertionError("what could not be parsed before can be now")

    def _next_character(self) -> str:
        """Go to the next character that is no white space and return it; nothing at the end."""
        while True:
            space = _SPACE.match(self.text, self.place)
            assert space is not None
            self._advance(space.end())
            if self.place < len(self.text) or not self._read_more():
                return self.text[self.place : self.place + 1]

    def _advance(self, place: int) -> None:
        passed = self.text[self.place : place]
        self.line += passed.count("\n")
        self.column = self.column + len(passed) if "\n" not in passed else len(passed) - passed.rindex("\n") - 1
        self.place = place

    def _read_more(self) -> bool:
        """Let go of what is read, and take at least as much again as is left; return whether there was anything."""
        left = self.text[self.place :]
        new: list[str] = []
        while sum(map(len, new)) <= len(left) and (text := next(self.texts, "")):
            new.append(text)
        if new:
            self.text, self.place = left + "".join(new), 0
        return bool(new)

    def _fault(self, what: str, went_past: bool = False) -> LikelyError:
        where = f"line {self.line}, column {self.column + (not went_past)}"
        return LikelyError(f"{self.path} is not JSON ({where}: {what}); {REMEDY}")


def _cleaned(value: Any, text: str) -> Any:
    """Return what was parsed of a text without halves of surrogate pairs."""
    return _without_lone_surrogates(value) if _SURROGATE_ESCAPE.search(text) else value


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    return value
