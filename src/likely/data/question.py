"""A record's input: a history, a candidate and perhaps a hint, as lines, and how they are read back.

`wording` gives the lines of a history, the name of a candidate and the hint. `timelines` writes inputs with them for
training, `inference.ranking` asks about new candidates in the same form, and `evaluation` takes inputs apart again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

NO_HISTORY = "(nothing yet)"
"""Stands in place of a history without lines, which only a given split has."""

NAMED, MARK = "Candidate: ", " | candidate"
"""What stands before a candidate that is named, and what after one that is shown as a line of the history."""


@dataclass(frozen=True)
class Question:
    """A record's input, which is its parts one after the other.

    Attributes:
        before: all lines before the candidate's, its history above all.
        candidate: as :func:`show_item` names it.
        after: what follows that line, such as a line with a hint; may be empty.
        as_line: whether the candidate is shown as lines of the history show items, so that a tree computes it once with
            the line that it becomes.
    """

    before: str
    candidate: str
    after: str = ""
    as_line: bool = False

    @property
    def text(self) -> str:
        """The input."""
        asked = f"- {self.candidate}{MARK}" if self.as_line else f"{NAMED}{self.candidate}"
        return f"{self.before}{asked}{self.after}"


def show_question(history: Sequence[str], candidate: str, hint: str = "", as_line: bool = False) -> str:
    """Return a record's input: the lines of its history, oldest first, its candidate, and a hint if there is one.

    What is different in every record comes last, so that records of one history begin alike.

    >>> print(show_question(["- Heat | rated 4"], "Ronin (1998)", "This user liked earlier movies."))
    History, oldest first:
    - Heat | rated 4
    Candidate: Ronin (1998)
    This user liked earlier movies.
    >>> print(show_question(["- Heat | rated 4"], "Ronin (1998)", as_line=True))
    History, oldest first:
    - Heat | rated 4
    - Ronin (1998) | candidate
    """
    shown = "\n".join(history) or NO_HISTORY
    return Question(f"History, oldest first:\n{shown}\n", candidate, f"\n{hint}" if hint else "", as_line).text


def read_question(text: str) -> Question | None:
    """Return the parts of a record's input; None where it has no candidate.

    It is the last that is named, or where none is, the last line that is marked.
    """
    before, found, rest = f"\n{text}".rpartition(f"\n{NAMED}")
    if found:
        candidate, line_end, after = rest.partition("\n")
        return Question(f"{before}\n"[1:], candidate, line_end + after)
    before, found, rest = f"{text}\n".rpartition(f"{MARK}\n")
    before, line_begin, candidate = f"\n{before}".rpartition("\n- ")
    if found and line_begin and "\n" not in candidate:
        return Question(f"{before}\n"[1:], candidate, f"\n{rest}"[:-1], as_line=True)
    return None


def read_candidate(text: str) -> str:
    """Return how a record's input names its candidate; empty where it does not."""
    question = read_question(text)
    return question.candidate if question else ""


def history_lines(text: str) -> list[str]:
    """Return the lines of a record's input that tell of its history, oldest first."""
    question = read_question(text)
    told = question.before if question and question.as_line else text
    return [line for line in told.split("\n") if line.startswith("- ")]
