"""Answers are plain numbers: as many as rows, and without a model library."""

import subprocess
import sys

import numpy as np
import pytest

from likely.model.answers import Answers, with_offsets


@pytest.mark.parametrize("rows", [0, 3])
def test_answers_are_as_many_as_their_rows(rows):
    numbers = np.linspace(0, 1, rows)
    assert len(Answers(numbers > 0.5, numbers, numbers > 0.5, numbers < 0.5, numbers, numbers)) == rows


def test_answers_can_be_read_where_no_model_is_loaded():
    code = "import sys, likely.model.answers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_offset_is_added_to_the_log_odds_and_what_is_said_follows():
    liked, p_yes = np.array([True, False, True, False]), np.array([0.5, 0.2, 0.9, 1.0])
    alone = Answers(
        liked, p_yes, p_yes > 0.5, p_yes < 0.5, np.ones(4), -np.log(np.where(liked, p_yes, 1 - p_yes + 1e-9))
    )
    same = with_offsets(alone, np.zeros(4))
    assert same.p_yes == pytest.approx(p_yes)
    moved = with_offsets(alone, np.array([1.0, 2.0, -3.0, 0.5]))
    odds = p_yes[:3] / (1 - p_yes[:3]) * np.exp([1.0, 2.0, -3.0])
    assert moved.p_yes[:3] == pytest.approx(odds / (1 + odds))
    assert moved.loss[:3] == pytest.approx(-np.log(np.where(liked, moved.p_yes, 1 - moved.p_yes)[:3]))
    assert moved.says_yes.tolist() == [True, True, False, True]
    assert (moved.says_no == ~moved.says_yes).all()
    assert np.isfinite(moved.loss).all()
