"""Libraries are quiet while we say what a user needs, and otherwise as they were."""

import logging
import warnings

import pytest

from likely.model.runtime import TALKATIVE, keep_freed_memory, quiet_libraries


def test_keeping_freed_memory_is_a_setting_of_glibc_only(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert keep_freed_memory() is False


def test_libraries_are_quiet_for_a_while_and_then_as_before():
    from transformers.utils import logging

    def state():
        return logging.get_verbosity(), logging.is_progress_bar_enabled(), list(warnings.filters)

    before = state()
    with quiet_libraries():
        assert state() != before
    assert state() == before


@pytest.mark.parametrize("name", ["transformers", *TALKATIVE])
def test_nothing_is_heard_of_a_library_but_its_errors(name):
    levels = (logging.INFO, logging.WARNING, logging.ERROR)
    with quiet_libraries():
        assert [level for level in levels if logging.getLogger(name).isEnabledFor(level)] == [logging.ERROR]


def test_what_was_quiet_is_heard_again_after_an_error(recwarn):
    def state():
        return [logging.getLogger(name).level for name in TALKATIVE], list(warnings.filters)

    @quiet_libraries()
    def fail():
        warnings.warn("of a library", UserWarning, stacklevel=2)
        raise ZeroDivisionError

    before = state()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert state() == before
    assert not recwarn.list
    warnings.warn("of somebody", UserWarning, stacklevel=2)
    assert len(recwarn.list) == 1
