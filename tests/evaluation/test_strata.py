"""Strata are parts of the rows by what training saw, judged by their own rows alone, and counted in words."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from likely.data.records import Labels
from likely.evaluation.contest import System, judge
from likely.evaluation.metrics import auc
from likely.evaluation.strata import strata_of, tied_note
from support import records_of


def rows_and_train(users=12, rows=8):
    """Rows of items i0 to i7 by each user; training saw item n 20 n times, and user n as often as n says."""
    random = np.random.default_rng(0)
    asked = [
        replace(record, item_id=f"i{place}", extra={"timestamp": place // 2})
        for user in range(users)
        for place, record in enumerate(records_of(random.random(rows) < 0.5, f"u{user}"))
    ]
    like = records_of([True], "x")[0]
    train = [
        replace(like, item_id=f"i{item}", user_id=f"u{number % users}")
        for item in range(rows)
        for number in range(20 * item)
    ]
    return asked, train


@pytest.fixture(scope="module")
def judged():
    rows, train = rows_and_train()
    random = np.random.default_rng(1)
    liked = np.array([row.output == "Yes" for row in rows])
    systems = [
        System.from_probabilities(name, kind, knowledge * liked + (1 - knowledge) * random.random(len(rows)))
        for name, kind, knowledge in (("weak", "baseline", 0.1), ("strong", "baseline", 0.4), ("model", "adapter", 0.5))
    ]
    evaluation = judge(rows, Labels(), systems)
    return replace(evaluation, strata=strata_of(evaluation, train))


def test_a_stratum_has_the_rows_whose_candidate_training_saw_so_often(judged):
    items = [stratum for stratum in judged.strata if stratum.of == "item"]
    assert [(one.label, one.rows, one.users) for one in items] == [
        ("0", 12, 12),
        ("10–99", 48, 12),
        ("100 or more", 36, 12),
    ]
    first = [place for place, row in enumerate(judged.records) if row.item_id == "i0"]
    for result in judged.results:
        area = items[0].areas[result.system.name]
        assert area.value == auc(judged.liked[first], result.system.p_yes[first])
        assert area.low <= area.value <= area.high


def test_differences_in_a_stratum_are_paired_and_to_the_baseline_that_is_best_on_all_rows(judged):
    assert judged.best_baseline == "strong"
    for stratum in judged.strata:
        assert set(stratum.differences) == {"weak", "model"}
        for name, difference in stratum.differences.items():
            assert difference.value == pytest.approx(stratum.areas[name].value - stratum.areas["strong"].value)
            assert difference.low <= difference.value <= difference.high


def test_a_copy_of_the_best_baseline_differs_by_nothing_in_any_stratum(judged):
    rows, train = rows_and_train()
    strong = judged.results[1].system
    evaluation = judge(rows, Labels(), [strong, System.from_probabilities("copy", "base", strong.p_yes)])
    assert all(stratum.differences["copy"] == (0, 0, 0) for stratum in strata_of(evaluation, train))


def test_users_whom_training_never_saw_are_a_stratum(judged):
    _, train = rows_and_train()
    seen = [record for record in train if record.user_id != "u0"][:100]
    labels = [(one.of, one.label, one.rows) for one in strata_of(judged, seen)]
    assert ("user", "0", 8) in labels
    few = {user for user, count in Counter(record.user_id for record in seen).items() if count < 10}
    assert ("user", "1–9", 8 * len(few)) in labels


def test_what_nobody_knows_or_all_rows_share_is_no_stratum(judged):
    _, train = rows_and_train()
    assert strata_of(judged, []) == []
    nameless = [replace(record, item_id=None, user_id=None) for record in train]
    assert strata_of(judged, nameless) == []
    assert {stratum.of for stratum in strata_of(judged, train[:4])} == {"item", "user"}
    often = [record for record in train for _ in range(20)]
    assert {stratum.of for stratum in strata_of(judged, often)} == {"item"}


def test_rows_of_one_user_have_no_intervals_in_a_stratum():
    rows, train = rows_and_train(users=1)
    evaluation = judge(rows, Labels(), [System.from_probabilities("one", "baseline", np.linspace(0, 1, len(rows)))])
    assert all(math.isnan(one.areas["one"].low) for one in strata_of(evaluation, train))


def test_rows_that_share_their_time_with_another_of_their_user_are_counted(judged):
    assert judged.tied_rows == len(judged.records)
    apart = [replace(row, extra={"timestamp": place}) for place, row in enumerate(judged.records)]
    assert replace(judged, records=apart).tied_rows == 0
    assert tied_note(replace(judged, records=apart)) == []
    apart[1] = replace(apart[1], extra={"timestamp": 0})
    (said,) = tied_note(replace(judged, records=apart))
    assert said.startswith("2 of 96 rows (2%) share their time")
    many = [replace(row, extra={"timestamp": place}) for place, row in enumerate([*judged.records] * 10)]
    many[0] = replace(many[0], extra={"timestamp": 1})
    many[1] = replace(many[1], user_id=many[0].user_id)
    (said,) = tied_note(replace(judged, records=many, users=[str(row.user_id) for row in many]))
    assert "2 of 960 rows (under 1%)" in said
    without = [replace(row, extra={}) for row in judged.records]
    assert replace(judged, records=without).tied_rows == 0


def test_comparisons_are_all_differences_with_an_interval(judged):
    # Two systems beside the best baseline, each by AUC and four more figures, and in every stratum.
    assert judged.comparisons == 2 * 5 + 2 * len(judged.strata)
