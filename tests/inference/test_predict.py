"""Records get the P(Yes) that they have alone, in the order of their file; what was scored before a kill is kept."""

import csv
import datetime
import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likely.cli import run as command
from likely.data.dataset_info import Columns
from likely.data.task import TASK_FILE, RecordsTask, dump_task
from likely.errors import LikelyError
from likely.inference import loaded_run
from likely.inference import predict as predicting
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.precision_here import settled
from likely.inference.predict import Mixing, asked_otherwise, predict
from likely.inference.predict_folder import predict_folder
from likely.inference.scores_in_progress import ScoresInProgress
from likely.locking import alone_at
from likely.model import base
from likely.model.base import Precision, load_base
from likely.model.fingerprint import adapter_of, sample_of


@pytest.fixture(scope="module")
def alone(folder, records):
    """P(Yes) of adapter and base for each record by its input, each scored by itself."""
    run = LoadedRun.load(folder)
    return {
        record.input: (run.answers([record]).p_yes[0], run.answers([record], adapter=False).p_yes[0])
        for record in records
    }


def saved(path: Path, rows):
    """Write rows in the format that a name ends in."""
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix == ".csv":
        pl.DataFrame(rows).write_csv(path)
    else:
        lines = [json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) if path.suffix == ".jsonl" else f"[{', '.join(lines)}]", encoding="utf-8")
    return path


def read(path: Path):
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@settings(max_examples=6)
@given(st.data())
def test_every_record_gets_the_answer_that_it_gets_alone(tmp_path_factory, folder, rows, alone, data):
    own = data.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=len(rows)))
    path = tmp_path_factory.mktemp("p")
    source, scored = (data.draw(st.sampled_from(kinds)) for kinds in (("json", "jsonl", "csv", "parquet"),) * 2)
    scored = "jsonl" if scored == "json" else scored
    saved(path / f"in.{source}", own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "WINDOW", data.draw(st.integers(1, 30)))
        done = predict(folder, path / f"in.{source}", path / f"out.{scored}", with_base=True)
    assert (done.rows, done.kept) == (len(own), 0)
    found = read(path / f"out.{scored}")
    assert [list(row) for row in found] == [[*own[0], "p_yes", "base_p_yes"]] * len(own)
    figures = [[float(row["p_yes"]), float(row["base_p_yes"])] for row in found]
    np.testing.assert_allclose(figures, [alone[row["input"]] for row in own], atol=1e-5)
    empty = "" if "csv" in (source, scored) else None
    assert [row["note"] or empty for row in found] == [row["note"] or empty for row in own]
    assert sorted(path.iterdir()) == sorted([path / f"in.{source}", path / f"out.{scored}"])


def test_python_takes_records_and_rows(folder, records, rows, alone):
    run = LoadedRun.load(folder)
    expected = [alone[record.input][0] for record in records]
    np.testing.assert_allclose(run.predict(records), expected, atol=1e-5)
    np.testing.assert_allclose(run.predict([*records[:5], *rows[5:]]), expected, atol=1e-5)
    assert run.predict([]).shape == (0,)
    with pytest.raises(LikelyError, match="the records given, row 2: the key 'instruction' is missing"):
        run.predict([rows[0], {"input": "x"}])


def test_rows_may_have_the_columns_of_the_training_file(tmp_path, folder, rows, alone):
    named = RecordsTask(columns=Columns(prompt="question", query="about"))
    own = [{"question": row["instruction"], "about": row["input"]} for row in rows]
    before = (folder / TASK_FILE).read_text(encoding="utf-8")
    (folder / TASK_FILE).write_text(dump_task(named), encoding="utf-8")
    predict(folder, saved(tmp_path / "in.csv", own), tmp_path / "out.csv")
    (folder / TASK_FILE).write_text(before, encoding="utf-8")
    figures = [float(row["p_yes"]) for row in read(tmp_path / "out.csv")]
    np.testing.assert_allclose(figures, [alone[row["input"]][0] for row in rows], atol=1e-5)


def test_messages_are_scored_whether_they_end_with_an_answer_or_not(tmp_path, folder, rows, alone):
    turns = [[{"role": "user", "content": f"{row['instruction']}\n{row['input']}"}] for row in rows]
    turns[0].append({"role": "assistant", "content": "Who knows?"})
    predict(folder, saved(tmp_path / "in.jsonl", [{"messages": own} for own in turns]), tmp_path / "out.parquet")
    found = read(tmp_path / "out.parquet")
    assert [json.loads(row["messages"]) for row in found] == turns
    np.testing.assert_allclose([row["p_yes"] for row in found], [alone[row["input"]][0] for row in rows], atol=1e-5)


