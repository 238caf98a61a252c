"""The page of figures is what the results say, and only contestants that compute the same are timed."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def measuring(monkeypatch):
    """The benchmarks' common module, which is imported from beside the scripts."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import measuring

    return measuring


def test_the_speed_page_is_what_the_results_say():
    finished = subprocess.run([sys.executable, str(BENCHMARKS / "speed_page.py"), "--check"], capture_output=True)
    assert finished.returncode == 0, finished.stderr.decode()


def test_contestants_that_disagree_are_not_timed(measuring):
    with pytest.raises(AssertionError):
        measuring.alternate({"right": lambda turn: 1.0, "wrong": lambda turn: 1.1}, rounds=1)


def test_rounds_alternate_and_the_first_is_not_kept(measuring):
    called = []

    def contestant(name):
        def run(turn):
            called.append((turn, name))
            return 1.0

        return run

    seconds = measuring.alternate({"a": contestant("a"), "b": contestant("b")}, rounds=3)
    assert {name: len(spent) for name, spent in seconds.items()} == {"a": 3, "b": 3}
    orders = [[name for turn, name in called if turn == number] for number in range(4)]
    assert orders == [["b", "a"], ["a", "b"], ["b", "a"], ["a", "b"]]


@pytest.mark.parametrize("script", sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem != "measuring"))
def test_every_script_says_what_it_shows_and_how_to_run_it(script):
    finished = subprocess.run([sys.executable, str(BENCHMARKS / f"{script}.py"), "--help"], capture_output=True)
    assert finished.returncode == 0, finished.stderr.decode()
    assert f"python benchmarks/{script}.py" in finished.stdout.decode()
