"""A sample of `make torture`: a run that is killed in the writing of a checkpoint loses nothing."""

import json

import pytest

from processes import start_python

SAMPLE = """
import sys
from torture.kills import main

sys.argv = ["kills", "--kills", "2", "--aimed", "1"]
sys.exit(main())
"""


@pytest.mark.slow
def test_a_killed_run_comes_to_the_end_of_one_that_was_not(tmp_path):
    said, status = start_python(SAMPLE, tmp_path, tmp_path / "said.txt").ended()
    assert status == 0, said
    found = json.loads(said)
    assert found["kills"] >= 2
    assert found["in the writing of a checkpoint"] >= 1
    assert found["lost"] == 0
    assert found["largest difference of a weight"] <= 1e-6