@pytest.mark.parametrize(
    ("ending", "torn"), [("parquet", "0.51"), ("csv", "0.51"), ("jsonl", "0.51"), ("jsonl", ""), ("jsonl", "0.25\n0.3")]
)
def test_a_killed_command_that_goes_on_writes_the_same_file(tmp_path, folder, rows, monkeypatch, ending, torn):
    monkeypatch.setattr(predicting, "WINDOW", 9)
    source = saved(tmp_path / "in.json", rows)
    predict(folder, source, tmp_path / f"whole.{ending}")
    output = tmp_path / f"out.{ending}"
    append = ScoresInProgress.append

    def killed(self, scores):
        if self.path.read_text(encoding="utf-8").count("\n") > 2 * 9:
            with self.path.open("a", encoding="utf-8") as out:
                out.write(torn)
            raise KeyboardInterrupt
        append(self, scores)

    with monkeypatch.context() as patch:
        patch.setattr(ScoresInProgress, "append", killed)
        words = ["predict", "--run", str(folder), "--data", str(source), "--output", str(output)]
        assert command(words) == 130
    assert not output.exists()
    seen = []
    done = predict(folder, source, output, resume=True, on_progress=lambda *counts: seen.append(counts))
    assert (done.rows, done.kept) == (len(rows), 18)
    assert seen[0][0] > 18
    assert seen[-1] == (len(rows), len(rows))
    assert output.read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_scores_of_something_else_are_not_gone_on_with(tmp_path, folder, rows, monkeypatch):
    source, output = saved(tmp_path / "in.jsonl", rows), tmp_path / "out.csv"
    monkeypatch.setattr(LoadedRun, "load", lambda *_: pytest.fail("the model was loaded"))
    partial = ScoresInProgress.beside(output, 4)
    made_with = predicting.made_with(folder, settled(folder, predicting.config_of(folder)), source, False)
    assert partial.begin(made_with, resume=False) == (0, datetime.date.today())
    with pytest.raises(LikelyError, match="go on with --resume, or delete it"):
        predict(folder, source, output)
    saved(source, rows[1:])
    with pytest.raises(LikelyError, match=r"made with something else \(records: \w+ -> \w+\)"):
        predict(folder, source, output, resume=True)
    partial.path.unlink()
    partial.begin({**made_with, "blend": "a0"}, resume=False)
    saved(source, rows)
    with pytest.raises(LikelyError, match=r"made with something else \(blend: a0 -> None\)"):
        predict(folder, source, output, resume=True)
    partial.path.write_text("{", encoding="utf-8")
    with pytest.raises(LikelyError, match="damaged"):
        predict(folder, source, output, resume=True)


