"""A mix of the adapter and what counting knows is fitted on eval rows alone, and answers rows it has never seen."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from likely.data.records import Labels
from likely.evaluation import fusion
from likely.evaluation.contest import System
from likely.evaluation.features import not_among
from likely.evaluation.fusion import WITH_RATES, why_no_fusion
from support import records_of

system = System.from_probabilities


def at(time, records):
    return [replace(record, extra={"timestamp": time}) for record in records]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"tuned": []}, "eval records with both labels"),
        ({"tuned": records_of([True, True], "b")}, "eval records with both labels"),
        ({"train": records_of([False], "c")}, "training records with both labels"),
        ({"rows": [replace(record, item_id=None) for record in records_of([True])]}, "item_id and user_id"),
        ({"tuned": records_of([True, False], "a")}, "among the rows"),
        ({"tuned": at(1, records_of([True, False], "a")), "rows": at(2, records_of([True, False], "a"))}, None),
    ],
)
def test_a_fusion_is_never_fitted_on_the_rows_it_answers_nor_on_nothing(change, words):
    parts = {"train": [True, False], "tuned": [True, False], "rows": [True, False]}
    parts = {name: records_of(likes, user) for (name, likes), user in zip(parts.items(), "cba", strict=True)}
    reason = why_no_fusion(**{**parts, **change})
    assert reason is None if words is None else words in reason


def test_an_item_that_its_user_rates_again_is_another_row():
    """So are one that was drawn as a dislike twice, and one that is liked after it was."""

    def at(time, part):
        return [replace(record, extra={"timestamp": time}) for record in part]

    records = records_of([True, False])
    train, tuned, rows = (at(time, records) for time in (1, 2, 3))
    assert why_no_fusion(train, tuned, rows) is None
    assert not_among(tuned, rows) == tuned
    assert not_among(tuned, [*rows, *tuned[:1]]) == tuned[1:]
    assert not_among(tuned, records) == []  # without times, nothing tells them apart


def test_fusions_add_to_the_adapter_what_is_known_and_never_see_a_row(monkeypatch):
    """An adapter that sees one half of the truth and a baseline that sees the other are better together."""
    random = np.random.default_rng(1)
    train, tuned, rows = ([r for user in range(40) for r in records_of(random.random(20) < 0.5, f"{split}{user}")]
                          for split in ("train", "eval", "test"))  # fmt: skip

    def halves(records):
        liked = np.array([record.output == "Yes" for record in records])
        return [np.clip(0.5 + 0.2 * (2 * liked - 1) + random.normal(0, 0.2, len(liked)), 0.01, 0.99) for _ in range(2)]

    (adapter_eval, known_eval), (adapter_rows, known_rows) = halves(tuned), halves(rows)
    weak, strong = system("weak", "baseline", random.random(len(tuned))), system("strong", "baseline", known_eval)
    monkeypatch.setattr(fusion, "baseline_systems", lambda *_, **__: ([weak, strong], []))
    entered = [system("weak", "baseline", known_rows), system("strong", "baseline", known_rows)]
    entered.append(system("with the adapter", "adapter", adapter_rows))
    with_rates, with_best = fusion.fusions(train, tuned, rows, Labels(), adapter_eval, entered)
    assert (with_rates.name, with_best.name) == (WITH_RATES, "adapter + strong")
    liked = [record.output == "Yes" for record in rows]
    alone = max(roc_auc_score(liked, known_rows), roc_auc_score(liked, adapter_rows))
    assert roc_auc_score(liked, with_best.p_yes) > alone + 0.03
    turned = [replace(record, output="No" if record.output == "Yes" else "Yes") for record in rows]
    again = fusion.fusions(train, tuned, turned, Labels(), adapter_eval, entered)
    assert [one.p_yes.tolist() for one in again] == [with_rates.p_yes.tolist(), with_best.p_yes.tolist()]
