"""The time that a training says it will still take is that of the steps ahead, and never more than it may take."""

import io
import re
import time

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState

from likely.cli.training_progress import TrainingProgress


@pytest.fixture
def said_after(monkeypatch):
    """Return what is said of the time left after some steps of a run of 50, a minute each."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def said(steps, begun_at=0, max_minutes=None):
        output = io.StringIO()
        progress = TrainingProgress(Console(file=output, width=100), max_minutes)
        state = TrainerState(max_steps=50, global_step=begun_at, is_world_process_zero=True)
        progress.on_train_begin(None, state, TrainerControl())
        now[0] += 60 * steps
        state.global_step += steps
        progress.on_log(None, state, TrainerControl(), {"loss": 0.5})
        progress.on_train_end(None, state, TrainerControl())
        left = re.search(r"about (.*) min left", output.getvalue())
        return float(left[1]) if left else None

    return said


def test_the_steps_ahead_take_as_long_as_those_behind(said_after):
    assert said_after(10) == 40
    assert said_after(50) is None


def test_steps_from_before_a_resume_are_no_measure(said_after):
    assert said_after(5, begun_at=40) == 5


def test_no_more_time_is_said_than_there_may_be(said_after):
    assert said_after(4, max_minutes=6.5) == 2.5
    assert said_after(8, max_minutes=6.5) == 0
