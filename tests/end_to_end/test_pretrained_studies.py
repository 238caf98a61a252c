"""Studies of a pretrained model compare the same candidates, hand runs out in time, and lose none that has finished."""

import json
import time

import numpy as np
import pytest

from benchmarks import common
from benchmarks.pretrained_studies import __main__, arguments_parser, tables
from benchmarks.pretrained_studies.lines import finished_runs, read_lines
from benchmarks.pretrained_studies.records import Count, count_all, keys_of, prepare_records, read_counts, read_part
from benchmarks.pretrained_studies.records import write_counts as write
from benchmarks.pretrained_studies.studies import ORDER, STUDIES, Run, Setting, Turn, all_settings, runs_in
from benchmarks.pretrained_studies.wordings import WORDINGS
from benchmarks.pretrained_studies.workers import MARGIN, Ground, Pace, hand_out
from likely.data.movielens import read_movielens
from likely.data.question import show_question
from likely.data.wording import show_item, show_rated
from likely.evaluation.metrics import auc
from likely.sources.invented_ratings import make_sample
from study_workers import answers_at_once, dies_at_first, never_answers

HEAT = show_item("Heat", 1995, ["Action", "Crime", "Drama"])
BARE = show_item("Élisa", None, [])
FOLDERS = sorted({setting.records for setting in all_settings()})


@pytest.fixture(scope="module")
def ground(tmp_path_factory, tiny_base):
    folder = tmp_path_factory.mktemp("studies")
    data = read_movielens(make_sample(folder / "ratings", users=16, ratings_per_user=40))
    prepare_records(data, str(tiny_base), folder, records=32, evaluated=12)
    write(folder, count_all(folder, str(tiny_base)))
    return Ground(str(tiny_base), folder)


def question(items, candidate, hint=""):
    return show_question([show_rated(item, 3.5) for item in items], candidate, hint)


@pytest.mark.parametrize("name", WORDINGS)
@pytest.mark.parametrize("candidate", [HEAT, BARE])
def test_a_candidate_begins_as_the_line_that_it_becomes_unless_it_is_named(name, candidate):
    reword = WORDINGS[name]
    *before, asked = reword(question([HEAT], candidate)).split("\n")
    *same, told, _ = reword(question([HEAT, candidate], HEAT)).split("\n")
    assert before == same
    line = asked.removesuffix(" | candidate").removesuffix(": candidate")
    is_named = name in ("", "-short")
    assert asked.startswith("Candidate: ") is is_named
    assert told.startswith(line) is not is_named
    assert "1995" not in candidate or "1995" in asked


@pytest.mark.parametrize("name", WORDINGS)
def test_a_hint_stays_the_last_line(name):
    reword, hint = WORDINGS[name], "This user liked earlier movies."
    assert reword(question([HEAT, BARE], HEAT, hint)) == f"{reword(question([HEAT, BARE], HEAT))}\n{hint}"


def test_all_windows_and_wordings_ask_about_the_same_candidates(ground):
    of_windows = {
        length: [name for name in FOLDERS if "hints" in name and name.startswith(length)] for length in ("8", "15")
    }
    others = [name for name in FOLDERS if "hints" not in name]
    for part, number, folders in (
        ("eval", 12, FOLDERS),
        *(("train", 32, some) for some in (*of_windows.values(), others)),
    ):
        asked = [
            (keys_of(rows), [row.output for row in rows])
            for rows in (read_part(ground.data, name, part) for name in folders)
        ]
        assert len(asked[0][0]) == len(set(asked[0][0])) == number
        assert all(one == asked[0] for one in asked)
    lengths = [
        sum(len(row.input) for row in read_part(ground.data, name, "eval")) for name in ("15-short", "15", "all")
    ]
    assert lengths == sorted(set(lengths))


def test_larger_groups_and_longer_steps_compute_fewer_tokens(ground):
    counts = read_counts(ground.data)
    groups = [counts[setting] for setting in STUDIES["groups"].values()]
    assert groups[0].tokens > groups[1].tokens > groups[-1].tokens
    assert {count.tokens_alone for count in groups} == {groups[0].tokens_alone}


def test_every_run_comes_once_and_the_first_turn_first():
    runs = runs_in(ORDER, STUDIES)
    assert len(runs) == len(set(runs))
    first = list(STUDIES["groups"].values())
    assert runs[: len(first)] == [Run(setting, 0) for setting in first]
    assert {Run(setting, 0) for setting in all_settings()} <= set(runs)
    assert runs_in([Turn.of("wordings:7")], ["groups"]) == []


ONE, OTHER, LONG = (Run(Setting(step=step), 0) for step in (16, 32, 64))
COUNTS = {run.setting: Count(1, 1, tokens, 1, 1, 1) for run, tokens in ((ONE, 1), (OTHER, 1), (LONG, 10**9))}


