"""What forward passes have given, kept in a file as they are computed, so that a killed command need not repeat them.

`scoring` asks it before each pass and adds to it after. The first line says what the numbers are of, and each other one
has the place of a record and its numbers. A line that was not finished counts for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likely.files import writing


@dataclass(frozen=True)
class KeptPasses:
    """Numbers of records that are computed already, and the file where those of others go.

    Attributes:
        path: of the file.
        known: numbers by the place of their record.
    """

    path: Path
    known: dict[int, list[float]]

    @classmethod
    def open(cls, path: Path, made_with: str, numbers: int) -> "KeptPasses":
        """Read what is there, or begin anew where nothing is or it was made with something else.

        Args:
            path: of the file.
            made_with: stands for everything that the numbers depend on.
            numbers: of each record.

        Raises:
            LikelyError: the file cannot be written.
        """
        header = f"{made_with}\n".encode()
        known: dict[int, list[float]] = {}
        with writing(path), path.open("a+b") as file:
            file.seek(0)
            whole = len(header) if file.readline() == header else 0
            for line in file if whole else ():
                words = line.split()
                if len(words) != 1 + numbers or not line.endswith(b"\n"):
                    break
                try:
                    known[int(words[0])] = [float(word) for word in words[1:]]
                except ValueError:
                    break
                whole += len(line)
            file.truncate(whole)
            if not whole:
                file.write(header)
        return cls(path, known)

    def of(self, records: Sequence[int]) -> NDArray[np.float64] | None:
        """Return the numbers of a pass, float64 [numbers, records], or None unless those of all its records are known.

        Args:
            records: places of the records of the pass.
        """
        if not all(record in self.known for record in records):
            return None
        return np.array([self.known[record] for record in records]).T

    def add(self, records: Sequence[int], numbers: NDArray[np.float64]) -> None:
        """Write the numbers of a pass, so that they outlast the process.

        Args:
            records: their places.
            numbers: float64 [numbers, records].

        Raises:
            LikelyError: they cannot be written.
        """
        lines = [
            " ".join(map(repr, [record, *own])) + "\n" for record, own in zip(records, numbers.T.tolist(), strict=True)
        ]
        with writing(self.path), self.path.open("a", encoding="utf-8") as out:
            out.writelines(lines)
