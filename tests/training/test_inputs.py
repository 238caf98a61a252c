"""What is wrong with a run's records is said before its model is fetched; answers mean what the configuration says."""

import csv
import datetime
import shutil
from dataclasses import replace

import pytest

from likely.config.run_config import RunConfig
from likely.data.catalogue_file import CATALOGUE_FILE
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import write_records
from likely.data.task import RecordsTask
from likely.errors import LikelyError
from likely.sources.invented_ratings import make_sample
from likely.training import inputs
from likely.training.inputs import describe, read_inputs
from support import rows_of

DAY = datetime.date(2025, 3, 1)


def config_of(tmp_path, tiny_base, path, **keys):
    values = {"model_name_or_path": str(tiny_base), "dataset": None, "train_file": str(path), "eval_strategy": "no"}
    return RunConfig(**values, output_dir=str(tmp_path / "run"), **keys)


@pytest.mark.parametrize("answer", ["Yes", "No"])
@pytest.mark.parametrize("is_here", [True, False])
def test_records_that_all_answer_the_same_are_refused_before_the_model_is_fetched(
    tmp_path, tiny_base, monkeypatch, answer, is_here
):
    monkeypatch.setattr(inputs, "cached_folder", lambda *_: None)
    if not is_here:
        monkeypatch.setattr(inputs, "resolve_model", lambda *_: pytest.fail("the model was fetched"))
    write_records(tmp_path / "train.json", [{"instruction": "Will they?", "output": answer}] * 3)
    config = config_of(tmp_path, tiny_base, tmp_path / "train.json")
    config = config if is_here else config.model_copy(update={"model_name_or_path": "smollm2-135m"})
    other = {"Yes": "No", "No": "Yes"}[answer]
    with pytest.raises(LikelyError, match=rf"All 3 training records of .* answer {answer}, .* answer {other} too"):
        read_inputs(config, DAY)


def test_csv_with_answers_of_ones_own_is_trained_on(tmp_path, tiny_base):
    path = tmp_path / "churn.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = [["Leave?", f"customer {n}", n % 2] for n in range(6)]
        csv.writer(out).writerows([["instruction", "input", "output"], *rows])
    keys = {"label_map": {"1": "Yes", "0": "No"}}
    read = read_inputs(config_of(tmp_path, tiny_base, path, **keys), DAY)
    assert [record.liked for record in read.train] == [False, True] * 3
    assert isinstance(read.task, RecordsTask)
    swapped = read_inputs(config_of(tmp_path, tiny_base, path, label_map={"1": "No", "0": "Yes"}), DAY)
    assert [record.liked for record in swapped.train] == [True, False] * 3


def test_a_file_to_evaluate_on_that_asks_something_else_is_refused(tmp_path, tiny_base):
    ratings = read_movielens(make_sample(tmp_path / "sample", users=8, movies=30, ratings_per_user=20))
    usual = SplitProtocol(warmup=5, history_length=5)
    prepare(ratings, tmp_path / "own", usual)
    prepare(ratings, tmp_path / "other", replace(usual, like_threshold=3.0))
    path = tmp_path / "own" / "train.json"
    config = config_of(tmp_path, tiny_base, path, eval_file=str(tmp_path / "other" / "eval.json"))
    assert read_inputs(config, DAY).catalogue == (tmp_path / "own" / CATALOGUE_FILE).read_text(encoding="utf-8")
    config = config.model_copy(update={"eval_strategy": "epoch"})
    with pytest.raises(
        LikelyError, match=r"eval\.json asks something else than .*train\.json \(like_threshold 4\.0 -> 3"
    ):
        read_inputs(config, DAY)
    config = config.model_copy(update={"eval_file": str(tmp_path / "own" / "eval.json")})
    assert read_inputs(config, DAY).eval
    shutil.copy(tmp_path / "other" / "eval.json", tmp_path / "own" / "eval.json")
    with pytest.raises(LikelyError, match=r"eval\.json was changed since it was prepared, or is of another"):
        read_inputs(config, DAY)


def test_records_know_their_rows_when_not_all_are_taken(tmp_path, tiny_base, records):
    path = tmp_path / "train.json"
    write_records(path, rows_of(records))
    keys = {"max_samples": 9, "max_eval_samples": 7, "eval_file": str(path), "eval_strategy": "steps"}
    config = config_of(tmp_path, tiny_base, path).model_copy(update=keys)
    read = read_inputs(config, DAY)
    for rows, chosen in ((read.train_rows, read.train), (read.eval_rows, read.eval)):
        assert len(rows) == len(chosen) < len(records)
        assert rows != list(range(1, len(rows) + 1))
        for row, record in zip(rows, chosen, strict=True):
            assert record.input_ids.tolist() == read.builder.encode(records[row - 1]).input_ids.tolist()


def test_what_is_cut_off_is_said_and_nothing_else(tmp_path, tiny_base, records):
    path = tmp_path / "train.json"
    write_records(path, rows_of(records))
    roomy = read_inputs(config_of(tmp_path, tiny_base, path, cutoff_len=512), DAY)
    assert describe(roomy, 512) == "40 to train on, 0 to evaluate; all fit into cutoff_len 512"
    longest = max(len(record.input_ids) for record in roomy.train)
    narrow = read_inputs(config_of(tmp_path, tiny_base, path, cutoff_len=longest - 1), DAY)
    cut = sum(record.dropped_lines > 0 for record in narrow.train)
    assert cut
    assert f"cutoff_len {longest - 1} shortens the history of {cut} and 0, by" in describe(narrow, longest - 1)
