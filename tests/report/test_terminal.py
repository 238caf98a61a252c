"""No figure of a evaluation gets lost in any terminal, and the best ones stand out."""

import io
import math

import numpy as np
import pytest
from rich.console import Console

from likely.data.records import Record
from likely.evaluation.contest import Evaluation, System, SystemResult
from likely.report.terminal import results_table


def result(name, kind, difference, **figures):
    metrics = {"accuracy": 0.7246, "f1": 0.6937, "uauc": 0.546, "log_loss": 0.5, "ece": 0.02, "answered": 1, **figures}
    system = System(name, kind, np.array([0.7]), np.array([True]), np.array([False]))
    auc = metrics["auc"]
    return SystemResult(system, metrics, {"auc": (auc - 0.03, auc + 0.03)}, difference)


CONTEST = Evaluation(
    [Record("Liked?", "", "Yes")] * 1234,
    np.array([True] * 1234),
    ["a", "b"] * 617,
    [
        result("history fraction liked", "baseline", (-0.0369, -0.05, -0.02), auc=0.768, log_loss=8.6119),
        result("boosted trees", "baseline", None, auc=0.8049, ece=0.0123),
        result("base [some]-very-long-model-name", "base", (-0.3, -0.35, -0.25), auc=0.5049, answered=0.25),
        result("with the adapter", "adapter", (0.0101, -0.001, 0.021), auc=0.815, uauc=math.nan, log_loss=0.4987),
    ],
    "boosted trees",
)


def printed(width, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    console.print(results_table(CONTEST))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_every_figure_is_shown_in_any_terminal(width):
    text = printed(width)
    for figure in (
        ".7246", ".6937", ".8049", ".775–.835", ".5460", "8.612", ".0123", "25%", "100%", "-.0369", "+.0101",
        "-.001 +.021", "–", "1,234 rows of 2 users",
    ):  # fmt: skip
        assert figure in text
    assert all(len(line) <= width for line in text.splitlines())


def test_eighty_columns_hold_a_table_and_not_a_list():
    assert any(".7246" in line and ".8049" in line and ".0123" in line for line in printed(80).splitlines())


def test_only_the_best_figures_stand_out():
    text = printed(200, force_terminal=True, color_system="standard")
    marked = {
        figure for figure in (".815", ".8049", ".4987", "8.612", ".0123", ".0200", "100%") if f"32m{figure}" in text
    }
    assert marked == {".815", ".4987", ".0123"}


def test_no_colour_codes_where_there_is_no_terminal_or_no_colour_is_asked_for(monkeypatch):
    assert "\x1b" not in printed(200)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in printed(200, force_terminal=True)
