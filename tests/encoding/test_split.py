"""A cut prompt is the whole one: query and item together are what the model reads, as text and as tokens."""

import json
from dataclasses import replace

import pytest
import yaml

from chat_models import chat_tokenizer
from likely.cli import run as likely
from likely.data.records import Labels
from likely.encoding.prompt import PromptBuilder
from likely.encoding.split import as_texts, split_prompts
from likely.errors import LikelyError
from support import rows_of


def prompt_of(builder, record):
    encoded = builder.encode(record)
    return encoded.prompt_ids.tolist()


def test_candidates_of_one_history_share_all_of_it(builder, record_of):
    first = record_of(0, 5)
    history, candidate = first.input.rsplit("\n", 1)
    asked = [first, *(replace(first, input=f"{history}\nCandidate: {name} (1999)") for name in ("River", "Empire"))]
    parts = split_prompts(builder, asked)
    assert parts.query.endswith(history + "\n")
    assert parts.items[0].startswith(candidate)
    for record, item, ids in zip(asked, parts.items, parts.items_ids, strict=True):
        assert parts.query + item == builder.render(record)
        assert parts.query_ids + ids == prompt_of(builder, record)
        assert builder.tokenizer(parts.query + item)["input_ids"] == prompt_of(builder, record)


def test_one_record_shares_what_its_nearest_neighbour_has_too(builder, record_of):
    record, nearest, stranger = record_of(0, 5), record_of(0, 6), record_of(1, 5)
    parts = split_prompts(builder, [record], [stranger, nearest])
    assert parts.query.endswith(record.input.rsplit("\n", 1)[0] + "\n")
    assert parts.query_ids + parts.items_ids[0] == prompt_of(builder, record)


def test_equal_prompts_leave_each_an_end_of_its_own(builder, record_of):
    parts = split_prompts(builder, [record_of(0, 5)] * 2)
    assert all(parts.items_ids)


@pytest.mark.parametrize("kind", ["byte_level", "metaspace", "newline_tokens"])
@pytest.mark.parametrize("template", ["chatml", "gemma", "leaves the system out"])
@pytest.mark.parametrize("neighbours", [0, 1])
def test_a_server_that_tokenises_texts_reads_the_prompt_or_is_sent_no_text(kind, template, neighbours, record_of):
    """These tokenizers put <s> before a text, some of the templates do too, and only one of them may."""
    builder = PromptBuilder(chat_tokenizer(kind, template), Labels(), 2000)
    record = record_of(0, 5)
    parts = split_prompts(builder, [record], [record_of(0, 6)] * neighbours)
    assert parts.query_ids + parts.items_ids[0] == prompt_of(builder, record)
    try:
        query, (item,) = as_texts(builder, parts)
    except LikelyError:
        assert (template, kind) != ("gemma", "byte_level")
    else:
        assert template != "chatml"
        assert builder.tokenizer(query + item)["input_ids"] == prompt_of(builder, record)


def test_a_prompt_that_would_be_shortened_is_not_cut(builder, record_of):
    short = PromptBuilder(builder.tokenizer, Labels(), 90)
    with pytest.raises(LikelyError, match="longer than the run's cutoff_len of 90"):
        split_prompts(short, [record_of(0, 7)])


@pytest.fixture
def run_folder(tmp_path, tiny_base, records):
    """What a run's folder needs for its prompts."""
    path = tmp_path / "test.json"
    path.write_text(json.dumps(rows_of(records)), encoding="utf-8")
    (tmp_path / "adapter_model.safetensors").touch()
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tiny_base)}))
    files = {"dataset": None, "train_file": str(path), "test_file": str(path)}
    config = {**files, "model_name_or_path": str(tiny_base), "output_dir": str(tmp_path), "cutoff_len": 512}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_the_verb_prints_what_is_left_of_a_prompt_that_is_too_long(run_folder, builder, records, capsys):
    config = (run_folder / "config.yaml").read_text().replace("512", "90")
    (run_folder / "config.yaml").write_text(config)
    short = PromptBuilder(builder.tokenizer, Labels(), 90)
    row = next(place for place, record in enumerate(records) if short.encode(record).dropped_lines)
    asked = ["render", "--run", str(run_folder), "--row", str(row + 1)]
    assert likely(asked) == 0
    text = capsys.readouterr().out.removesuffix("\n")
    assert likely([*asked, "--ids"]) == 0
    assert builder.tokenizer(text, add_special_tokens=False)["input_ids"] == json.loads(capsys.readouterr().out)


def test_the_verb_prints_the_prompt_and_the_request(run_folder, builder, records, capsys):
    asked = ["render", "--run", str(run_folder), "--row", "3"]
    assert likely(asked) == 0
    assert capsys.readouterr().out == builder.render(records[2]) + "\n"
    assert likely([*asked, "--ids"]) == 0
    assert json.loads(capsys.readouterr().out) == prompt_of(builder, records[2])
    assert likely([*asked, "--split"]) == 0
    request = json.loads(capsys.readouterr().out)
    assert request["query"] + request["items"][0] == builder.render(records[2])
    assert request["label_token_ids"] == list(builder.first_tokens)
    assert likely([*asked, "--split", "--ids"]) == 0
    request = json.loads(capsys.readouterr().out)
    assert request["query"] + request["items"][0] == prompt_of(builder, records[2])
    assert likely(["render", "--run", str(run_folder), "--row", "41"]) == 2
    assert "--row 41 is none of the 40 records" in capsys.readouterr().err
