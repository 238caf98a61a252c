"""Records of long windows are cut at anchors, so that what a user's records share survives the cut."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.question import NO_HISTORY, show_question
from likely.data.records import Labels, Record
from likely.encoding.order import shared_runs
from likely.encoding.prefix_tree import chain_lengths, shared_length
from likely.encoding.prompt import PromptBuilder
from likely.encoding.shortening import lines_to_drop

CUTOFF = 400


def growing_records(count: int, anchored: bool) -> list[Record]:
    """Records of one user, each with one movie more in its history."""
    history: list[str] = []
    records = []
    for place in range(count):
        asked = "\n".join(["History, oldest first:", *history, f"Candidate: Movie {place} ({1950 + place})"])
        extra = {"cut_at_anchors": True} if anchored else {}
        records.append(Record("Will this user like the candidate?", asked, "Yes" if place % 3 else "No", extra=extra))
        history.append(f"- Movie {place} ({1950 + place}) | Drama{', Crime' * (place % 4)} | rated {place % 5 + 1}")
    return records


@pytest.fixture(scope="module")
def short(builder: PromptBuilder) -> PromptBuilder:
    return PromptBuilder(builder.tokenizer, Labels(), CUTOFF)


def test_records_between_two_anchors_begin_alike(short: PromptBuilder) -> None:
    encoded = short.encode_all(growing_records(120, anchored=True))
    assert all(len(record.input_ids) < CUTOFF for record in encoded)
    changes = [n for n, (one, other) in enumerate(pairwise(encoded)) if one.dropped_lines != other.dropped_lines]
    assert 4 < len(changes) < 40
    for one, other in pairwise(encoded):
        if one.dropped_lines == other.dropped_lines:
            assert shared_length(one.input_ids, other.input_ids) > len(one.input_ids) - 40
    whole, newest_only = (sum(chain_lengths([r.input_ids for r in records])[1]) for records in (
        encoded, short.encode_all(growing_records(120, anchored=False))
    ))  # fmt: skip
    assert 2 * whole < newest_only
    assert len(shared_runs(encoded)) <= len({record.dropped_lines for record in encoded})


@pytest.mark.parametrize("hint", ["", "This user liked earlier movies."])
def test_a_candidate_that_is_shown_as_a_line_is_never_left_out(builder: PromptBuilder, hint: str) -> None:
    history = [f"- Movie {place} (1950) | Drama | rated 4" for place in range(4)]
    none, some = (
        Record("Liked?", show_question(lines, "Ronin (1998) | Action", hint, as_line=True), "Yes")
        for lines in ([], history)
    )
    alone = replace(none, input=none.input.replace(f"{NO_HISTORY}\n", ""))
    shortest = len(builder.encode(alone).input_ids)
    encoded = PromptBuilder(builder.tokenizer, Labels(), shortest + 1).encode(some)
    assert encoded.dropped_lines == len(history)
    assert encoded.input_ids.tolist() == builder.encode(alone).input_ids.tolist()


def test_what_is_left_of_a_record_is_its_newest_history_and_what_was_dropped_is_counted(short: PromptBuilder) -> None:
    record = growing_records(90, anchored=True)[-1]
    encoded = short.encode(record)
    lines = record.input.split("\n")
    shorter = "\n".join([lines[0], *lines[1 + encoded.dropped_lines :]])
    assert 0 < encoded.dropped_lines < 89
    assert encoded.input_ids.tolist() == short.encode(replace(record, input=shorter)).input_ids.tolist()


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40), excess=st.integers(1, 600), half=st.integers(8, 90)
)
def test_enough_is_dropped_and_some_history_stays_where_some_can(lengths: list[int], excess: int, half: int) -> None:
    fewest = next((n for n in range(1, len(lengths) + 1) if sum(lengths[:n]) >= excess), len(lengths))
    assert lines_to_drop(lengths, excess) == fewest
    at_anchor = lines_to_drop(lengths, excess, 2 * half)
    assert at_anchor >= fewest
    assert sum(lengths[: at_anchor - 1]) < excess + half
    assert at_anchor < len(lengths) or fewest == at_anchor or sum(lengths[:-1]) < excess + half
    # The anchor does not depend on the record but only on the steps that it is too long by.
    assert at_anchor == fewest or at_anchor == lines_to_drop(lengths, -(-excess // half) * half, 2 * half)
