"""A file of rows with their scores: the columns of another file and a few more, in its order.

`predict` looks through the file of records first (:func:`look_through`) and writes the scored one at the end. Rows come
and go one after the other, so neither file has to fit into memory.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from likely.data.dataset_info import Columns
from likely.data.records import Labels, records_of
from likely.data.row_files import SLICE, iter_rows, parquet_frames
from likely.errors import LikelyError
from likely.files import check_writable, json_line, replacing_bytes, writing
from likely.inference.scores_in_progress import MadeWith

if TYPE_CHECKING:
    import polars as pl

ENDINGS = (".parquet", ".csv", ".jsonl")

ORIGIN = "likely.predict"
"""Key in the metadata of a scored Parquet file, under which it says what it was made with."""

Kind = type[bool] | type[int] | type[float] | type[str] | type[object]
"""Type of a value; `object` for what no column of a table holds, such as a list."""


@dataclass(frozen=True)
class Shape:
    """What a file holds.

    Attributes:
        rows: how many rows.
        kinds: the kinds of values of each column, in the order in which columns come up.
    """

    rows: int
    kinds: Mapping[str, set[Kind]]


def check_output(output: Path, data: Path) -> None:
    """Check that scores can be written, before anything is read.

    Raises:
        LikelyError: they cannot, the name ends in no format, or the file is the one that is read.
    """
    if output.suffix.lower() not in ENDINGS:
        raise LikelyError(f"--output {output} ends in none of {', '.join(ENDINGS)}; name one of these formats.")
    if output.exists() and data.exists() and output.samefile(data):
        raise LikelyError(f"--output {output} is the file that is read; name another one.")
    check_writable(output)


def look_through(data: Path, labels: Labels, columns: Columns, added: Sequence[str]) -> Shape:
    """Read all records of a file, so that what is wrong with one is said before any is scored.

    Args:
        data: the file.
        labels: of the run.
        columns: what its columns are called.
        added: columns that are to come beside its own.

    Raises:
        LikelyError: the file is missing or wrong, or has one of these columns already.
    """
    kinds: dict[str, set[Kind]] = {}

    def noted(rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            for name, value in row.items() if isinstance(row, dict) else ():
                seen = kinds.setdefault(name, set())
                if value is not None:
                    seen.add(_kind(value))
            yield row

    count = sum(1 for _ in records_of(noted(iter_rows(data)), data, labels, columns, answered=False))
    for name in added:
        if name in kinds:
            raise LikelyError(f"{data} has a column {name!r} already; rename it, or take it out.")
    return Shape(count, kinds)


def write_scored(
    output: Path,
    data: Path,
    shape: Shape,
    added: Sequence[str],
    scores: Iterable[Sequence[float]],
    made_with: MadeWith,
) -> None:
    """Write the rows of a file with scores beside them, whole or not at all, in the format that the name ends in.

    Values of JSON Lines and CSV are written as they were read, but that JSON has null for numbers that are not finite.
    Where a column of Parquet would need several types, or a list, its values are JSON text; those of Parquet files keep
    their types.

    Args:
        output: what to write.
        data: the file of the rows.
        shape: what it holds.
        added: names of the scores.
        scores: those of each row.
        made_with: of the scores; a Parquet file says it, see :func:`rows_written`.

    Raises:
        LikelyError: it cannot be written.
    """
    with writing(output), replacing_bytes(output) as out:
        if output.suffix.lower() == ".parquet":
            _write_parquet(out, data, shape, added, iter(scores), {ORIGIN: _as_origin(made_with)})
            return
        rows = (row | dict(zip(added, own, strict=True)) for row, own in zip(iter_rows(data), scores, strict=True))
        text = io.TextIOWrapper(out, encoding="utf-8", newline="")
        if output.suffix.lower() == ".csv":
            table = csv.writer(text, lineterminator="\n")
            table.writerow([*shape.kinds, *added])
            table.writerows([_cell(row.get(name)) for name in (*shape.kinds, *added)] for row in rows)
        else:
            text.writelines(_json(row) + "\n" for row in rows)
        text.detach()


def rows_written(output: Path, made_with: MadeWith) -> int | None:
    """Return how many rows a scored Parquet file has, or None if it is missing, damaged or made with anything else."""
    import polars as pl

    try:
        if pl.read_parquet_metadata(output).get(ORIGIN) != _as_origin(made_with):
            return None
        return int(pl.scan_parquet(output).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError):
        return None


def _as_origin(made_with: MadeWith) -> str:
    return json.dumps(made_with, sort_keys=True)


def _write_parquet(
    out: IO[bytes],
    data: Path,
    shape: Shape,
    added: Sequence[str],
    scores: Iterator[Sequence[float]],
    metadata: dict[str, str],
) -> None:
    import polars as pl
    from polars.io.plugins import register_io_source

    types = {name: _column_type(kinds) for name, kinds in shape.kinds.items()}
    schema: Any = pl.scan_parquet(data).collect_schema() if data.suffix.lower() == ".parquet" else types
    schema = pl.Schema({**schema, **dict.fromkeys(added, pl.Float64())})

    def scored(*wanted: object) -> "Iterator[pl.DataFrame]":
        for frame in parquet_frames(data) if data.suffix.lower() == ".parquet" else _frames(data, types):
            own = list(zip(*islice(scores, frame.height), strict=True))
            yield frame.with_columns(pl.Series(name, of_rows) for name, of_rows in zip(added, own, strict=True))

    register_io_source(scored, schema=schema).sink_parquet(out, maintain_order=True, metadata=metadata)


def _frames(data: Path, types: "Mapping[str, pl.DataType]") -> "Iterator[pl.DataFrame]":
    """Yield the rows of a file that is no table as tables."""
    import polars as pl

    rows = iter_rows(data)
    as_text = {name for name, of in types.items() if of == pl.String()}
    while some := list(islice(rows, SLICE)):
        columns = {
            name: [_as_text(row.get(name)) if name in as_text else row.get(name) for row in some] for name in types
        }
        yield pl.DataFrame(columns, schema=types)


def _kind(value: Any) -> Kind:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return object
    return next((kind for kind in (bool, int, float, str) if isinstance(value, kind)), object)


def _column_type(kinds: set[Kind]) -> "pl.DataType":
    import polars as pl

    if kinds == {bool}:
        return pl.Boolean()
    if kinds == {int}:
        return pl.Int64()
    return pl.Float64() if kinds in ({float}, {int, float}) else pl.String()


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # What JSON does not know, such as a date of Parquet, has a spelling of its own.
    return _json(value) if isinstance(value, int | float | list | dict) else str(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:  # of a number that is not finite, which is rare, and takes long to look for
        return json_line(value).removesuffix("\n")


def _cell(value: Any) -> str:
    return "" if value is None else str(value) if isinstance(value, float) else _as_text(value) or ""
