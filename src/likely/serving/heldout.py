"""Real users from a run's test file: what they had rated, what they were asked about, and what they said of it.

The file is read where it is needed, a user at a time: a large release has gigabytes of test rows. That works for files
of `likely prepare`, which have a row a line and the rows of a user one after another.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from likely.config.run_config import RunConfig
from likely.data.run_data import files_of
from likely.data.wording import CANDIDATE_LINE, RATED_LINE
from likely.errors import LikelyError
from likely.serving.catalogue import Row

MOST_ROWS = 40
"""Test rows of a user that are shown at most, the earliest."""


@dataclass(frozen=True)
class HeldOutUser:
    """One user of the test rows.

    Attributes:
        user: their id.
        history: what they had rated before the first test row, with their ratings; oldest first.
        candidates: what the test rows ask about.
        liked: whether they liked each of these.
    """

    user: str
    history: list[Row]
    candidates: list[Row]
    liked: list[bool]


def held_out_file(config: RunConfig) -> Path | None:
    """Return the run's test file, or else its evaluation file; None where neither is there."""
    try:
        files = files_of(config)
    except LikelyError:  # the data folder is not where the run was trained
        return None
    return next((path for path in (files.test, files.eval) if path and path.is_file()), None)


def held_out_user(path: Path, place: float, positive_label: str, named: Mapping[str, Row]) -> HeldOutUser:
    """Return the first user whose rows begin after a place of the file.

    Args:
        path: of the file.
        place: share of the file, from 0 to 1; the search goes on at its beginning.
        positive_label: what the output of a liked row is.
        named: rows of the catalogue by what a prompt calls their movies.

    Raises:
        LikelyError: the file is not of `likely prepare`.
    """
    try:
        with path.open("rb") as file:
            file.seek(int(place * path.stat().st_size))
            rows = _rows_of_next_user(file)
        return _user(rows[:MOST_ROWS], positive_label, named)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise LikelyError(
            f"{path} has no rows of users as likely prepare writes them; prepare the run's records again."
        ) from error


def _rows_of_next_user(file: IO[bytes]) -> list[Any]:
    """Return all rows of the next user; the first user's where no other begins before the end."""
    file.readline()  # the rest of a line, or the bracket that opens the list
    first = next(_parsed(file), None)
    rows: list[Any] = []
    for row in _parsed(file):
        if rows and row["user_id"] != rows[0]["user_id"]:
            return rows
        if rows or first is None or row["user_id"] != first["user_id"]:
            rows.append(row)
    if rows:
        return rows
    file.seek(0)
    file.readline()
    for row in _parsed(file):
        if rows and row["user_id"] != rows[0]["user_id"]:
            break
        rows.append(row)
    return rows


def _parsed(file: IO[bytes]) -> Iterator[Any]:
    for line in file:
        text = line.strip().rstrip(b",")
        if text not in (b"", b"[", b"]"):
            yield json.loads(text)


def _user(rows: list[Any], positive_label: str, named: Mapping[str, Row]) -> HeldOutUser:
    history = []
    for line in RATED_LINE.finditer(rows[0]["input"]):
        shown = line[0].removeprefix("- ").rpartition(" | rated ")[0]
        history.append({**named.get(shown, {"title": shown}), "rating": float(line[1])})
    asked = [CANDIDATE_LINE.findall(row["input"])[-1] for row in rows]
    return HeldOutUser(
        user=str(rows[0]["user_id"]),
        history=history,
        candidates=[named.get(name, {"title": name}) for name in asked],
        liked=[row["output"] == positive_label for row in rows],
    )
