"""A data set is found by its name, or its files by theirs, and what is wrong is named."""

import json
from dataclasses import replace

import pytest

from likely.data.dataset_info import OPENAI, Columns, find_data
from likely.data.records import Labels, read_records
from likely.errors import LikelyError

RECORD = {"instruction": "Will this user like it?", "output": "Yes"}


def saved(tmp_path, content, name="data.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_data_set_is_found_by_its_name(tmp_path):
    saved(
        tmp_path,
        {"films": {"file_name": "a.json", "file_name_eval": "b.json", "columns": {"response": "answer"}}},
        "dataset_info.json",
    )
    for name in ("a.json", "b.json"):
        saved(tmp_path, [{"instruction": "?", "answer": "No"}], name)
    files = find_data(tmp_path, "films")
    assert (files.train, files.eval, files.test) == (tmp_path / "a.json", tmp_path / "b.json", None)
    assert read_records(files.train, Labels(), files.columns)[0].output == "No"
    assert find_data(tmp_path, "films", eval_file=str(tmp_path / "a.json")).eval == tmp_path / "a.json"


def test_parquet_takes_the_place_of_json_that_is_not_there(tmp_path):
    saved(tmp_path, {"films": {"file_name": "a.json", "file_name_test": "c.json"}}, "dataset_info.json")
    (tmp_path / "a.parquet").write_bytes(b"")
    assert find_data(tmp_path, "films").train == tmp_path / "a.parquet"
    assert find_data(tmp_path, None, str(tmp_path / "a.json")).train == tmp_path / "a.parquet"
    assert find_data(tmp_path, "films").test == tmp_path / "c.json"
    saved(tmp_path, [RECORD], "a.json")
    assert find_data(tmp_path, "films").train == tmp_path / "a.json"


@pytest.mark.parametrize(
    ("registry", "dataset", "complaint"),
    [
        ({"films": {"file_name": "a.json"}}, "film", "did you mean films?"),
        (
            {"films": {"file_name": "missing.json"}},
            "films",
            "correct its path, or make it with: likely prepare",
        ),
        ({"films": {}}, "films", "file_name is missing"),
        ({"films": {"file_name": "a.json", "columns": {"respons": "x"}}}, "films", "'respons'"),
        ({"films": {"file_name": "a.json", "formatting": "csv"}}, "films", "'csv'; .*'alpaca', 'sharegpt' or 'openai'"),
        ({"films": {"file_name": "a.json", "columns": ["prompt"]}}, "films", r"columns is \['prompt'\]"),
        ({"films": {"file_name": "a.json", "columns": {"prompt": 5}}}, "films", r"columns.prompt is 5"),
        ({"films": {"file_name": ["a.json"]}}, "films", r"file_name is \['a.json'\]"),
        ({"films": "a.json"}, "films", "it is 'a.json'"),
        ({"films": {"file_name": "a.json", "columns": {"images": "images"}}}, "films", "only text can be asked about"),
        ({"films": {"file_name": "a.json", "ranking": True}}, "films", "only records with an answer"),
        (
            {"films": {"file_name": "a.json", "num_samples": 9}},
            "films",
            "num_samples is not possible here; .*max_samples",
        ),
        ({"films": {"hf_hub_url": "some/where"}}, "films", "file_name is missing"),
        ("not json", "films", "is not JSON"),
        (["films"], "films", "has to be an object"),
    ],
)
def test_a_wrong_registry_is_explained(tmp_path, registry, dataset, complaint):
    saved(tmp_path, registry, "dataset_info.json")
    with pytest.raises(LikelyError, match=complaint):
        find_data(tmp_path, dataset)


def test_a_prepared_folder_is_found_by_its_name_unless_a_registry_has_it(tmp_path):
    (tmp_path / "films").mkdir()
    prepared = [saved(tmp_path / "films", [RECORD], f"{split}.json") for split in ("train", "eval", "test")]
    files = find_data(tmp_path, "films")
    assert [files.train, files.eval, files.test] == prepared
    saved(tmp_path, {"shows": {"file_name": "a.json"}}, "dataset_info.json")
    assert find_data(tmp_path, "films") == files  # a folder beside a registry that does not name it
    with pytest.raises(LikelyError, match="has no data set 'film'; it has shows"):
        find_data(tmp_path, "film")
    saved(tmp_path, {"films": {"file_name": "films/eval.json"}}, "dataset_info.json")
    assert find_data(tmp_path, "films").train == prepared[1]


def test_without_a_registry_the_files_can_be_named(tmp_path):
    with pytest.raises(LikelyError, match=r"films/train\.json nor .*dataset_info\.json exists; set dataset_dir"):
        find_data(tmp_path, "films")
    path = saved(tmp_path, [RECORD])
    assert find_data(tmp_path, "films", train_file=str(path)).train == path


def test_a_file_that_takes_the_place_of_a_registered_one_has_its_columns(tmp_path):
    entry = {"file_name": "a.json", "columns": {"query": "context"}}
    saved(tmp_path, {"films": entry}, "dataset_info.json")
    other, prepared = ({**RECORD, key: "Heat"} for key in ("context", "input"))
    files = find_data(tmp_path, "films", train_file=str(saved(tmp_path, [other], "b.json")))
    (record,) = read_records(files.train, Labels(), files.columns)
    assert record.input == "Heat"
    path = saved(tmp_path, [prepared], "c.json")
    with pytest.raises(LikelyError, match=r"c\.json: no row has the key 'context', which .* names as query"):
        read_records(path, Labels(), files.columns)
    assert find_data(tmp_path, "series", train_file=str(path)).columns == Columns()


def test_a_data_set_in_sharegpts_form_is_read_as_its_tags_say(tmp_path):
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    entry = {"file_name": "a.json", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}
    saved(tmp_path, {"films": entry}, "dataset_info.json")
    turns = [{"role": "user", "content": "Heat?"}, {"role": "assistant", "content": "No"}]
    saved(tmp_path, [{"messages": turns}], "a.json")
    files = find_data(tmp_path, "films")
    (record,) = read_records(files.train, Labels(), files.columns)
    assert (record.instruction, record.output) == ("Heat?", "No")


TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


@pytest.mark.parametrize(
    ("entry", "columns"),
    [
        ({}, Columns()),
        ({"columns": None, "tags": None, "ranking": False, "subset": "en", "split": "train"}, Columns()),
        ({"columns": {"prompt": "question", "query": None}}, Columns(prompt="question")),
        ({"formatting": "sharegpt", "columns": {"messages": "conversations", "tools": "tools"}}, Columns("sharegpt")),
        (
            {
                "formatting": "sharegpt",
                "columns": {"messages": "messages"},
                "tags": {**TAGS, "system_tag": "system", "observation_tag": "tool", "function_tag": "call"},
            },
            replace(OPENAI, formatting="sharegpt"),
        ),
        ({"formatting": "openai"}, OPENAI),
        ({"formatting": "openai", "columns": {"messages": "chat"}}, replace(OPENAI, messages="chat")),
    ],
)
def test_entries_as_llama_factory_has_them_are_read(tmp_path, entry, columns):
    saved(tmp_path, {"films": {"file_name": "a.json", **entry}}, "dataset_info.json")
    saved(tmp_path, [RECORD], "a.json")
    assert find_data(tmp_path, "films").columns == columns
