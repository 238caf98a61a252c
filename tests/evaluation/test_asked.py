"""A rating counts once, whichever files it stands in, and nobody is fitted to the rows that are answered."""

import json
from dataclasses import replace

import numpy as np
import pytest

from likely.config.run_config import RunConfig
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Record, write_records
from likely.data.run_data import files_of
from likely.data.task import content_of, dump_task, task_of
from likely.evaluation.asked import read_asked
from likely.evaluation.baselines import systems_of
from likely.evaluation.run import simple_baselines
from likely.sources.invented_ratings import make_sample

SPLITS = ("train", "eval", "test")


def row(record: Record) -> dict[str, object]:
    known = ("instruction", "input", "output", "user_id", "item_id")
    return {**{key: getattr(record, key) for key in known}, **record.extra}


@pytest.fixture
def asked(prepared, tmp_path):
    """Return a function that reads the records of an evaluation on some of the prepared ones."""

    def read(train, held_out, rows):
        for split, records in zip(SPLITS, (train, held_out, rows), strict=True):
            write_records(tmp_path / f"{split}.json", map(row, records))
        files = {f"{split}_file": str(tmp_path / f"{split}.json") for split in SPLITS}
        config = RunConfig(model_name_or_path="m", output_dir="o", dataset=None, **files)
        return read_asked(tmp_path, config, None, None)

    return read


def answers(asked):
    return {system.name: system.p_yes for system in systems_of(asked.given)[0]}


def test_rows_that_were_trained_on_are_answered_like_rows_that_were_not(prepared, asked):
    train, held_out, _ = prepared
    rows = train[::7]
    others = [record for record in train if record not in rows]
    known, unknown = asked(train, held_out, rows), asked(others, held_out, rows)
    assert len(known.train) == len(train)
    assert not unknown.notes
    assert f"{len(rows)} rows are training records too: the adapter may know their answers" in known.notes[0]
    for name, p_yes in answers(unknown).items():
        np.testing.assert_array_equal(answers(known)[name], p_yes, err_msg=name)


def test_where_all_training_records_are_rows_nothing_is_fitted_and_no_answer_kept(prepared, asked):
    train, held_out, _ = prepared
    known = asked(train, held_out, train)
    assert "training records" in known.why_no_mix
    assert [*answers(known)] == ["always Yes", "history fraction liked"]


def test_eval_records_that_were_trained_on_count_once_and_weigh_nothing(prepared, asked):
    train, held_out, rows = prepared
    once, twice = asked(train, held_out, rows), asked(train, [*held_out, *train[::5]], rows)
    assert twice.tuned == once.tuned
    assert "eval records are training records too" in twice.notes[0]
    for name, p_yes in answers(once).items():
        np.testing.assert_array_equal(answers(twice)[name], p_yes, err_msg=name)
    assert "eval records with both labels" in asked(train, train, rows).why_no_mix


def test_a_record_without_a_time_is_named(prepared, asked):
    train, held_out, rows = prepared
    some = [*train[:3], replace(train[3], extra={**train[3].extra, "timestamp": ""}), *train[4:]]
    total = len(train) + len(held_out) + len(rows)
    (note,) = [note for note in asked(some, held_out, rows).notes if "timestamp" in note]
    assert note.startswith(f"1 of {total:,} records has no timestamp that can be read, such as ")
    assert "train.json, row 4, so the times of all count for nothing" in note
    none = [[replace(one, extra={}) for one in part] for part in (train, held_out, rows)]
    assert not any("timestamp" in note for note in asked(*none).notes)


@pytest.mark.parametrize("times", [1000, 10**6, 10**9])
def test_times_in_a_smaller_unit_are_the_same_times(prepared, asked, times):
    """A mood and an age depend on how long ago something was, not on the order alone."""

    def finer(part):
        return [replace(one, extra={**one.extra, "timestamp": one.extra["timestamp"] * times}) for one in part]

    seconds, smaller = asked(*prepared), asked(*map(finer, prepared))
    (note,) = [note for note in smaller.notes if note not in seconds.notes]
    first = prepared[0][0].extra["timestamp"]
    assert note.startswith(f"The timestamps of these records are not in seconds: {first * times} is read as 20")
    assert [one.extra for one in smaller.given.rows] == [one.extra for one in seconds.given.rows]
    known = answers(seconds)
    assert "Gaussian process of each user" in known
    for name, p_yes in answers(smaller).items():
        np.testing.assert_array_equal(known[name], p_yes, err_msg=name)


