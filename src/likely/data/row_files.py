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
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from likely.data.dataset_info import PREPARE
from likely.errors import LikelyError
from likely.files import parse_json, reading

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
        with reading(path, REMEDY):
            file = io.BytesIO(content) if content is not None else path.open("rb")
        texts = _texts(file, path)
        rows = _csv_rows(texts, path) if path.suffix.lower() == ".csv" else _json_rows(texts, path)
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise LikelyError(f"{path} holds no records; {REMEDY}")


def parquet_frames(path: Path, content: bytes | None = None) -> "Iterator[pl.DataFrame]":
    """Yield the rows of a Parquet file, `SLICE` at once.

    Raises:
        LikelyError: it is missing or damaged.
    """
    table, count = _scan(path, content)
    for start in range(0, count, SLICE):
        with _polars_at_work(f"{path} is damaged after row {start}; {REMEDY}"):
            frame = table.slice(start, SLICE).collect()
        yield frame


def count_parquet_rows(path: Path) -> int:
    """Return how many rows a Parquet file has, by what its end says.

    Raises:
        LikelyError: it is missing or damaged.
    """
    return _scan(path)[1]


def _scan(path: Path, content: bytes | None = None) -> "tuple[pl.LazyFrame, int]":
    """Return the table of a Parquet file, not read yet, and its length."""
    import polars as pl

    if content is None:
        with reading(path, REMEDY):
            path.open("rb").close()
    with _polars_at_work(f"{path} is not a Parquet file that can be read; {REMEDY}"):
        table = pl.scan_parquet(path if content is None else io.BytesIO(content))
        return table, table.select(pl.len()).collect().item()


@contextmanager
def _polars_at_work(failed: str) -> Iterator[None]:
    """Say in a sentence that polars cannot read a file; where it trusted a damaged one, its error is no Exception."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise LikelyError(failed) from error


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
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
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


def _json_rows(texts: Iterator[str], path: Path) -> Iterator[Any]:
    start = next(texts, "")
    while not start.strip() and (more := next(texts, "")):
        start += more
    opening = start.lstrip()[:1]
    if opening == "{":
        for number, line in enumerate(_lines(chain([start], texts)), start=1):
            if line.strip():
                yield _cleaned(parse_json(line, path, REMEDY, number), line)
    elif opening == "[":
        yield from _list_rows(texts, path, start)
    else:
        value = parse_json(start + "".join(texts), path, REMEDY)
        raise LikelyError(
            f"{path} holds a {type(value).__name__} where a list of records should be; write a JSON list."
        )


def _list_rows(texts: Iterator[str], path: Path, text: str) -> Iterator[Any]:
    """Yield the items of a JSON list, and of its text hold no more than an item and a block.

    Args:
        texts: what is not read yet.
        path: the file, for messages.
        text: what is read of it, up to some place after the bracket that opens the list.

    Raises:
        LikelyError: it is not JSON; in the words in which reading it whole would say so.
    """
    decoder = json.JSONDecoder()
    place = text.index("[")  # of the bracket or the comma before an item
    line, column = 1, 0  # of the beginning of `text`
    while text[place] != "]":
        start = following = _after_space(text, place + 1)
        if text[place] != "[" or text[start : start + 1] != "]":
            try:
                item, end = decoder.raw_decode(text, start)
                following = _after_space(text, end)
            except (ValueError, RecursionError):
                following = len(text)
        if text[following : following + 1] in (",", "]"):
            if following > start:
                yield _cleaned(item, text[start:end])
            place = following
            continue
        # More may come, of a number too. Twice as much each time, so that the time grows with the file and no faster.
        more = "".join(islice(texts, 1 + (len(text) - place) // BLOCK))
        line, column = _moved(line, column, text[:place])
        text, place = text[place:] + more, 0
        if not more:
            _explain(text, line, column, path)
    line, column = _moved(line, column, text[:place])
    text = text[place:]
    while _after_space(text, 1) == len(text) and (more := next(texts, "")):
        text += more
    if _after_space(text, 1) < len(text):
        _explain(text, line, column, path)


def _after_space(text: str, place: int) -> int:
    space = _SPACE.match(text, place)
    assert space is not None
    return space.end()


def _moved(line: int, column: int, passed: str) -> tuple[int, int]:
    """Return where a place in a file is after a text has passed by."""
    lines = passed.count("\n")
    return line + lines, len(passed) - passed.rindex("\n") - 1 if lines else column + len(passed)


def _explain(rest: str, line: int, column: int, path: Path) -> NoReturn:
    """Say what is wrong with a list of which the rest, from a bracket or comma on, begins at a place of the file."""
    opening = "" if rest.startswith("[") else "[0\n"
    parse_json(opening + " " * column + rest, path, REMEDY, line - len(opening.splitlines()))
    raise AssertionError("what could not be parsed before can be now")


def _cleaned(value: Any, text: str) -> Any:
    """Return what was parsed of a text without halves of surrogate pairs."""
    if not _SURROGATE_ESCAPE.search(text):
        return value
    return json.loads(re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", json.dumps(value, ensure_ascii=False)))
