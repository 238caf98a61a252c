"""One user's records as the tree that training computes, drawn for a terminal: what they share is there once.

Takes records and the builder of their prompts (`encoding.prompt`), finds the tree's unforked stretches by way
of `encoding.prefix_tree`, and gives what `cli` prints and `picture` saves::

    │ User: Will they like the candidate?     a segment: a stretch without forks
    │ - Heat (1995) | rated 5
    ├── Candidate: Ronin (1998)               a record ends where a line ends in a branch
    ├─┐ - Alien (1979) | rated 4              a branch that forks again has a line of its own
    │ ├── Candidate: Aliens (1986)
    │ └── Candidate: Gattaca (1997)
    │ - Ronin (1998) | rated 3                the last branch of a fork goes straight on
    └── Candidate: Alien (1979)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from likely.data.records import Record
from likely.encoding.prefix_tree import TokenIds, build_tree
from likely.encoding.prompt import PromptBuilder
from likely.report.words import count

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HEAD, TAIL = 1, 2
"""Lines shown of the beginning and of the end of a long segment."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a prefix tree in which nothing forks and no record ends before its last token.

    Attributes:
        record: the first of the records that run through it.
        start: depth of its first token; its tokens are `start` to `end` of each of these records.
        end: first depth after its last token.
        ends: the records whose last token is its last one.
        branches: what grows from it, in the order of their first records.
    """

    record: int
    start: int
    end: int
    ends: list[int]
    branches: list["Segment"]

    def __len__(self) -> int:
        """Return the number of its tokens."""
        return self.end - self.start


@dataclass(frozen=True)
class Line:
    """One line of a drawing: the tree's own lines, then a line of a prompt.

    Attributes:
        guide: box-drawing characters that lead to the text.
        text: the line of the prompt.
        tokens: size of the segment that begins here; None within one.
        ends: the records that end here.
    """

    guide: str
    text: Text
    tokens: int | None
    ends: list[int]


def find_segments(sequences: Sequence[TokenIds]) -> list[Segment]:
    """Return the prefix tree of token sequences as segments, those at its roots.

    A segment is contiguous in depth-first order, and within it all subtrees end together; so one
    begins where `subtree_end` changes, and after the last token of a record.

    Args:
        sequences: token ids, int32 [length] each; an empty one is on no segment.
    """
    tree = build_tree(sequences)
    ends: dict[int, list[int]] = {}
    for record, nodes in enumerate(tree.nodes):
        if len(nodes):
            ends.setdefault(int(nodes[-1]) + 1, []).append(record)
    changes = np.flatnonzero(np.diff(tree.subtree_end)) + 1
    grown: dict[int, Segment] = {}

    def side_by_side(place: int, stop: int) -> list[Segment]:
        found = []
        while place < stop:
            found.append(grown[place])
            place = int(tree.subtree_end[place])
        return sorted(found, key=lambda segment: segment.record)

    for first, after in reversed(list(pairwise(sorted({0, *changes.tolist(), *ends})))):
        branches = side_by_side(after, int(tree.subtree_end[first]))
        ending = ends.get(after, [])
        record = min([*ending, *(branch.record for branch in branches)])
        start = int(tree.position_ids[first])
        grown[first] = Segment(record, start, start + after - first, ending, branches)
    return side_by_side(0, len(tree))


def draw_lines(root: Segment, texts_of: Callable[[Segment], list[Text]], outer: str = "") -> list[Line]:
    """Draw what grows from a segment.

    Args:
        root: the segment, drawn along a vertical line, as the last branch of every fork is.
        texts_of: what to write of a segment, at least one line.
        outer: the vertical lines to the left of it.

    Returns:
        The lines, top to bottom.
    """
    drawn: list[Line] = []
    straight = [root]
    while straight:
        segment = straight.pop()
        texts = texts_of(segment)
        guides = [f"{outer}│ "] * len(texts)
        if not segment.branches:
            guides[-1] = f"{outer}└── "
        own = [Line(guide, text, None, []) for guide, text in zip(guides, texts, strict=True)]
        own[0] = replace(own[0], tokens=len(segment))
        own[-1] = replace(own[-1], ends=segment.ends)
        drawn += own
        for branch in segment.branches[:-1]:
            first, *others = draw_lines(branch, texts_of, f"{outer}│ ")
            drawn += [replace(first, guide=f"{outer}├─┐ " if others else f"{outer}├── "), *others]
        straight = segment.branches[-1:]
    return drawn


def draw_records(builder: PromptBuilder, records: Sequence[Record], title: str) -> Group:
    """Draw the prefix tree of records, as they are trained on, in whatever width a console has.

    Args:
        builder: of the prompts.
        records: at least one.
        title: above the drawing.

    Returns:
        The drawing with the size of every segment and each record's answer, and the sizes summed up.
    """
    encoded = builder.encode_all(records)
    sequences = [record.input_ids for record in encoded]
    closing = builder.closing(records[0])  # it would be the same in every leaf

    def drawn_text(segment: Segment) -> str:
        text = segment_text(builder.tokenizer, sequences[segment.record], segment)
        place = text.rfind(closing)
        return text[:place] if segment.ends and place >= 0 else text

    def with_leaf(segment: Segment) -> Segment:
        """Let a record that nothing forks from end in a segment of its own: its last line."""
        if segment.branches:
            return replace(segment, branches=[with_leaf(branch) for branch in segment.branches])
        above = drawn_text(segment).rpartition("\n")[0]
        split = segment
        for depth in range(segment.end - 1, segment.start, -1):
            upper = replace(segment, end=depth, ends=[])
            if not above or not drawn_text(upper).startswith(f"{above}\n"):
                break
            split = replace(upper, branches=[replace(segment, start=depth)])
        return split

    def texts_of(segment: Segment) -> list[Text]:
        return abridged(drawn_text(segment))

    def answers(ends: Sequence[int]) -> Text:
        coloured = [Text(records[end].output, "green" if encoded[end].liked else "red") for end in ends]
        return Text(", ").join(coloured)

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(Text(title))
    table.add_column("answer", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    drawn = [line for root in find_segments(sequences) for line in draw_lines(with_leaf(root), texts_of)]
    for line in drawn:
        text = Text.assemble((line.guide, "cyan"), line.text, no_wrap=True, overflow="ellipsis")
        size = "" if line.tokens is None else f"{line.tokens:,}"
        table.add_row(text, answers(line.ends), size)

    alone, together = sum(map(len, sequences)), sum(line.tokens or 0 for line in drawn)
    total = (
        f"{count(len(records), 'record')}, {alone:,} tokens alone, {together:,} in the tree ({alone / together:.1f}x)"
    )
    notes = [Text(f"Counted in every leaf but not drawn: {closing}".replace("\n", "⏎"), "dim")] if closing else []
    return Group(table, "", *notes, Text(total, "bold"))


def segment_text(tokenizer: "PreTrainedTokenizerBase", sequence: TokenIds, segment: Segment) -> str:
    """Return what a segment adds to the text before it.

    Args:
        tokenizer: decodes the tokens.
        sequence: token ids of a record that runs through the segment, int32 [length].
        segment: where. A character whose bytes it shares with the next one belongs to the next.

    Returns:
        The text, after an ellipsis where it begins within a line.
    """

    def text_until(depth: int) -> str:
        text = tokenizer.decode(sequence[:depth].tolist(), clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text.rstrip("\N{REPLACEMENT CHARACTER}")

    before, whole = text_until(segment.start), text_until(segment.end)
    within_line = before and not before.endswith("\n")
    return ("…" if within_line else "") + whole[len(before) :]


def abridged(text: str) -> list[Text]:
    """Return the lines of a text, of a long one only its beginning and its end."""
    lines = [Text(line) for line in text.removesuffix("\n").split("\n")]
    left_out = len(lines) - HEAD - TAIL
    if left_out < 2:
        return lines
    return [*lines[:HEAD], Text(f"... {left_out} more lines ...", "dim italic"), *lines[-TAIL:]]