def test_times_in_another_unit_than_others_count_for_nothing_and_that_is_said(prepared, asked):
    train, held_out, rows = prepared
    other = [replace(one, extra={**one.extra, "timestamp": one.extra["timestamp"] * 1000}) for one in rows]
    notes = asked(train, held_out, other).notes
    assert any(note.startswith(f"{len(rows):,} of ") and "no timestamp that can be read" in note for note in notes)


def test_times_that_are_none_are_said_to_be_none_where_all_are(prepared, asked):
    parts = [[replace(one, extra={"timestamp": "31.05.2024 18:30"}) for one in part] for part in prepared]
    total = sum(map(len, parts))
    assert any(note.startswith(f"{total:,} of {total:,} records have no timestamp") for note in asked(*parts).notes)


def test_rows_by_which_the_checkpoint_was_chosen_are_named(prepared, asked):
    train, held_out, rows = prepared
    assert (
        f"{len(held_out):,} rows are eval records, by which the checkpoint was chosen"
        in asked(*prepared[:2], held_out).notes[-1]
    )
    assert not any("chosen" in note for note in asked(train, held_out, rows).notes)


def test_what_is_fitted_beside_training_rows_is_not_kept(prepared, asked):
    train, held_out, rows = prepared
    assert asked(train, held_out, rows).answer_is_the_runs
    assert not asked(train, held_out, train[:-9]).answer_is_the_runs


def test_a_training_file_that_is_not_the_one_of_the_run_is_named(tmp_path):
    ratings = read_movielens(make_sample(tmp_path / "sample", users=8, movies=30, ratings_per_user=20))
    files = {f"{split}_file": str(tmp_path / "data" / f"{split}.json") for split in SPLITS}
    config = RunConfig(model_name_or_path="m", output_dir="o", dataset=None, **files)
    path = tmp_path / "data" / "train.json"
    usual = SplitProtocol(warmup=5, history_length=5)

    def after(protocol, **options):
        prepare(ratings, tmp_path / "data", protocol, **options)
        asked = read_asked(tmp_path, config, None, None)
        return asked.is_as_trained, " ".join(asked.notes)

    prepare(ratings, tmp_path / "data", usual)
    (tmp_path / "task.json").write_text(dump_task(task_of(path)))
    assert after(replace(usual, history_length=4))[1].startswith(
        f"{path} asks something else than the run was trained on (history_length 5 -> 4)"
    )  # even where nothing tells of the file
    assert after(usual, max_users=5) == (True, "")
    prepare(ratings, tmp_path / "data", usual)
    (tmp_path / "metrics.json").write_text(json.dumps({"train_data": content_of(path, files_of(config).columns)}))
    assert after(usual) == (True, "")
    for changed in (after(usual, max_users=5), after(replace(usual, split="global-time"))):
        assert changed[0] is False
        assert "than the run was trained on" in changed[1]
    prepare(ratings, tmp_path / "data", usual)
    prepare(ratings, tmp_path / "other", replace(usual, like_threshold=3.0))
    for other, data in (("eval", None), ("test", None), (None, tmp_path / "other" / "test.json")):
        over = {f"{other}_file": str(tmp_path / "other" / f"{other}.json")} if other else {}
        asked = read_asked(tmp_path, config.model_copy(update=over), data, None)
        assert not asked.is_as_trained
        assert "(like_threshold 4.0 -> 3.0)" in asked.notes[-1]


def test_the_two_baselines_that_fit_nothing_count_once_too(prepared, asked):
    train, held_out, _ = prepared
    rows = train[::7]
    others = [record for record in train if record not in rows]
    known, unknown = (simple_baselines(asked(some, held_out, rows)) for some in (train, others))
    assert [one.name for one in known] == ["item like-rate", "history fraction liked"]
    for one, other in zip(known, unknown, strict=True):
        np.testing.assert_array_equal(one.p_yes, other.p_yes)
