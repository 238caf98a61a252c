"""Any file that holds a table, as columns of text: CSV, TSV, `::`, JSON Lines and Parquet, each also gzipped.

What a file is shows in its content. `ratings` and `items` say which columns they want and what these mean.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import polars as pl

from likely.archives import gunzip
from likely.data.ids import parse_id
from likely.errors import LikelyError, did_you_mean
from likely.files import reading

SEPARATORS = (",", "\t", ";", "|")
UNIT = "\x1f"
"""Takes the place of `::`, because polars takes separators of one byte only."""

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises about damaged files; the second, where its reader trusts what it reads, is no Exception."""

TRUTHS = {"1": 1.0, "1.0": 1.0, "yes": 1.0, "true": 1.0, "0": 0.0, "0.0": 0.0, "no": 0.0, "false": 0.0}
"""How labels and flags are spelled, in lower case."""

NO_TEXT = (pl.List, pl.Array, pl.Struct, pl.Object, pl.Binary)
"""Types of Parquet's columns that have no one text."""

SURPLUS = "fields after the last column"
"""Name of a column that is null wherever a row has as many fields as there are columns."""


@dataclass(frozen=True)
class TableFile:
    """A table, not parsed yet.

    Attributes:
        name: by which messages call it.
        kind: of the content.
        columns: their names, in the order of the file.
        content: bytes after the header, UTF-8 unless `kind` is parquet.
        separator: between fields; empty unless `kind` is text.
        quoted: whether fields may stand in double quotes.
        first_line: of the content, from 1.
    """

    name: str
    kind: Literal["text", "json", "parquet"]
    columns: tuple[str, ...]
    content: bytes
    separator: str = ""
    quoted: bool = False
    first_line: int = 1

    def read(
        self,
        columns: Sequence[str],
        ids: Sequence[str] = (),
        numbers: Sequence[str] = (),
        lists: Sequence[str] = (),
    ) -> pl.DataFrame:
        """Return columns as text, null where a field is missing.

        Every line of text is a row, also a blank one, whose fields are all null.

        Args:
            columns: their names.
            ids: those of them that become i32 if every field is a whole number below 2^31 and spelled as such.
            numbers: those that become f64 if every field is a finite number. Parsed while the file is read, numbers
                take a fraction of the memory of text.
            lists: those whose lists stay lists, which Parquet may hold.

        Raises:
            LikelyError: a column is not there or holds what is no text, a line has more fields than columns, or the
                content is damaged.
        """
        for column in columns:
            self._check(column)
        wanted = list(dict.fromkeys(columns))
        surplus = pl.col(SURPLUS) if self.kind == "text" else pl.lit(None, pl.String).alias(SURPLUS)
        parsed = {column: parse_id(pl.col(column).cast(pl.String)) for column in ids}
        parsed |= {column: _parse_number(pl.col(column).cast(pl.String)) for column in numbers}
        try:
            scan = self._scan(wanted)
            table = scan.select(*(parsed.get(name, name) for name in wanted), surplus).collect(engine="streaming")
            texts = [name for name in parsed if table[name].null_count()]
            if texts:
                table = table.with_columns(scan.select(texts).collect(engine="streaming"))
            own = {name for name in lists if isinstance(table.schema[name], pl.List)} | {*parsed} - {*texts}
            for name in wanted:
                if isinstance(table.schema[name], NO_TEXT) and name not in own:
                    raise LikelyError(f"Column {name!r} of {self.name} holds {table.schema[name]}; make it a text.")
            table = table.with_columns(pl.col(name).cast(pl.String) for name in wanted if name not in own)
        except UNREADABLE as error:
            raise LikelyError(self._damage(str(error).partition("\n")[0])) from error
        for row in table.select(pl.col(SURPLUS).is_not_null().arg_true()).to_series().head(1).to_list():
            raise LikelyError(self.miscounted(row))
        return table.drop(SURPLUS)

    def place(self, row: int) -> tuple[str, Sequence[str]]:
        """Return how messages call a row, counted from 0, and its fields as they stand there."""
        if self.kind == "parquet":
            return f"Row {row + 1} of {self.name}", ()
        for line, fields in islice(self._records(), row, None):
            return f"Line {line} of {self.name}", fields
        return f"Row {row + 1} of {self.name}", ()  # quotes that two readers take differently

    def miscounted(self, row: int) -> str:
        """Return that a row has more or fewer fields than there are columns; empty if it has as many."""
        where, fields = self.place(row)
        if self.kind != "text" or not fields or len(fields) == len(self.columns):
            return ""
        return f"{where} has {len(fields)} fields instead of {len(self.columns)}; fix or remove the line."

    def _scan(self, wanted: Sequence[str]) -> pl.LazyFrame:
        if self.kind == "parquet":
            return pl.scan_parquet(io.BytesIO(self.content))
        if self.kind == "json":
            return pl.scan_ndjson(io.BytesIO(self.content), schema=dict.fromkeys(wanted, pl.String))
        # The first line says how many fields there are, so it is one of ours.
        names = [*map(str, range(len(self.columns))), SURPLUS]
        text = self.separator.join(names).encode() + b"\n" + self.content
        quote = '"' if self.quoted else None
        schema = dict.fromkeys(names, pl.String)
        table = pl.scan_csv(text, separator=self.separator, quote_char=quote, schema=schema, truncate_ragged_lines=True)
        return table.rename(dict(zip(names, self.columns, strict=False)))

    def _check(self, column: str) -> None:
        if column not in self.columns:
            hint = did_you_mean(column, self.columns) or f"it has {', '.join(self.columns)}."
            where = f"Line {self.first_line - 1} of {self.name}" if self.first_line > 1 else self.name
            raise LikelyError(f"{where} names no column {column!r}; {hint}")

    def _records(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield each row's line and fields, blank lines too where they count as rows."""
        if self.kind == "json":
            lines = enumerate(self.content.decode("utf-8", "replace").split("\n"), start=1)
            yield from ((number, [line]) for number, line in lines if line.strip())
            return
        text = io.StringIO(_lines_of(self.content.decode()))
        reader = csv.reader(text, delimiter=self.separator, quoting=_quoting(self.quoted))
        with _readable(self.name):
            for fields in reader:
                yield reader.line_num + self.first_line - 1, fields

    def _damage(self, reason: str) -> str:
        """Return what is wrong with content that polars refuses."""
        if self.kind == "json":
            for line, (text,) in self._records():
                try:
                    if not isinstance(json.loads(text), dict):
                        return f"Line {line} of {self.name} holds no object of JSON; write one rating or item a line."
                except (ValueError, RecursionError) as error:
                    return f"Line {line} of {self.name} is not JSON ({error}); fix or remove the line."
        return _no_table(self.name, reason)


def _parse_number(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def read_bytes(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        LikelyError: it is missing or cannot be read.
    """
    with reading(Path(path), "give the path of a table."):
        return Path(path).read_bytes()


def open_table(name: str, content: bytes, columns: Sequence[str] = ()) -> TableFile:
    """Find out what a file is and which columns it has.

    Text is UTF-8 or UTF-16 with a byte order mark, or else the Latin-1 of Windows. Double quotes count in files with
    commas or semicolons and in `.tsv`; in others they are letters.

    Args:
        name: by which messages call it.
        content: as it stands on disk.
        columns: names of the columns where there is no header.

    Raises:
        LikelyError: it is empty or damaged.
    """
    plain = name.removesuffix(".gz")
    if content.startswith(b"\x1f\x8b"):
        content = gunzip(name, content)
    if content.startswith(b"PAR1"):
        try:
            return TableFile(name, "parquet", tuple(pl.read_parquet_schema(io.BytesIO(content))), content)
        except UNREADABLE as error:
            raise LikelyError(f"{name} is no whole Parquet file ({error}); fetch or make it again.") from error
    content = _as_utf8(content)
    if re.match(rb"\s*\[\s*\{", content):
        raise LikelyError(f"{name} is a list in JSON; write it as JSON Lines, one object a line and no commas between.")
    if re.match(rb"\s*\{", content):
        table = TableFile(name, "json", _json_columns(content), content)
        if not table.columns:
            raise LikelyError(table._damage("no line is an object of JSON"))
        return table
    first, begin = b"", 0
    while not first.strip() and begin < len(content):
        end = content.find(b"\n", begin) + 1 or len(content)
        first, begin = content[begin:end], end
    if not first.strip():
        raise LikelyError(f"{name} is empty; give a file with a table.")
    if b"::" in first:
        content, first, separator = content.replace(b"::", UNIT.encode()), first.replace(b"::", UNIT.encode()), UNIT
        begin = content.find(first) + len(first)
    else:
        separator = max(SEPARATORS, key=lambda one: first.count(one.encode()))
    quoted = separator in (",", ";") or plain.endswith(".tsv")
    if columns:
        return TableFile(name, "text", tuple(columns), content, separator, quoted)
    line = content.count(b"\n", 0, begin - 1) + 1
    header = _lines_of(first.decode().strip("\r\n"))
    with _readable(name):
        (names,) = csv.reader([header], delimiter=separator, quoting=_quoting(quoted))
    return TableFile(name, "text", _distinct(names), content[begin:], separator, quoted, line + 1)


def _no_table(name: str, reason: str) -> str:
    return f"{name} cannot be read as a table ({reason}); correct its quotes, or save it anew."


def _lines_of(text: str) -> str:
    """Return a text whose lines end in line feeds alone, as polars counts them."""
    return text.replace("\r\n", "\n").replace("\r", " ")


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what the reader of CSV refuses, such as fields of more than 128 KiB, into a sentence."""
    try:
        yield
    except csv.Error as error:
        raise LikelyError(_no_table(name, str(error))) from error


def _quoting(quoted: bool) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE


def _as_utf8(content: bytes) -> bytes:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").encode()
    if not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError:  # accented Latin-1 is practically never valid UTF-8
            return _from_one_byte(content).encode()
    return content.removeprefix(b"\xef\xbb\xbf")


def _from_one_byte(content: bytes) -> str:
    """Decode text of Windows, which is Latin-1 with quotes and dashes where that has control characters."""
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _json_columns(content: bytes) -> tuple[str, ...]:
    """Return the keys of the first thousand lines; damaged ones are named when all are read."""
    keys: dict[str, None] = {}
    for line, _ in zip(io.BytesIO(content), range(1000), strict=False):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        keys |= dict.fromkeys(row) if isinstance(row, dict) else {}
    return tuple(keys)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return names without white space around them; those that occurred before get a number."""
    seen: list[str] = []
    for number, name in enumerate(names, start=1):
        seen.append(name.strip() if name.strip() not in seen else f"{name.strip()} (column {number})")
    return tuple(seen)