def test_what_json_and_csv_do_not_know_is_written_in_a_form_that_they_do(tmp_path, folder, rows):
    told = {"day": [datetime.date(2024, 5, 31), None], "share": [math.nan, 0.5], "tags": [["a", "b"], []]}
    pl.DataFrame({**{key: [row[key] for row in rows[:2]] for key in ("instruction", "input")}, **told}).write_parquet(
        tmp_path / "in.parquet"
    )
    for ending in ("jsonl", "csv"):
        predict(folder, tmp_path / "in.parquet", tmp_path / f"out.{ending}")
    first, second = read(tmp_path / "out.jsonl")
    assert "NaN" not in (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert [(row["day"], row["share"], row["tags"]) for row in (first, second)] == [
        ("2024-05-31", None, ["a", "b"]),
        (None, 0.5, []),
    ]
    first, second = read(tmp_path / "out.csv")
    assert [(row["day"], row["tags"]) for row in (first, second)] == [("2024-05-31", '["a", "b"]'), ("", "[]")]


@pytest.fixture
def trained_in_bfloat16(tmp_path, folder, tiny_base, monkeypatch):
    """Folder of a run that answers in bfloat16 where a trial says that this processor is fast in it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    sample = sample_of(load_base(str(tiny_base), Precision("bfloat16", False), "sdpa"))
    run = shutil.copytree(folder, tmp_path / "run")
    (run / "metrics.json").write_text(json.dumps({"base": {"precision": "bfloat16", "sample": sample}}))
    return run


def test_scores_of_two_precisions_do_not_go_into_one_file(tmp_path, trained_in_bfloat16, rows, monkeypatch):
    monkeypatch.setattr(predicting, "WINDOW", 9)
    run, source, output = trained_in_bfloat16, saved(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    append, appended = ScoresInProgress.append, []

    def killed(self, scores):
        if len(appended) == 2:
            raise KeyboardInterrupt
        appended.append(append(self, scores))

    with monkeypatch.context() as patch:
        patch.setattr(base, "bfloat16_gain", lambda hidden: 2.0)
        predict(run, source, tmp_path / "whole.jsonl")
        patch.setattr(ScoresInProgress, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            predict(run, source, output)
    monkeypatch.setattr(base, "bfloat16_gain", lambda hidden: 0.1)  # on another machine, or a busy one
    with pytest.raises(LikelyError, match=r"made with something else \(dtype: bfloat16 -> float32\); set it back"):
        predict(run, source, output, resume=True)
    assert predict(run, source, output, config_of(run, None, ["dtype=bfloat16"]), resume=True).kept == 18
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_the_files_of_a_folder_are_of_one_precision(tmp_path, trained_in_bfloat16, rows, monkeypatch):
    (tmp_path / "in").mkdir()
    for place in range(3):
        pl.DataFrame(rows[:4]).write_parquet(tmp_path / "in" / f"{place}.parquet")
    gains = iter((2.0, *[0.1] * 9))  # the trial comes out otherwise when it is repeated
    monkeypatch.setattr(base, "bfloat16_gain", lambda hidden: next(gains))
    predict_folder(trained_in_bfloat16, tmp_path / "in", tmp_path / "out")
    scores = {tuple(pl.read_parquet(path)["p_yes"]) for path in (tmp_path / "out").iterdir()}
    assert len(scores) == 1
    (tmp_path / "in" / "0.parquet").rename(tmp_path / "in" / "3.parquet")  # and now it is float32
    predict_folder(trained_in_bfloat16, tmp_path / "in", tmp_path / "out")
    again = {tuple(pl.read_parquet(tmp_path / "out" / f"{place}.parquet")["p_yes"]) for place in (1, 2, 3)}
    assert len(again) == 1
    assert again != scores


def test_an_answer_is_mixed_with_the_adapter_that_it_was_fitted_with(tmp_path, folder, rows, monkeypatch):
    source, output = saved(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    other = Mixing(lambda records, p_yes: p_yes, "a blend", "another adapter")
    with pytest.raises(LikelyError, match="was replaced by another meanwhile"):
        predict(folder, source, output, mixing=other)
    monkeypatch.setattr(predicting, "WINDOW", 4)
    with monkeypatch.context() as patch:
        patch.setattr(predicting, "write_scored", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            predict(folder, source, output)
    own = replace(other, adapter=adapter_of(folder))
    with pytest.raises(LikelyError, match=r"made with something else \(blend: None -> a blend\); set it back"):
        predict(folder, source, output, resume=True, mixing=own)


def test_an_adapter_is_asked_otherwise_by_settings_and_not_by_the_name_of_its_base(folder):
    assert asked_otherwise(folder, config_of(folder, None, ["model_name_or_path=elsewhere"])) == []
    assert asked_otherwise(folder, config_of(folder, None, ["cutoff_len=500"])) == ["cutoff_len"]


def test_a_second_command_does_not_write_the_same_output(tmp_path, folder, rows, capsys, monkeypatch):
    monkeypatch.setattr(LoadedRun, "load", lambda *_: pytest.fail("the model was loaded"))
    words = ["predict", "--data", str(saved(tmp_path / "in.csv", rows)), "--output", str(tmp_path / "out.csv")]
    with alone_at(tmp_path / "out.csv"):
        assert command([*words, "--run", str(folder)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"out.csv is being written by another command (process {os.getpid()} on" in told


def test_longer_records_in_a_later_window_are_checked_too(tmp_path, folder, rows, monkeypatch):
    monkeypatch.setattr(predicting, "WINDOW", 4)
    checked = []
    monkeypatch.setattr(loaded_run, "check_exactness", lambda _, encoded, *__: checked.append(len(encoded)))
    by_length = sorted(rows, key=lambda row: len(row["input"]))
    predict(folder, saved(tmp_path / "in.jsonl", by_length), tmp_path / "out.jsonl")
    assert len(checked) > 1
    checked.clear()
    predict(folder, saved(tmp_path / "in.jsonl", by_length[::-1]), tmp_path / "again.jsonl")
    assert len(checked) == 1


@pytest.mark.parametrize(
    ("rows", "output", "complaint"),
    [
        ([{"instruction": "?"}], "out.xlsx", "ends in none of .parquet, .csv, .jsonl"),
        ([{"instruction": "?"}], "in.jsonl", "is the file that is read"),
        ([{"instruction": "?"}], "nowhere/out.csv", "cannot be written"),
        ([{"instruction": "?", "p_yes": 0.5}], "out.csv", "has a column 'p_yes' already"),
        ([{"instruction": "?"}, {"question": "?"}], "out.csv", "row 2: the key 'instruction' is missing"),
        ([{"instruction": "?"}, ["?"]], "out.csv", "row 2: a list where an object"),
    ],
)
def test_what_is_wrong_is_said_before_the_model_is_loaded(
    tmp_path, folder, monkeypatch, capsys, rows, output, complaint
):
    monkeypatch.setattr(LoadedRun, "load", lambda *_: pytest.fail("the model was loaded"))
    source = saved(tmp_path / "in.jsonl", rows)
    words = ["predict", "--run", str(folder), "--data", str(source), "--output", str(tmp_path / output)]
    assert command(words) == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


def test_a_missing_file_and_a_missing_run_are_said(tmp_path, folder, capsys):
    words = ["predict", "--data", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv"), "--run"]
    assert command([*words, str(folder)]) == 2
    assert command([*words, str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "in.csv does not exist" in told
    assert "holds no adapter" in told
