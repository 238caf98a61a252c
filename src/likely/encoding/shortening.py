"""Which lines and items of a record are old history, so that an over-long prompt may do without them.

`prompt` asks, and leaves out the oldest first: earlier turns, lines of a list, and then items of lists that stand in
one line, as in `Liked: "Heat", "Alien", "Ronin"`. Instruction, question and answer are never touched.

Records of long windows show their user's history from one place on, and are cut at anchors: where one outgrows
`cutoff_len`, half as many tokens go at once, so that the user's next records, too, begin where it begins. That is the
rule of anchored windows (:func:`likely.data.timelines.window_start`), in tokens.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from likely.data.question import MARK
from likely.data.records import Record

HISTORY_LINE = re.compile(rf"^\s*[-*•] (?!.*{re.escape(MARK)}\s*$)")
"""What a line of a list looks like, but for that of a candidate."""

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


def lines_to_drop(lengths: Sequence[int], excess: int, cutoff_len: int | None = None) -> int:
    """Return how many of the oldest lines of a history hold `excess` tokens; all of them if they hold fewer.

    >>> lines_to_drop([10] * 9, excess=15)
    2

    With a `cutoff_len`, anchors stand every half of it. The history begins at the first that leaves out enough, unless
    nothing would be left:

    >>> [lines_to_drop([10] * 9, excess, cutoff_len=80) for excess in (1, 15, 40, 41, 81)]
    [4, 4, 4, 8, 9]

    Args:
        lengths: of the lines, oldest first, in tokens.
        excess: tokens that are too many.
        cutoff_len: most tokens of a prompt, for records that are cut at anchors.
    """
    ends = list(accumulate(lengths))
    if cutoff_len is not None:
        anchor = cutoff_len // 2
        at_anchor = bisect_left(ends, -(-excess // anchor) * anchor) + 1
        if at_anchor < len(lengths):
            return at_anchor
    return min(bisect_left(ends, excess) + 1, len(lengths))


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
