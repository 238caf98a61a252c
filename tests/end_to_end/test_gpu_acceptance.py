"""The acceptance of GPUs runs every section in tiny shapes on the CPU, and its figures become rows of the page."""

import importlib.util
import time
from dataclasses import replace

import pytest
import torch

from benchmarks.gpu_acceptance import FIGURES, SECTIONS, __main__, arguments_parser, trl
from benchmarks.gpu_acceptance.__main__ import read_figures
from benchmarks.gpu_acceptance.ground import prepare_ground
from benchmarks.gpu_acceptance.sections import RUN
from benchmarks.gpu_acceptance.sum_up import rows_of


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return prepare_ground(tmp_path_factory.mktemp("acceptance"), tiny=True, source=None, shapes=None)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_runs_and_nothing_in_it_fails(ground, section):
    (ground.out / FIGURES).unlink(missing_ok=True)
    RUN[section](ground)
    figures = read_figures(ground.out)
    assert any(line["section"] == section for line in figures)
    assert not any("failed" in line or line.get("status") for line in figures)
    assert all(line.get("ok", True) for line in figures), figures


def test_what_needs_a_missing_package_is_left_out_in_a_line(ground, monkeypatch):
    monkeypatch.setattr(trl, "find_spec", lambda name: None if name == "trl" else importlib.util.find_spec(name))
    (ground.out / FIGURES).unlink(missing_ok=True)
    trl.trl(ground)
    assert read_figures(ground.out) == [{"section": "trl", "left_out": "trl not installed"}]


def test_a_section_whose_time_is_up_says_what_it_leaves_out(ground):
    (ground.out / FIGURES).unlink(missing_ok=True)
    late = replace(ground, ends=time.monotonic() - 1)
    assert list(late.while_time("speed", {"one": 1, "other": 2})) == []
    assert list(ground.while_time("speed", {"one": 1, "other": 2})) == [1, 2]
    assert read_figures(ground.out) == [{"section": "speed", "left_out": "no time for one; other"}]


def test_a_fault_is_told_and_costs_nothing_else_unless_the_gpu_is_lost(ground):
    (ground.out / FIGURES).unlink(missing_ok=True)
    with ground.reporting("speed", name="broken"):
        raise LookupError("no kernel")
    with pytest.raises(torch.AcceleratorError), ground.reporting("speed", name="lost"):
        raise torch.AcceleratorError("an illegal memory access")
    said = [(line["name"], line["failed"], line["ok"]) for line in read_figures(ground.out)]
    assert said == [
        ("broken", "LookupError: no kernel", False),
        ("lost", "AcceleratorError: an illegal memory access", False),
    ]


class Ended:
    """A process that ends at once."""

    def __init__(self, status):
        self.status = status

    def wait(self, timeout=None):
        return self.status


def test_sections_after_one_that_kills_its_process_get_another(tmp_path, monkeypatch):
    started = []

    def start(arguments, sections, ends):
        started.append(list(sections))
        if len(started) == 1:
            (tmp_path / FIGURES).write_text('{"section": "done", "of": "env", "seconds": 1}\n')
        return Ended(9 if len(started) == 1 else 0)

    monkeypatch.setattr(__main__, "start", start)
    words = ["--shapes", "shapes", "--out", str(tmp_path), "--sections", "env", "speed", "trl"]
    __main__.run_apart(arguments_parser().parse_args(words))
    assert started == [["env", "speed", "trl"], ["trl"]]
    assert read_figures(tmp_path)[-1] == {"section": "done", "of": "speed", "status": 9}


def step(name, shapes, records, records_s, share, group=4):
    about = {"section": "speed", "name": name, "shapes": shapes, "records": records, "group": group}
    return {**about, "records_s": records_s, "tokens_s": 1000, "share_of_rate": share}


def candidates(layout, rate, count=1000):
    return {"section": "candidates", "name": "slow", "candidates": count, "layout": layout, "candidates_s": rate}


def of_trl(records, group, batch, records_s):
    return {"section": "trl", "records": records, "group": group, "batch": batch, "records_s": records_s}


FOUND = [
    {"section": "env", "gpu": "NVIDIA H100"},
    {"section": "exact", "layout": "tree", "ok": True},
    {"section": "exact", "layout": "packed", "ok": False},
    step("slow", "seen", 16, 400.0, 0.1),
    step("fast", "seen", 64, 900.0, 0.45),
    step("fast", "seen", 64, 2000.0, 0.3, group=16),
    step("not seen yet", "new", 64, 9999.0, 0.9),
    {"section": "speed", "name": "broken", "failed": "RuntimeError()"},
    of_trl(16, 4, 2, 50.0),
    of_trl(16, 4, 8, 100.0),
    of_trl(64, 16, 8, 125.0),
    candidates("tree", 5000.0),
    candidates("padded", 250.0),
    candidates("padded", 900.0, count=100),
    {"section": "memory", "card_gib": 8, "status": 0, "allocated_gib": 5.5, "reserved_gib": 6.25},
]


def test_the_rows_are_the_best_of_seen_shapes_of_the_same_records_and_every_miss_counts():
    said = [(row.value, row.met) for row in rows_of(FOUND)]
    assert said == [
        ("1 of 2", False), ("45%", True), ("4.0x", False), ("16.0x", True), ("20.0x", True), ("6.25 GiB", True),
    ]  # fmt: skip


def test_a_row_of_compiled_steps_says_what_the_default_gives():
    compiled = step("LoRA, compiled, FlexAttention", "seen", 64, 4000.0, 0.5, group=16)
    _, share, _, times, *_ = rows_of([*FOUND, compiled])
    assert (share.value, times.value) == ("50%", "32.0x")
    assert share.note.endswith("FlexAttention, 45%")
    assert times.note.endswith("FlexAttention, 2000.0 examples/s, 16.0x")


def test_a_preset_that_runs_out_of_memory_misses():
    failed = {"section": "memory", "card_gib": 8, "status": 1, "tail": "out of memory"}
    assert rows_of([*FOUND[:-1], failed])[-1].met is False


def test_without_a_gpu_no_row_claims_anything():
    rows = rows_of([])
    assert len(rows) == 6
    assert all(row.met is None and row.value == "cannot run" for row in rows)
