"""The rows that a run is judged on are those that it names, and no others take their place."""

import json

import pytest

from likely.config.reading import load_config
from likely.data.records import write_records
from likely.data.run_data import held_out_records
from likely.errors import LikelyError


def config(folder, *overrides):
    return load_config("qwen3_movielens_qlora", [f"dataset_dir={folder}", "dataset=films", *overrides])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "films").mkdir()
    for split in ("train", "eval"):
        write_records(tmp_path / "films" / f"{split}.json", [{"instruction": split, "output": "Yes"}])
    return tmp_path


def test_without_test_rows_those_of_the_evaluation_are_asked(folder):
    assert [record.instruction for record in held_out_records(config(folder), None, None)] == ["eval"]
    write_records(folder / "films" / "test.parquet", [{"instruction": "test", "output": "No"}])
    assert [record.instruction for record in held_out_records(config(folder), None, None)] == ["test"]


def test_a_test_file_that_is_named_and_missing_is_refused(folder):
    with pytest.raises(LikelyError, match=r"tset\.json does not exist"):
        held_out_records(config(folder, f"test_file={folder}/tset.json"), None, None)
    entry = {"file_name": "films/train.json", "file_name_eval": "films/eval.json", "file_name_test": "t.json"}
    (folder / "dataset_info.json").write_text(json.dumps({"films": entry}))
    with pytest.raises(LikelyError, match=r"t\.json does not exist"):
        held_out_records(config(folder), None, None)
