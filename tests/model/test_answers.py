"""Answers are plain numbers: as many as rows, and without a model library."""

import subprocess
import sys

import numpy as np
import pytest

from likely.model.answers import Answers


@pytest.mark.parametrize("rows", [0, 3])
def test_answers_are_as_many_as_their_rows(rows):
    numbers = np.linspace(0, 1, rows)
    assert len(Answers(numbers > 0.5, numbers, numbers > 0.5, numbers < 0.5, numbers, numbers)) == rows


def test_answers_can_be_read_where_no_model_is_loaded():
    code = "import sys, likely.model.answers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
