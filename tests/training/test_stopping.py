"""The first Ctrl-C or SIGTERM is a request, the second is obeyed at once, and afterwards all is as it was."""

import signal
import threading
import time

import pytest

from likely.training import stopping
from likely.training.stopping import StopRequest, listening


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(number):
    notes = []
    request = StopRequest()
    with listening(request, notes.append):
        assert request.by is None
        signal.raise_signal(number)
        assert request.by == number
        assert request.exit_status == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
        while not notes:
            time.sleep(0.001)  # told in a thread of its own
    assert len(notes) == 1
    assert "saved" in notes[0]


def test_the_second_ctrl_c_ends_at_once(monkeypatch):
    monkeypatch.setattr(stopping, "SAME_PRESS", 0.01)
    with listening(StopRequest(), lambda note: None):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.02)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_torchrun_repeats_is_one_signal():
    request = StopRequest()
    with listening(request, lambda note: None):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert request.by == signal.SIGINT


def test_handlers_are_restored():
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    with listening(StopRequest(), lambda note: None):
        assert [signal.getsignal(number) for number in stopping.SIGNALS] != before
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before


def test_outside_the_main_thread_nothing_is_touched():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        request = StopRequest()
        with listening(request, lambda note: None):
            seen.append((request.by, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, before)]
