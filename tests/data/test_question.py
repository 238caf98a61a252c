"""A question is read back as it was written, and what asks is never taken for what is told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.protocol import SplitProtocol
from likely.data.question import MARK, NAMED, history_lines, read_candidate, read_question, show_question
from likely.data.task import dump_task, ratings_task, read_task
from likely.data.wording import Words, show_item, show_rated

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)
LINES = st.one_of(WORDS, WORDS.map("- {}".format), WORDS.map((NAMED + "{}").format), WORDS.map(("- {}" + MARK).format))


@given(st.lists(LINES, max_size=5).map("\n".join))
def test_any_text_is_its_parts_one_after_the_other(text):
    question = read_question(text)
    assert question is None or question.text == text
    assert read_candidate(text) == (question.candidate if question else "")


HISTORY = [show_rated(show_item(title, 1999, ["Drama"]), 4.5) for title in ("Heat", "Candidate: X", "Y | candidate")]


@given(st.integers(0, 3), WORDS, st.sampled_from(["", "This user liked earlier movies."]), st.booleans())
def test_a_question_is_read_as_it_was_written(number, candidate, hint, as_line):
    text = show_question(HISTORY[:number], candidate, hint, as_line)
    question = read_question(text)
    assert question
    assert (question.candidate, question.after.removeprefix("\n"), question.as_line) == (candidate, hint, as_line)
    assert question.before.splitlines()[1:] == (HISTORY[:number] or ["(nothing yet)"])
    assert history_lines(text) == HISTORY[:number]


@pytest.mark.parametrize("words", [Words("song", shows="nothing", verb="played"), Words(shows="label", verb="liked")])
def test_a_candidate_line_is_no_line_of_a_history_in_any_words(words):
    told = [show_rated("Yesterday | pop", 1, words)]
    assert history_lines(show_question(told, "Help! | pop", as_line=True)) == told


def test_a_candidate_begins_as_the_line_that_it_becomes():
    text = show_question(HISTORY[:1], "Ronin (1998) | Action", as_line=True)
    later = show_question([*HISTORY[:1], show_rated("Ronin (1998) | Action", 3)], "Babe (1995)", as_line=True)
    assert later.startswith(text.removesuffix("candidate"))


def test_a_run_keeps_how_it_asks_and_files_of_before_name_the_candidate(tmp_path):
    for new in (False, True):
        text = dump_task(ratings_task(SplitProtocol(hints=True, short_hints=new, candidate_line=new)))
        for key in ("short_hints", "candidate_line"):
            assert (key in json.loads(text)["protocol"]) is new
        (tmp_path / "task.json").write_text(text)
        protocol = read_task(tmp_path).protocol
        assert (protocol.short_hints, protocol.candidate_line) == (new, new)
