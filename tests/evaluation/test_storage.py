"""An evaluation is read back as it was, and one that is damaged or mixed with another says so."""

import base64
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.data.records import Record
from likely.errors import LikelyError
from likely.evaluation.contest import Estimate, Evaluation, Ranking, RankingResult, Stratum, System, SystemResult
from likely.evaluation.storage import kinds_in, load_evaluation, save_evaluation

OLD = Path(__file__).parent / "old_evaluation"
"""As it was written before the package was laid out in folders: without `differences` in one of its results."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FIGURE = st.floats(0, 1) | st.just(math.nan)
SHARE = st.floats(0, 1)


@st.composite
def evaluations(draw):
    rows = draw(st.integers(1, 4))
    records = [
        Record(
            draw(TEXT),
            draw(TEXT),
            draw(st.sampled_from(["Yes", "No"])),
            history=tuple(draw(st.lists(st.tuples(TEXT, TEXT), max_size=2))),
            user_id=draw(st.none() | TEXT),
            item_id=draw(st.none() | TEXT),
            extra=draw(st.dictionaries(TEXT, st.integers() | TEXT, max_size=2)),
        )
        for _ in range(rows)
    ]
    results = []
    for place, name in enumerate(draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))):
        says_yes = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
        answers = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
        p_yes = np.array(draw(st.lists(SHARE, min_size=rows, max_size=rows)))
        kind = "baseline" if place == 0 else draw(st.sampled_from(["base", "adapter", "fusion", "counting", "answer"]))
        system = System(name, kind, p_yes, says_yes & answers, ~says_yes & answers)
        metrics = {metric: draw(FIGURE) for metric in ("auc", "uauc")}
        difference = None if place == 0 else Estimate(*draw(st.tuples(FIGURE, FIGURE, FIGURE)))
        differences = {} if difference is None else {"another": difference}
        area = {"auc": draw(st.tuples(FIGURE, FIGURE))}
        beside = {} if difference is None else {"gauc": difference}
        results.append(SystemResult(system, metrics, area, difference, differences, beside))
    users = [record.user_id or f"row {row}" for row, record in enumerate(records)]
    liked = np.array([record.output == "Yes" for record in records])
    estimates = st.dictionaries(TEXT, st.tuples(FIGURE, FIGURE, FIGURE).map(lambda three: Estimate(*three)), max_size=2)
    ofs = st.sampled_from(["item", "user"])
    strata = draw(st.lists(st.builds(Stratum, ofs, TEXT, st.just(rows), st.just(1), estimates, estimates), max_size=2))
    ranked = st.builds(RankingResult, TEXT, estimates)
    ranking = draw(st.none() | st.builds(Ranking, st.just(3), st.just(9), st.booleans(), st.lists(ranked, max_size=2)))
    return Evaluation(records, liked, users, results, results[0].system.name, strata, ranking)


def same(one, other):
    """Equality that takes nan for equal to itself."""
    return repr(one) == repr(other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(evaluations())
def test_an_evaluation_is_read_back_as_it_was(tmp_path, evaluation):
    save_evaluation(tmp_path, evaluation)
    read = load_evaluation(tmp_path)
    assert read.records == evaluation.records
    assert (read.liked == evaluation.liked).all()
    assert (read.users, read.best_baseline) == (evaluation.users, evaluation.best_baseline)
    assert same((read.strata, read.ranking), (evaluation.strata, evaluation.ranking))
    for one, other in zip(read.results, evaluation.results, strict=True):
        for name in ("p_yes", "says_yes", "says_no"):
            assert (getattr(one.system, name) == getattr(other.system, name)).all()
            assert getattr(one.system, name).dtype == getattr(other.system, name).dtype
        assert (one.system.name, one.system.kind) == (other.system.name, other.system.kind)
        for name in ("metrics", "intervals", "difference", "differences", "beside_auc"):
            assert same(getattr(one, name), getattr(other, name))


def an_evaluation(p_yes=0.7):
    system = System("always Yes", "baseline", np.array([p_yes]), np.array([True]), np.array([False]))
    result = SystemResult(system, {"auc": math.nan}, {"auc": (math.nan, math.nan)}, None)
    return Evaluation([Record("Liked?", "x", "Yes")], np.array([True]), ["row 1"], [result], "always Yes")


def test_bytes_beside_a_record_are_kept_as_text(tmp_path):
    rows = [Record("Liked?", "x", "Yes", extra={"cover": b"\xff\x00", "covers": [b"\xfe"]})]
    save_evaluation(tmp_path, replace(an_evaluation(), records=rows))
    (read,) = load_evaluation(tmp_path).records
    assert [base64.urlsafe_b64decode(text) for text in (read.extra["cover"], *read.extra["covers"])] == [
        b"\xff\x00",
        b"\xfe",
    ]


def test_figures_are_plain_json_without_nan(tmp_path):
    save_evaluation(tmp_path, an_evaluation())

    def refuse(word):
        raise AssertionError(word)

    figures = json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=refuse)
    assert figures["rows"] == figures["users"] == 1
    assert figures["standings"][0]["metrics"] == {"auc": None}


def test_a_file_of_an_earlier_version_is_read():
    evaluation = load_evaluation(OLD)
    assert [record.item_id for record in evaluation.records] == ["6", None]
    assert evaluation.records[0].history == (("Hi", "Hello"),)
    assert math.isnan(evaluation.records[0].extra["shares"]["above"])
    assert evaluation.liked.tolist() == [True, False]
    assert evaluation.users == ["7", "8"]
    always, base = evaluation.results
    assert (always.system.name, always.system.kind, base.system.kind) == ("always Yes", "baseline", "base")
    assert base.system.p_yes.tolist() == [0.25, 1e-7]
    assert base.system.says_yes.tolist() == [False, False]
    assert base.system.says_no.tolist() == [False, True]
    assert (always.difference, base.difference.value, base.difference.interval) == (None, 0.5, None)
    assert always.estimate("accuracy") == (0.5, 0.25, 0.75)
    assert math.isnan(base.estimate("uauc").value)


def test_the_names_in_a_file_stay_what_they_are(tmp_path):
    """What reads these files elsewhere goes on to work."""
    save_evaluation(tmp_path, load_evaluation(OLD))
    for name in ("evaluation.json", "evaluation_rows.jsonl"):
        old, new = ((folder / name).read_text(encoding="utf-8") for folder in (OLD, tmp_path))
        assert set(re.findall(r'"(\w+)":', old)) <= set(re.findall(r'"(\w+)":', new))


def test_what_cannot_be_read_says_what_to_do(tmp_path):
    with pytest.raises(LikelyError, match=r"evaluation\.json does not exist; make it with likely evaluate"):
        load_evaluation(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"records": 5, "figures": {}}')
    (tmp_path / "evaluation_rows.jsonl").write_text("")
    with pytest.raises(LikelyError, match="another version of likely"):
        load_evaluation(tmp_path)
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(LikelyError, match="damaged"):
        load_evaluation(tmp_path)


def test_rows_of_another_evaluation_are_refused(tmp_path):
    save_evaluation(tmp_path, an_evaluation())
    figures = (tmp_path / "evaluation.json").read_text()
    save_evaluation(tmp_path, an_evaluation(0.8))
    (tmp_path / "evaluation.json").write_text(figures)
    with pytest.raises(LikelyError, match="run likely evaluate again"):
        load_evaluation(tmp_path)


def test_a_write_that_fails_leaves_the_last_evaluation(tmp_path):
    save_evaluation(tmp_path, an_evaluation())
    broken = an_evaluation(0.8)
    broken.records[0] = Record("Liked?", "x", "Yes", extra={"not": object()})
    with pytest.raises(ValueError, match="object"):
        save_evaluation(tmp_path, broken)
    assert load_evaluation(tmp_path).results[0].system.p_yes == [0.7]
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.json", "evaluation_rows.jsonl"}


def test_kinds_are_told_without_reading_the_rows(tmp_path):
    assert kinds_in(tmp_path) == set()
    save_evaluation(tmp_path, an_evaluation())
    assert kinds_in(tmp_path) == {"baseline"}
    (tmp_path / "evaluation.json").write_text("{")
    assert kinds_in(tmp_path) == set()
