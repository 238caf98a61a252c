"""No figure of an evaluation gets lost in any terminal, and the best ones stand out."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from likely.data.records import Record
from likely.evaluation.contest import Estimate, Evaluation, Stratum, System, SystemResult
from likely.report.terminal import results_table


def result(name, kind, difference, **figures):
    metrics = {"accuracy": 0.7246, "f1": 0.6937, "uauc": 0.546, "log_loss": 0.5, "ece": 0.02, "answered": 1, **figures}
    system = System(name, kind, np.array([0.7]), np.array([True]), np.array([False]))
    auc = metrics["auc"]
    return SystemResult(system, metrics, {"auc": (auc - 0.03, auc + 0.03)}, difference and Estimate(*difference))


EVALUATION = Evaluation(
    [Record("Liked?", "", "Yes", user_id=user) for user in ["a", "b"] * 617],
    np.array([True] * 1234),
    ["a", "b"] * 617,
    [
        result("history fraction liked", "baseline", (-0.0369, -0.05, -0.02), auc=0.768, log_loss=16.1181),
        result("matrix factorisation", "baseline", None, auc=0.8049, ece=0.0123),
        result("base [some]-very-long-model-name", "base", (-0.3, -0.35, -0.25), auc=0.5049, answered=0.2546),
        result("with the adapter", "adapter", (0.0101, -0.001, 0.021), auc=0.815, uauc=math.nan, log_loss=0.4987),
    ],
    "matrix factorisation",
)


def printed(width, evaluation=EVALUATION, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    console.print(results_table(evaluation))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 89, 120, 200])
def test_every_figure_is_shown_in_any_terminal(width):
    text = printed(width)
    for figure in (
        "0.7246", "0.6937", "0.8049", "0.775–0.835", "0.5460", "16.118", "0.0123", "25.5%", "100%", "−0.0369",
        "+0.0101", "−0.001 +0.021", "–", "1,234 rows of 2 users",
    ):  # fmt: skip
        assert figure in text
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [80, 89, 120])
def test_eighty_columns_hold_a_table_and_not_a_list(width):
    assert any("0.7246" in line and "0.8049" in line and "0.0123" in line for line in printed(width).splitlines())


def test_a_wide_terminal_has_a_line_for_each_system():
    line, _ = (line for line in printed(140).splitlines() if "with the adapter" in line)
    assert "0.8150 [0.785–0.845]" in line
    assert "+0.0101 [−0.001 +0.021]" in line


def test_only_the_best_figures_stand_out():
    text = printed(200, force_terminal=True, color_system="standard")
    figures = ("0.8150", "0.8049", "0.4987", "16.118", "0.0123", "0.0200", "100%")
    assert {figure for figure in figures if f"32m{figure}" in text} == {"0.8150", "0.4987", "0.0123"}


def test_no_colour_codes_where_there_is_no_terminal_or_no_colour_is_asked_for(monkeypatch):
    assert "\x1b" not in printed(100)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in printed(100, force_terminal=True)


@pytest.mark.parametrize("width", [40, 80, 140])
def test_what_no_system_has_gets_no_column_and_no_words(width):
    alone = result("adapter", "adapter", None, auc=0.5)
    metrics = {name: value for name, value in alone.metrics.items() if name != "uauc"}
    alone = replace(alone, metrics=metrics, intervals={})
    records = [Record("Liked?", "", "Yes")]
    text = printed(width, Evaluation(records, np.array([True]), ["row 1"], [alone], ""))
    assert "AUC" in text
    for absent in ("UAUC", "baseline", "difference", "interval", "user"):
        assert absent not in text


STRATA = [
    Stratum(of, label, 1000 + place, 2, *({one.system.name: Estimate(value + place / 100, 0.1, 0.9) for one in some}
    for some, value in ((EVALUATION.results, 0.7), (EVALUATION.results[3:], 0.2))))
    for place, (of, label) in enumerate([("item", "0"), ("item", "1–9"), ("user", "100 or more")])
]  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_parts_of_the_rows_stand_below_where_they_fit(width):
    text = printed(width, replace(EVALUATION, strata=STRATA))
    (line,) = (line for line in text.splitlines() if line.startswith("user: 100 or more"))
    assert line.split()[4:7] == ["1,002", "0.720", "0.720"]
    assert "+0.220 [+0.100 +0.900]" in line
    assert "item: 1–9" in text


def test_parts_of_the_rows_are_left_out_where_they_do_not_fit():
    text = printed(50, replace(EVALUATION, strata=STRATA))
    assert "user: 100" not in text
    assert all(len(line) <= 50 for line in text.splitlines())


def test_how_many_comparisons_there_are_is_said_below():
    # Three differences of the table, and one in each stratum.
    text = " ".join(printed(120, replace(EVALUATION, strata=STRATA)).split())
    assert "In all there are 6 differences with intervals, which are not corrected for their number" in text
