"""Another system's predictions of the rows of an evaluation, read from a file, so that it stands in the same table.

`run` enters what comes out beside the models; `likely predict` writes such files too.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from likely.data.records import Record, identifier, row_number
from likely.data.row_files import iter_rows
from likely.errors import LikelyError
from likely.model.answers import FloatRows

Key = tuple[str, ...]


def read_scores(path: Path, rows: Sequence[Record]) -> FloatRows:
    """Return P(Yes) of each row as a file has it.

    Each line has `p_yes` from 0 to 1 and says whose it is: by `user_id` and `item_id`, or by `row`, the place of the
    row in its own file, from 1. Lines may be about rows too that are left out, and by ids about any.

    Args:
        path: JSON Lines, a JSON list, CSV or Parquet.
        rows: records to answer.

    Returns:
        float64 [rows].

    Raises:
        LikelyError: the file cannot be read, has no score for a row or two for one, or one that is no probability.
    """
    if not path.is_file():
        raise LikelyError(f"{path} is no file; name one with p_yes of the rows that are evaluated.")
    lines = list(_lines_of(path))
    by_number = _names_rows([line for _, line in lines])
    scores: dict[Key, float] = {}
    for where, line in lines:
        key = _key(line, ("row",) if by_number else ("user_id", "item_id"), where)
        if key in scores:
            raise LikelyError(f"{where} has a second score for {_spoken(key)}; give one for each row.")
        scores[key] = _probability(line, where)
    numbers = [row_number(row, place) for place, row in enumerate(rows)]
    wanted = [_wanted(number, row, by_number, path) for number, row in zip(numbers, rows, strict=True)]
    if len(set(wanted)) < len(wanted):
        twice = next(key for key, times in Counter(wanted).items() if times > 1)
        raise LikelyError(
            f"{path} names its scores by ids, and {_spoken(twice)} have several rows; give row in each line."
        )
    missing = [key for key in wanted if key not in scores]
    if missing:
        raise LikelyError(
            f"{path} has no score for {len(missing):,} of {len(rows):,} rows, such as {_spoken(missing[0])}; "
            "score the very rows that are evaluated."
        )
    if by_number and len(scores) > len(rows) == max(numbers):  # of all rows of a file
        raise LikelyError(
            f"{path} has {len(scores):,} scores by row for {len(rows):,} rows; score the very rows that are evaluated."
        )
    return np.array([scores[key] for key in wanted])


def _lines_of(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the lines of a file, and what messages call each."""
    for number, line in enumerate(iter_rows(path), start=1):
        where = f"{path}, row {number}"
        if not isinstance(line, Mapping):
            raise LikelyError(f"{where} is no object; give p_yes with user_id and item_id, or with row.")
        yield where, line


def _names_rows(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether `row` says whose scores lines are: where ids are missing, or do not tell all lines apart."""
    pairs = [tuple(identifier(line.get(name)) for name in ("user_id", "item_id")) for line in lines]
    if any(None in pair for pair in pairs):
        return True
    return len(set(pairs)) < len(pairs) and all(identifier(line.get("row")) is not None for line in lines)


def _key(line: Mapping[str, Any], names: Sequence[str], where: str) -> Key:
    values = tuple(value for name in names if (value := identifier(line.get(name))) is not None)
    if len(values) < len(names):
        raise LikelyError(f"{where} has neither user_id and item_id nor row; add what says whose score it is.")
    return values


def _probability(line: Mapping[str, Any], where: str) -> float:
    try:
        p_yes = float(line.get("p_yes", math.nan))
    except (TypeError, ValueError):
        p_yes = math.nan
    if not 0 <= p_yes <= 1:
        raise LikelyError(f"{where} has p_yes {line.get('p_yes')!r}; give a probability from 0 to 1.")
    return p_yes


def _wanted(number: int, row: Record, by_number: bool, path: Path) -> Key:
    if by_number:
        return (str(number),)
    if row.user_id is None or row.item_id is None:
        raise LikelyError(f"Row {number} has no user_id or item_id, by which {path} names its scores; use row instead.")
    return row.user_id, row.item_id


def _spoken(key: Key) -> str:
    return f"row {key[0]}" if len(key) == 1 else f"user {key[0]} and item {key[1]}"
