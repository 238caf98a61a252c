"""The acceptance of GPUs runs every section in tiny shapes on the CPU, and its figures become rows of the page."""

import importlib.util

import pytest

from benchmarks.gpu_acceptance import SECTIONS, __main__, trl
from benchmarks.gpu_acceptance.ground import FIGURES, prepare_ground
from benchmarks.gpu_acceptance.sum_up import read_figures, rows_of


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return prepare_ground(tmp_path_factory.mktemp("acceptance"), tiny=True, source=None, shapes=None)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_runs_and_nothing_in_it_fails(ground, section):
    (ground.out / FIGURES).unlink(missing_ok=True)
    __main__.RUN[section](ground)
    figures = read_figures(ground.out / FIGURES)
    assert any(line["section"] == section for line in figures)
    assert not any("failed" in line or line.get("status") for line in figures)
    assert all(line.get("ok", True) for line in figures), figures


def test_what_needs_a_missing_package_is_left_out_in_a_line(ground, monkeypatch):
    monkeypatch.setattr(trl, "find_spec", lambda name: None if name == "trl" else importlib.util.find_spec(name))
    (ground.out / FIGURES).unlink(missing_ok=True)
    trl.trl(ground)
    assert read_figures(ground.out / FIGURES) == [{"section": "trl", "left_out": "trl not installed"}]


def step(name, shapes, records, records_s, share):
    about = {"section": "speed", "name": name, "shapes": shapes, "records": records}
    return {**about, "records_s": records_s, "tokens_s": 1000, "share_of_rate": share}


FOUND = [
    {"section": "env", "gpu": "NVIDIA H100"},
    {"section": "exact", "layout": "tree", "ok": True},
    {"section": "exact", "layout": "packed", "ok": False},
    step("slow", "seen", 16, 400.0, 0.1),
    step("fast", "seen", 64, 900.0, 0.45),
    step("not seen yet", "new", 64, 9999.0, 0.9),
    {"section": "speed", "name": "broken", "failed": "RuntimeError()"},
    {"section": "trl", "batch": 2, "records_s": 50.0},
    {"section": "trl", "batch": 8, "records_s": 100.0},
    {"section": "memory", "card_gib": 8, "status": 0, "allocated_gib": 5.5, "reserved_gib": 6.25},
]


def test_the_rows_are_the_best_of_seen_shapes_and_every_miss_counts():
    said = [(row.value, row.met) for row in rows_of(FOUND)]
    assert said == [("1 of 2", False), ("45%", True), ("9.0x", True), ("6.25 GiB", True)]


def test_a_preset_that_runs_out_of_memory_misses():
    failed = {"section": "memory", "card_gib": 8, "status": 1, "tail": "out of memory"}
    assert rows_of([*FOUND[:-1], failed])[-1].met is False


def test_without_a_gpu_no_row_claims_anything():
    rows = rows_of([])
    assert len(rows) == 4
    assert all(row.met is None and row.value == "cannot run" for row in rows)
