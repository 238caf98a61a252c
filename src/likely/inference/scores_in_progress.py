"""Scores of a file's rows while they are being computed: kept beside the output, so that a killed command can go on.

`predict` appends to it window by window and reads it back when all rows are scored. The first line says what the scores
are made with and on which day they were begun, and every other one has the scores of a row.
"""

import datetime
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from likely.errors import LikelyError
from likely.files import replacing, writing
from likely.model.answers import FloatRows

MadeWith = Mapping[str, str | int | bool | None]
"""Everything that scores depend on, by what it is called in messages."""

BEGUN = "begun"


@dataclass(frozen=True)
class ScoresInProgress:
    """The file beside an output.

    Attributes:
        path: of the file.
        window: rows that are appended together; of a window that was not finished nothing counts.
    """

    path: Path
    window: int

    @classmethod
    def beside(cls, output: Path, window: int) -> "ScoresInProgress":
        """Return the file that belongs to an output."""
        return cls(output.with_name(f"{output.name}.partial"), window)

    def begin(self, made_with: MadeWith, resume: bool) -> tuple[int, datetime.date]:
        """Make the file, or find out how many rows of it can be kept.

        Args:
            made_with: of the scores that are going to be appended.
            resume: whether to keep what is there.

        Returns:
            Rows that are done, and the day on which the first of them was begun.

        Raises:
            LikelyError: there is a file, and it is not to be kept, is damaged, or was made with something else; or it
                cannot be written.
        """
        if not self.path.exists():
            day = datetime.date.today()
            with replacing(self.path) as out:
                out.write(json.dumps({**made_with, BEGUN: day.isoformat()}) + "\n")
            return 0, day
        if not resume:
            raise LikelyError(
                f"{self.path} holds scores of a command that did not finish; go on with --resume, or delete it."
            )
        with writing(self.path), self.path.open("r+b") as file:
            header = file.readline()
            day = self._check(header, made_with)
            kept, rows, place = (0, len(header)), 0, len(header)
            for line in file:
                rows, place = rows + 1, place + len(line)
                if rows % self.window == 0 and line.endswith(b"\n"):
                    kept = (rows, place)
            file.truncate(kept[1])
        return kept[0], day

    def append(self, scores: Sequence[FloatRows]) -> None:
        """Add the scores of a window, so that they outlast the process.

        Args:
            scores: one array for each column, float64 [rows].
        """
        lines = (" ".join(map(repr, row)) + "\n" for row in zip(*(column.tolist() for column in scores), strict=True))
        with writing(self.path), self.path.open("a", encoding="utf-8") as out:
            out.writelines(lines)
            out.flush()
            os.fsync(out.fileno())

    def read(self) -> Iterator[list[float]]:
        """Yield the scores of each row.

        Raises:
            LikelyError: the file is damaged.
        """
        with self.path.open("rb") as file:
            next(file)
            for line in file:
                try:
                    yield [float(score) for score in line.split()]
                except ValueError as error:
                    raise LikelyError(f"{self.path} is damaged; delete it and start anew.") from error

    def _check(self, header: bytes, made_with: MadeWith) -> datetime.date:
        """Return the day on which scores were begun, unless they were made with something else."""
        try:
            before = json.loads(header)
            day = datetime.date.fromisoformat(before[BEGUN])
            known = {**dict.fromkeys(before.keys() - {BEGUN}), **made_with}
            changed = [f"{name}: {before.get(name)} -> {now}" for name, now in known.items() if before.get(name) != now]
        except (ValueError, KeyError, TypeError) as error:
            raise LikelyError(f"{self.path} is damaged or of another version of likely; delete it.") from error
        if changed:
            raise LikelyError(
                f"{self.path} was made with something else ({'; '.join(changed)}); set it back to go on with --resume, "
                "or delete the file to start anew."
            )
        return day
