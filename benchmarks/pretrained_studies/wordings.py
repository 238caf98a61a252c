"""Other words for the same records: the candidate as a line like those of the history, and shorter lines.

A candidate that is written as a history line begins as the line does that stands for it in the user's next records, so
that a tree computes it once.

    (named)         - Heat (1995) | Action, Crime, Drama | rated 4     Candidate: Heat (1995) | Action, Crime, Drama
    marked          as named                                           - Heat (1995) | Action, Crime, Drama | candidate
    bare            as named                                           - Heat (1995) | Action, Crime, Drama
    short           - Heat (1995) Action, Crime: 4                     Candidate: Heat (1995) Action, Crime
    short-marked    as short                                           - Heat (1995) Action, Crime: candidate
    short-bare      as short                                           - Heat (1995) Action, Crime

Short lines keep title and year, and two genres at most. The question, a hint and all else stay as they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from likely.data.question import NAMED, Question, history_lines, read_question
from likely.data.wording import read_rated

GENRES = 2
"""Most genres of a short line."""


def as_it_is(text: str) -> str:
    return text


def marked(text: str) -> str:
    """Return an input as `likely prepare --candidate-line` writes it."""
    return replace(_question(text), as_line=True).text


def bare(text: str) -> str:
    """Return an input whose candidate is a history line without a rating."""
    return _with_candidate(text, lambda candidate: f"- {candidate}")


def short(text: str) -> str:
    """Return an input with short lines, and the candidate named."""
    return _shortened(text, lambda candidate: f"{NAMED}{candidate}")


def short_marked(text: str) -> str:
    """Return an input with short lines, the candidate's with a mark where others have the rating."""
    return _shortened(text, lambda candidate: f"- {candidate}: candidate")


def short_bare(text: str) -> str:
    """Return an input with short lines, the candidate's without a rating."""
    return _shortened(text, lambda candidate: f"- {candidate}")


WORDINGS: Mapping[str, Callable[[str], str]] = {
    "": as_it_is,
    "-marked": marked,
    "-bare": bare,
    "-short": short,
    "-short-marked": short_marked,
    "-short-bare": short_bare,
}
"""By what the folders of their records are called after the window."""


def _with_candidate(text: str, write: Callable[[str], str]) -> str:
    question = _question(text)
    return f"{question.before}{write(question.candidate)}{question.after}"


def _question(text: str) -> Question:
    question = read_question(text)
    assert question, text
    return question


def _shortened(text: str, write: Callable[[str], str]) -> str:
    short_candidate = _with_candidate(text, lambda candidate: write(_short_item(candidate)))
    heading, *lines = short_candidate.split("\n")
    history = len(history_lines(text))
    return "\n".join([heading, *map(_short_line, lines[:history]), *lines[history:]])


def _short_line(line: str) -> str:
    item, rating = read_rated(line)
    return f"- {_short_item(item)}: {rating:g}"


def _short_item(item: str) -> str:
    named, bar, genres = item.rpartition(" | ")
    return f"{named} {', '.join(genres.split(', ')[:GENRES])}" if bar else item
