"""The page of figures is what the results say, and only contestants that compute the same are timed."""

import importlib
import json
import re
import shlex
import subprocess
import sys

import pytest

from benchmarks import DOCS, RESULTS, common, speed_page, training_throughput
from benchmarks.machine import machine

FOLDER = RESULTS.parent
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("__init__", "common", "machine"))
SCRIPTS += [path.parent.name for path in FOLDER.glob("*/__main__.py")]


def test_the_speed_page_is_what_the_results_say():
    command = [sys.executable, "-m", "benchmarks.speed_page", "--check"]
    finished = subprocess.run(command, capture_output=True, cwd=FOLDER.parent, check=False)
    assert finished.returncode == 0, finished.stderr.decode()


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_what_it_shows_and_how_to_run_it(script):
    module = importlib.import_module(f"benchmarks.{script}")
    shown = module.arguments_parser().format_help()
    assert module.__doc__.splitlines()[0] in shown
    assert f"python -m benchmarks.{script}" in shown


def typed_commands():
    """Every command of a benchmark in the documents and the results."""
    pages = [path.read_text(encoding="utf-8").replace("\\\n", " ") for path in DOCS.glob("*.md")]
    lines = [line for page in pages for line in re.findall(r"python -m (benchmarks\..*)", page) if "-->" not in line]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    lines += [result["command"].removeprefix("python -m ") for result in results if "command" in result]
    return sorted(set(lines))


@pytest.mark.parametrize("line", typed_commands())
def test_a_command_in_the_documents_can_be_typed(line):
    name, *words = shlex.split(line)
    importlib.import_module(name).arguments_parser().parse_args(words)


def test_contestants_that_disagree_are_not_timed():
    with pytest.raises(AssertionError):
        common.alternate({"right": lambda turn: 1.0, "wrong": lambda turn: 1.1}, rounds=1)


def test_rounds_alternate_and_the_first_is_not_kept():
    called = []

    def contestant(name):
        def run(turn):
            called.append((turn, name))
            return 1.0

        return run

    seconds = common.alternate({"a": contestant("a"), "b": contestant("b")}, rounds=3)
    assert {name: len(spent) for name, spent in seconds.items()} == {"a": 3, "b": 3}
    orders = [[name for turn, name in called if turn == number] for number in range(4)]
    assert orders == [["b", "a"], ["a", "b"], ["b", "a"], ["a", "b"]]


def row(figure, met):
    return common.Row(figure, ">= 2x", "3.0x" if met is not None else "cannot run", met, "somewhere")


def test_a_result_replaces_the_older_one_of_its_machine_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    for processor, day in (("AMD EPYC", "2026-01-01"), ("Intel(R) Xeon(R)", "2026-01-02"), ("AMD EPYC", "2026-01-03")):
        monkeypatch.setattr(common.time, "strftime", lambda form, today=day: today)
        there = {**machine(), "processor": processor}
        common.save("speed", "it is fast", "python -m benchmarks.speed", [row("speed", True)], {}, there)
        common.save("speed-of-others", "they are not", "python -m benchmarks.speed", [], {}, there)
    kept = {json.loads(path.read_text())["date"] for path in tmp_path.glob("speed-[!o]*")}
    assert kept == {"2026-01-02", "2026-01-03"}
    assert len(list(tmp_path.iterdir())) == 4


def test_a_result_knows_its_commit_unless_it_is_of_another_machine(tmp_path, monkeypatch):
    """Files that differ from the commit are told by a plus; results of another machine were measured elsewhere."""
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    monkeypatch.setattr(common, "commit", lambda: "abc1234+")
    for name, ran_on in (("start-up", None), ("gpu-acceptance", {**machine(), "gpu": "one of others"})):
        common.save(name, "it is fast", f"python -m benchmarks.{name}", [row(name, True)], {}, ran_on)
    last = speed_page.table(speed_page.results(tmp_path)).splitlines()[-1]
    assert "[1] on one of others; [2] on " in last
    assert last.endswith(" threads, commit abc1234+.")


def test_what_one_machine_cannot_measure_another_can(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    for processor, rows in (("a", [row("rate", None), row("other", None)]), ("b", [row("rate", True)])):
        there = {**machine(), "processor": processor}
        common.save("gpu-acceptance", "rate", "python -m benchmarks.gpu_acceptance", rows, {}, there)
    lines = speed_page.table(speed_page.results(tmp_path)).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| other", "| rate"]
    assert "3.0x" in lines[3]
    assert "[1] on a, " in lines[-1]
    assert "[2] on b, " in lines[-1]


@pytest.mark.parametrize("packing", [False, True])
def test_trls_batches_have_its_loss_with_the_head_at_answers_only(tiny_base, records, tmp_path, packing):
    bench = common.load_bench(str(tiny_base), own_attention=False, own_product=False)
    step = bench.builder.encode_all(records[:4])
    steps = [
        training_throughput.trl_step(bench, step, tmp_path, packing, head_at_answers=at_answers)
        for at_answers in (False, True)
    ]
    theirs, ours = (run(0) for run in steps)
    assert ours == pytest.approx(theirs, rel=1e-5)
