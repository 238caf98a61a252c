"""A candidate that no record asks about gets the hint that likely prepare would have given it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from likely.data.question import read_candidate, read_question
from likely.data.records import Labels
from likely.data.shares import Shares
from likely.data.wording import MOVIES, hint
from likely.evaluation.given import Given
from likely.evaluation.ranking_hints import Hints
from likely.evaluation.ranking_metrics import rank_items

LABELS = Labels()


@pytest.fixture(scope="module")
def hints(prepared):
    train, earlier, rows = prepared
    return Hints([*train, *earlier, *rows], len(train), LABELS, MOVIES)


@pytest.mark.parametrize("short", [False, True])
def test_what_a_row_asks_about_gets_the_hint_that_it_has_without_similar_movies(prepared, hints, short):
    """All rows of all parts, whatever was rated at the same time."""
    hints = replace(hints, short=short)
    similar = 0
    for row in (record for part in prepared for record in part):
        line = read_candidate(row.input)
        names = vars(Shares(*[math.nan] * 5))
        shares = Shares(**{name: row.extra["shares"].get(name, math.nan) for name in names})
        similar += not math.isnan(shares.of_similar)
        said = hint(replace(shares, of_similar=math.nan), MOVIES, short)
        assert hints.of_candidates(row, [row.item_id], [line]) == [said]
    assert similar > 100


def test_a_share_that_is_unknown_may_be_left_out_or_empty_as_in_a_table(prepared, hints):
    row = prepared[0][0]
    said = []
    for shares in ({"of_all": 0.5}, {"of_all": 0.5, "above": None}):
        own = replace(row, extra={**row.extra, "shares": shares})
        one = Hints([own, *hints.records[1:]], hints.training, LABELS, MOVIES)
        said.append(one.of_candidates(own, [row.item_id], [read_candidate(row.input)]))
    assert said[0] == said[1]


def test_nothing_that_others_say_later_or_in_held_out_rows_is_told(prepared, hints):
    train, earlier, rows = prepared
    row = min(rows, key=lambda one: one.extra["timestamp"])
    moved = [
        replace(one, output="No" if one.output == "Yes" else "Yes")
        if one.user_id != row.user_id and (part is not train or one.extra["timestamp"] >= row.extra["timestamp"])
        else one
        for part in prepared
        for one in part
    ]
    asked = {one.item_id: read_candidate(one.input) for part in prepared for one in part}
    others = {one.item_id for one in train if one.user_id == row.user_id}
    items = sorted(asked.keys() - others)
    changed = Hints(moved, len(train), LABELS, MOVIES)
    lines = [asked[item] for item in items]
    own = moved[next(place for place, one in enumerate([*train, *earlier, *rows]) if one is row)]
    assert hints.of_candidates(row, items, lines) == changed.of_candidates(own, items, lines)


@pytest.mark.parametrize("new", [False, True])
def test_an_adapter_with_hints_is_ranked_and_what_its_hints_leave_out_is_said(prepared, new):
    """Prompts are as they were before candidates could be lines and hints short, or as they may be since."""
    train, earlier, rows = (
        [replace(one, input=replace(read_question(one.input), as_line=new).text) for one in part] for part in prepared
    )
    seen = []

    def ask(records):
        seen.extend(records)
        return np.zeros(len(records))

    ranking, notes = rank_items(Given(train, rows, LABELS, earlier, MOVIES, short_hints=new), 3, ask)
    assert ranking.results[-1].name == "with the adapter"
    assert notes == ["Among all items, hints say nothing of similar ones, as those of likely rank."]
    assert len({record.item_id for record in seen}) > 10
    first = {row.user_id: row for row in reversed(rows)}
    for record in seen:
        *history, line, last = record.input.split("\n")
        assert history == first[record.user_id].input.split("\n")[:-2]
        assert line.startswith("- ") and line.endswith(" | candidate") if new else line.startswith("Candidate: ")
        assert last.startswith("Earlier " if new else "This user ")
        assert "similar" not in last
