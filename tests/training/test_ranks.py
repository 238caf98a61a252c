"""What one of several processes meets, all act on; two real ones are in end_to_end/test_devices."""

import pytest

from likely.errors import LikelyError
from likely.training import ranks
from likely.training.ranks import any_process, by_first, together


@pytest.fixture
def beside(monkeypatch):
    """Pretend that there is a second process, whose values are given."""

    def pretend(*values, first=True):
        left = list(values)
        monkeypatch.setattr(ranks, "count_devices", lambda: 2)
        monkeypatch.setattr(ranks, "is_first_process", lambda: first)
        monkeypatch.setattr(ranks, "_gather", lambda own: [own, left.pop(0)] if first else [left.pop(0), own])

    return pretend


def fail(sentence):
    with together():
        if sentence:
            raise LikelyError(sentence)


def test_what_another_process_met_is_raised_here(beside):
    beside("There is no space.")
    with pytest.raises(LikelyError, match="There is no space"):
        fail(None)


def test_of_two_sentences_the_first_process_has_the_word(beside):
    beside("I am the second.")
    with pytest.raises(LikelyError, match="I am the first"):
        fail("I am the first.")


def test_bugs_are_not_shared(beside):
    beside()
    with pytest.raises(ZeroDivisionError), together():
        raise ZeroDivisionError


def test_only_the_first_works_and_all_get_what_came_of_it(beside):
    beside(None, None)
    assert by_first(lambda: 7) == 7
    beside(None, 7, first=False)
    assert by_first(lambda: pytest.fail("the second process works too")) == 7


def test_a_flag_in_one_is_a_flag_in_all(beside):
    beside(True)
    assert any_process(False)
    beside(False)
    assert not any_process(False)


def test_a_lone_process_asks_nobody():
    assert by_first(lambda: 7) == 7
    assert not any_process(False)
    with pytest.raises(LikelyError):
        fail("A sentence.")
