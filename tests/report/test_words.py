"""Figures are spelled alike everywhere, and what is not known is a dash."""

import doctest
import math

import numpy as np
import pytest

from likely.data.records import Labels
from likely.evaluation.contest import Estimate, System, judge
from likely.evaluation.metrics import METRICS
from likely.report import words
from support import records_of


def test_the_examples_of_the_module():
    failed, tried = doctest.testmod(words)
    assert failed == 0 < tried


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.5"])
def test_what_is_no_number_is_a_dash(value):
    assert words.show(value) == words.show_metric(METRICS["answered"], value) == "–"


def test_a_metric_is_shown_with_a_leading_zero_or_as_a_percentage():
    assert words.show_metric(METRICS["auc"], 0.80491, 4) == "0.8049"
    assert words.show_metric(METRICS["answered"], 0.9961, 4) == "99.6%"


def test_an_interval_is_shown_only_where_it_is_known():
    assert words.show_interval(Estimate(0.5, 0.4, 0.6)) == "0.40–0.60"
    assert words.show_interval(Estimate(0.0, -0.01, 0.02), 3, signed=True, between=" to ") == "−0.010 to +0.020"
    assert words.show_interval(Estimate(0.5)) == words.show_interval(None) == ""


def test_a_log_entry_names_what_it_has():
    logs = {"eval_loss": 0.6, "eval_accuracy": 0.7, "eval_f1": 0.65, "eval_ece": 0.1, "step": 8}
    assert words.figures_line(logs, "eval_") == "loss 0.6000  accuracy 0.7000  F1 (Yes) 0.6500"
    assert words.figures_line({"learning_rate": 1e-4}) == ""


def test_a_training_is_summed_up_in_words_with_a_warning_where_nothing_else_was_measured():
    metrics = {"best_step": 8, "eval": {"eval_loss": 0.6, "eval_auc": 0.75}, "train": {}}
    (said,) = words.training_sentences(metrics, beside_evaluation=True)
    assert said == "The best evaluation, at step 8, has a loss of 0.600 and an AUC of 0.750."
    assert len(words.training_sentences(metrics, beside_evaluation=False)) == 2


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        (0.4, "The language model adds +0."),
        (
            0.0,
            "The language model adds nothing beyond chance to counting on these rows: +0.000 AUC (+0.000 to",
        ),
        (-0.4, "With the language model, counting is worse on these rows by more than chance: −0."),
    ],
)
def test_what_the_language_model_is_worth_is_said_with_and_without_it_on_the_same_rows(added, sentence):
    random = np.random.default_rng(0)
    records = [row for user in range(40) for row in records_of(random.random(12) < 0.5, f"u{user}")]
    liked = np.array([record.output == "Yes" for record in records])
    noise = random.random(len(records))
    counting = System.from_probabilities("counting alone", "counting", (0.3 * liked + noise) / 1.3)
    answer = System.from_probabilities("the run's answer", "answer", ((0.3 + added) * liked + noise + 0.5) / 2)
    evaluation = judge(records, Labels(), [counting, answer])
    assert evaluation.main_result.system is answer
    assert words.worth_of_model(evaluation).startswith(sentence)
    without = judge(records, Labels(), [counting])
    assert without.worth_of_model is words.worth_of_model(without) is None
