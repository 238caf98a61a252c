"""Which lines and items of a record are old history, so that an over-long prompt may do without them.

`prompt` asks, and leaves out the oldest first: earlier turns, lines of a list, and then items of lists that stand in
one line, as in `Liked: "Heat", "Alien", "Ronin"`. Instruction, question and answer are never touched.
"""

import re
from dataclasses import replace
from itertools import pairwise

from likely.data.records import Record

HISTORY_LINE = re.compile(r"^\s*[-*•] ")
"""What a line of a list looks like."""

FEWEST_ITEMS = 5
"""A line with fewer items is not taken for a history: it may say what the candidate is."""

_NAMED = re.compile(r"([^:：|]{1,80}[:：][ \t]*)([^|]+)")
_BETWEEN = (re.compile(r"(?<=[\"”»']), *(?=[\"“«'])"), re.compile(r"; +"), re.compile(r", +"))


def last_run(places: list[int]) -> list[int]:
    """Return the end of a list of ascending places from which on each follows the one before it.

    >>> last_run([2, 3, 7, 8, 9])
    [7, 8, 9]
    """
    gaps = [index for index, (one, other) in enumerate(pairwise(places), start=1) if other > one + 1]
    return places[gaps[-1] :] if gaps else places


def droppable_items(record: Record) -> int:
    """Return how many items of lists in one line a record can do without; each of these lists keeps its newest."""
    return sum(len(items) - 1 for _, items in _listings(record).values())


def without_items(record: Record, count: int) -> Record:
    """Return a record without so many of the oldest items, each from the list that has the most left by then."""
    listings = _listings(record)
    dropped = dict.fromkeys(listings, 0)
    for _ in range(count):
        longest = max(listings, key=lambda line: len(listings[line][1]) - dropped[line])
        dropped[longest] += 1
    lines = _text(record).split("\n")
    for line, (name, items) in listings.items():
        lines[line] = name + "".join(items[dropped[line] :])
    text = "\n".join(lines)
    return replace(record, input=text) if record.input else replace(record, instruction=text)


def _text(record: Record) -> str:
    return record.input or record.instruction


def _listings(record: Record) -> dict[int, tuple[str, list[str]]]:
    """Return the lists that stand in a line, by its number: their name, and their items with what divides them.

    The last line asks the question, and the first line of an instruction says what is asked.
    """
    lines = _text(record).split("\n")
    found = {}
    for place in range(0 if record.input else 1, len(lines) - 1):
        named = _NAMED.fullmatch(lines[place])
        between = next((pattern for pattern in _BETWEEN if named and pattern.search(named[2])), None)
        if named and between:
            ends = [match.end() for match in between.finditer(named[2])]
            items = [named[2][start:end] for start, end in pairwise([0, *ends, len(named[2])])]
            if len(items) >= FEWEST_ITEMS:
                found[place] = (named[1], items)
    return found
