"""Results answer what tables, pages and sentences ask of them, whoever took part."""

import math

import numpy as np
import pytest

from likely.data.records import Labels, Record
from likely.evaluation.contest import Estimate, System, judge
from likely.evaluation.metrics import METRICS

LIKED = np.arange(40) % 3 > 0
RECORDS = [Record("Liked?", "", "Yes" if like else "No", user_id=f"u{row % 8}") for row, like in enumerate(LIKED)]


def system(name, kind, knowledge):
    noise = np.random.default_rng(len(name)).random(len(LIKED))
    return System.from_probabilities(name, kind, knowledge * LIKED + (1 - knowledge) * noise)


WEAK, STRONG = system("weak", "baseline", 0.1), system("strong", "baseline", 0.4)
BASE, ADAPTER = system("base", "base", 0.2), system("adapter", "adapter", 0.6)


@pytest.mark.parametrize(
    ("systems", "main"),
    [([WEAK, STRONG, BASE, ADAPTER], ADAPTER), ([WEAK, STRONG, BASE], BASE), ([WEAK, STRONG], STRONG)],
)
def test_a_report_is_about_the_adapter_or_else_the_base_or_else_the_best_baseline(systems, main):
    evaluation = judge(RECORDS, Labels(), systems)
    assert evaluation.main_result.system is main
    assert evaluation.best_baseline_result.system is STRONG
    assert [result.system for result in evaluation.of_kind("baseline")] == [WEAK, STRONG]
    assert evaluation.first_of("fusion") is None


def test_models_alone_are_judged_without_differences():
    evaluation = judge(RECORDS, Labels(), [BASE, ADAPTER])
    assert evaluation.best_baseline_result is None
    assert [(result.difference, result.differences) for result in evaluation.results] == [(None, {})] * 2
    assert all(result.estimate("auc").interval for result in evaluation.results)


def test_the_best_figure_is_the_lowest_of_errors_and_none_of_what_has_no_better():
    evaluation = judge(RECORDS, Labels(), [WEAK, ADAPTER])
    weak, adapter = evaluation.results
    assert evaluation.best(METRICS["auc"]) == adapter.metrics["auc"] > weak.metrics["auc"]
    assert evaluation.best(METRICS["log_loss"]) == adapter.metrics["log_loss"] < weak.metrics["log_loss"]
    assert evaluation.best(METRICS["answered"]) is None
    assert evaluation.best(METRICS["loss"]) is None
    assert [metric.name for metric in evaluation.metrics] == [name for name in METRICS if name in weak.metrics]


def test_what_is_unknown_says_so():
    evaluation = judge(RECORDS[:1], Labels(), [System.from_probabilities("one", "baseline", np.array([0.7]))])
    area = evaluation.results[0].estimate("auc")
    assert not area.is_known
    assert area.interval is None
    assert evaluation.best(METRICS["auc"]) is None
    assert not evaluation.has_intervals
    assert not evaluation.results[0].estimate("bleu").is_known
    assert Estimate(0.5, 0.4, math.nan).interval is None
    assert Estimate(0.5, 0.4, 0.6).interval == (0.4, 0.6)


def test_rows_are_of_users_only_where_all_of_them_say_so():
    assert judge(RECORDS, Labels(), [WEAK]).names_users
    nameless = [*RECORDS[1:], Record("Liked?", "", "No")]
    assert not judge(nameless, Labels(), [WEAK]).names_users
