"""A sample of `make torture`: a run that is killed in the writing of a checkpoint loses nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_a_killed_run_comes_to_the_end_of_one_that_was_not():
    command = [sys.executable, "-m", "torture.kills", "--kills", "3", "--aimed", "2"]
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=TESTS, env=own, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(ended.stdout)
    assert found["kills"] >= 3
    assert found["in the writing of a checkpoint"] >= 2
    assert found["lost"] == 0
    assert found["largest difference of a weight"] <= 1e-6
