"""Real users from a run's test file: what they had rated, what they were asked about, and what they said of it.

The file is read where it is needed, a user at a time: a large release has gigabytes of test rows. That works for files
with a row a line and the rows of a user one after another, as `likely prepare` writes them, and JSON Lines. What a
prompt calls an item is looked up in the run's `catalogue`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from likely.config.run_config import RunConfig
from likely.data.dataset_info import Columns
from likely.data.question import history_lines, read_candidate
from likely.data.records import Labels, Record, records_of
from likely.data.run_data import files_of, labels_of
from likely.data.titles import split_title
from likely.data.wording import Words, read_rated
from likely.encoding.prompt import user_turn
from likely.errors import LikelyError
from likely.serving.catalogue import Catalogue, Row

MOST_ROWS = 40
"""Test rows of a user that are shown at most, the earliest."""

WITHOUT_LINES = (".csv", ".parquet")
"""Endings of files of records that have no object of JSON a line."""


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


@dataclass(frozen=True)
class HeldOutFile:
    """A run's test file, and what it takes to read it.

    Attributes:
        path: of the file.
        columns: what it calls its columns, and what answers mean in it.
        labels: the two answers.
        words: in which its prompts speak.
        catalogue: of the items that they name.
    """

    path: Path
    columns: Columns
    labels: Labels
    words: Words
    catalogue: Catalogue

    @classmethod
    def of(cls, config: RunConfig, words: Words, catalogue: Catalogue) -> "HeldOutFile | None":
        """Return the run's test file, or else its evaluation file; None where neither is there."""
        try:
            files = files_of(config)
        except LikelyError:  # the data folder is not where the run was trained
            return None
        path = next((path for path in (files.test, files.eval) if path and path.is_file()), None)
        return cls(path, files.columns, labels_of(config), words, catalogue) if path else None

    @property
    def has_lines(self) -> bool:
        """Whether it may have an object of JSON a line, as its name says."""
        return self.path.suffix.lower() not in WITHOUT_LINES

    def user(self, place: float) -> HeldOutUser:
        """Return the first user whose rows begin after a place of the file.

        Args:
            place: share of the file, from 0 to 1; the search goes on at its beginning.

        Raises:
            LikelyError: it is CSV or Parquet, or no file of `likely prepare`.
        """
        if not self.has_lines:
            raise LikelyError(
                f"Users are looked up in JSON only, and {self.path} is {self.path.suffix[1:]}; give the run the "
                "test.json of likely prepare or JSON Lines, and start the server again."
            )
        try:
            with self.path.open("rb") as file:
                rows = _rows_of_next_user(file, int(place * self.path.stat().st_size))
            return self._user(list(records_of(rows[:MOST_ROWS], self.path, self.labels, self.columns)))
        except (OSError, ValueError, KeyError, TypeError, IndexError, LikelyError) as error:
            raise LikelyError(
                f"{self.path} has no rows of users as likely prepare writes them; prepare the run's records again."
            ) from error

    def _user(self, records: list[Record]) -> HeldOutUser:
        history = []
        for shown, rating in (read_rated(line, self.words) for line in history_lines(user_turn(records[0]))):
            if rating is not None:  # it was rounded for the prompt
                rating = min(max(rating, self.words.lowest), self.words.highest)
            history.append({**self._named(shown), "rating": rating})
        named = [read_candidate(user_turn(record)) for record in records]
        if not all(named):
            raise ValueError("a record names no candidate")
        return HeldOutUser(
            user=str(records[0].user_id),
            history=history,
            candidates=[self._named(one, record.item_id) for one, record in zip(named, records, strict=True)],
            liked=[record.output == self.labels.positive for record in records],
        )

    def _named(self, shown: str, item_id: str | None = None) -> Row:
        """Return an item as the catalogue has it, or else with what its name in a prompt says."""
        row = self.catalogue.named(shown, item_id)
        if row is not None:
            return row
        name, _, details = shown.partition(" | ")
        title, year = split_title(name)
        return {"title": title, "year": year, self.words.details: [details] if details else []}


def _rows_of_next_user(file: IO[bytes], place: int) -> list[Any]:
    """Return all rows of the first user who begins after a place; the first user's where none does before the end."""
    if place:
        file.seek(place)
        file.readline()  # the rest of a line
        rows = _rows_of_one_user(file, after=next(_parsed(file), None))
        if rows:
            return rows
    file.seek(0)
    return _rows_of_one_user(file)


def _rows_of_one_user(file: IO[bytes], after: Any = None) -> list[Any]:
    """Return the rows of the next user other than that of the row `after`, up to where another begins."""
    rows: list[Any] = []
    for row in _parsed(file):
        if rows and row["user_id"] != rows[0]["user_id"]:
            break
        if rows or after is None or row["user_id"] != after["user_id"]:
            rows.append(row)
    return rows


def _parsed(file: IO[bytes]) -> Iterator[Any]:
    for line in file:
        text = line.strip().rstrip(b",")
        if text not in (b"", b"[", b"]"):
            yield json.loads(text)