def test_no_run_is_begun_that_would_not_finish():
    said = []
    hand_out([LONG, ONE, OTHER], Pace(COUNTS), 1, time.monotonic() + 300, answers_at_once, said.append)
    assert [Run.of_json(line) for line in said[1:]] == [ONE, OTHER]


def test_a_worker_that_dies_is_told_and_the_others_go_on():
    said = []
    hand_out([ONE, OTHER], Pace(COUNTS), 2, time.monotonic() + 300, dies_at_first, said.append)
    assert [Run.of_json(line) for line in said if line.get("lost") == 3] == [ONE]
    assert sum("seconds" in line for line in said) == 1


def test_what_still_runs_at_the_end_is_killed():
    began = time.monotonic()
    pace = Pace(COUNTS, {ONE.setting: [0.1]})
    hand_out([ONE], pace, 1, began + 8, never_answers, lambda line: None)
    assert 7 < time.monotonic() - began < 60


def test_a_run_is_expected_to_take_what_runs_like_it_took():
    pace = Pace(COUNTS)
    guess = pace.first_guess(ONE.setting)
    assert pace.expected(ONE.setting) == guess
    pace.note(OTHER.setting, 2 * pace.first_guess(OTHER.setting))
    assert pace.expected(ONE.setting) == pytest.approx(2 * guess)
    pace.note(ONE.setting, 5.0)
    pace.note(ONE.setting, 7.0)
    assert pace.expected(ONE.setting) == 7
    assert pace.next_of([ONE], 7 * MARGIN - 0.1) is None
    assert pace.next_of([LONG, ONE], 7 * MARGIN) == ONE


@pytest.mark.slow
def test_runs_leave_what_they_answered_and_a_table_compares_them(ground, tmp_path, monkeypatch):
    lines = tmp_path / "runs.jsonl"
    first, second, *_ = STUDIES["histories"].values()
    trained = ground.attempt(Run(first, 0))
    for line in (trained, {**trained, **Run(second, 0).as_json()}):
        __main__.keep(lines, 0.0, line)
    __main__.keep(lines, 0.0, {"machine": {"processor": "a", "gpu": "b"}, "versions": {}})
    with lines.open("a") as out:
        out.write('{"cut short')
    runs = finished_runs(read_lines([lines]))
    assert list(runs) == [Run(first, 0), Run(second, 0)]
    rows = read_part(ground.data, "15", "eval")
    liked = np.array([row.output == "Yes" for row in rows])
    for line in runs.values():
        assert line["metrics"]["eval_auc"] == pytest.approx(auc(liked, np.array(line["p_yes"])), abs=1e-4)
        assert line["loss"]

    monkeypatch.setattr(common, "RESULTS", tmp_path)
    words = ["table", str(lines), "--data", str(ground.data), "--plot", str(tmp_path / "plot.png")]
    __main__.table(arguments_parser().parse_args(words))
    (saved,) = tmp_path.glob("pretrained-studies-a-b-*.json")
    assert len(json.loads(saved.read_text())["runs"]) == 2
    assert (tmp_path / "plot.png").stat().st_size > 0


def test_a_run_that_fails_says_why(ground):
    failed = ground.attempt(Run(Setting(cutoff_len=16), 0))
    assert Run.of_json(failed) == Run(Setting(cutoff_len=16), 0)
    assert "cutoff_len" in failed["failed"]


def answered(run, p_yes):
    return {**run.as_json(), "p_yes": list(p_yes), "seconds": 1.0}


def test_differences_are_paired_and_averaged_over_the_seeds_that_both_have(ground):
    rows = tables.answered_rows(read_part(ground.data, "15", "eval"), draws=200)
    (first, second) = list(STUDIES["wordings"].values())[:2]
    random = np.random.default_rng(0)
    noise = [random.random(len(rows.liked)) for _ in range(3)]
    runs = {Run(first, seed): answered(Run(first, seed), noise[seed]) for seed in range(2)}
    runs |= {Run(second, seed): answered(Run(second, seed), noise[seed]) for seed in range(3)}
    count = Count(1, 1, 1, 1, 1, 1)
    _, same = tables.compare(runs, rows, dict.fromkeys((first, second), count), ["wordings"])
    assert same.seeds == [0, 1, 2]
    # The third seed has nothing to be compared with.
    assert same.differences["auc"] == same.differences["log_loss"] == (0.0, 0.0, 0.0)

    better = {**runs, **{Run(second, seed): answered(Run(second, seed), rows.liked.astype(float)) for seed in range(3)}}
    _, best = tables.compare(better, rows, dict.fromkeys((first, second), count), ["wordings"])
    gain = np.mean([1 - auc(rows.liked, noise[seed]) for seed in range(2)])
    assert best.differences["auc"][0] == pytest.approx(gain)
