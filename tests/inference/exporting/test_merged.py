"""A merged model answers in plain transformers as the adapter does, and one that would not is not written."""

import json
import re

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from likely.cli import run as likely
from likely.data.catalogue_file import CATALOGUE_FILE
from likely.data.task import BLEND_FILES
from likely.encoding.prompt import user_turn
from likely.errors import LikelyError
from likely.inference.exporting import merged
from likely.inference.exporting.merged import export_merged
from likely.inference.loaded_run import LoadedRun


@pytest.fixture(scope="module")
def exported(run_folder, records, tmp_path_factory):
    return export_merged(run_folder, tmp_path_factory.mktemp("merged") / "model", records)


def test_the_code_of_its_model_card_gives_the_answers_of_the_adapter(exported, run_folder, records, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (exported.folder / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(exported.folder)
    names = {}
    exec(code, names)
    said = [names["p_yes"](user_turn(record)) for record in records]
    run = LoadedRun.load(run_folder)
    np.testing.assert_allclose(said, run.answers(records).p_yes, atol=1e-5)
    assert np.abs(np.array(said) - run.answers(records, adapter=False).p_yes).max() > 0.05
    assert (exported.agreement.rows, exported.agreement.rendered) == (len(records), len(records))
    assert exported.agreement.difference < 1e-5


def test_it_answers_a_prompt_when_it_is_asked_to_write(exported, records):
    tokenizer = AutoTokenizer.from_pretrained(exported.folder)
    model = AutoModelForCausalLM.from_pretrained(exported.folder)
    assert model.dtype == torch.float32
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": user_turn(records[0])}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    written = model.generate(**prompt)
    assert written.shape[1] == prompt["input_ids"].shape[1] + 1
    assert torch.equal(written, model.generate(**prompt))


def test_nothing_of_this_machine_or_of_an_adapter_is_in_it(exported, tiny_base):
    names = {path.name for path in exported.folder.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not [name for name in names if "adapter" in name]
    config = (exported.folder / "config.json").read_text()
    assert str(tiny_base.parent) not in config
    assert "attn" not in config


def test_nothing_that_users_said_leaves_with_it(make_run, tiny_base, records, tmp_path):
    """A run keeps ratings of its users beside the adapter, and records name them."""
    folder = make_run(tmp_path / "run", tiny_base)
    for name in (*BLEND_FILES, CATALOGUE_FILE, "evaluation_rows.jsonl"):
        (folder / name).write_text("what users said", encoding="utf-8")
    left = [path for path in export_merged(folder, tmp_path / "model", records).folder.rglob("*") if path.is_file()]
    assert not {path.name for path in left} & {path.name for path in folder.iterdir()} - {"README.md"}
    secrets = [b"what users said", *(record.input.encode() for record in records)]
    assert not [path.name for path in left for secret in secrets if secret in path.read_bytes()]


def test_shortened_prompts_are_compared_as_tokens(make_run, tiny_base, records, tmp_path):
    folder = make_run(tmp_path / "run", tiny_base, cutoff_len=90)
    found = export_merged(folder, tmp_path / "model", records).agreement
    assert 0 < found.rendered < found.rows == len(records)
    assert found.difference < 1e-5


def test_four_bit_weights_are_not_merged_into(make_run, tiny_base, records, tmp_path):
    folder = make_run(tmp_path / "run", tiny_base, quantization_bit=4, dtype="bfloat16", flash_attn="sdpa")
    exported = export_merged(folder, tmp_path / "model", records[:5])
    assert json.loads((exported.folder / "config.json").read_text())["dtype"] == "float32"
    assert "quantization_config" not in (exported.folder / "config.json").read_text()
    assert "unquantised" in exported.notes[0]


def test_what_a_run_has_to_say_of_its_answers_is_said_of_its_export(make_run, tiny_base, records, tmp_path):
    """Here, that `likely evaluate` and `likely serve` may ask it in bfloat16."""
    folder = make_run(tmp_path / "run", tiny_base)
    (folder / "metrics.json").write_text(json.dumps({"base": {"precision": "bfloat16", "sample": "0"}}))
    (note,) = export_merged(folder, tmp_path / "model", records[:5]).notes
    assert "trained beside bfloat16 and answers here beside float32" in note


def test_a_merged_model_that_is_not_the_run_is_refused_and_gone(run_folder, records, tmp_path, monkeypatch):
    honest = merged.plain_answers
    monkeypatch.setattr(merged, "plain_answers", lambda *arguments: honest(*arguments) + 0.002)
    with pytest.raises(LikelyError, match=r"differs from the run's by up to 0\.0020 on 40 rows"):
        export_merged(run_folder, tmp_path / "out" / "model", records)
    assert list((tmp_path / "out").iterdir()) == []


def test_another_chat_template_is_noticed(run_folder, records, tmp_path, monkeypatch):
    monkeypatch.setattr(merged, "plain_template", lambda builder, prompts: builder.tokenizer.chat_template + "!")
    with pytest.raises(LikelyError, match="makes other prompts than the run"):
        export_merged(run_folder, tmp_path / "model", records)
    assert list(tmp_path.iterdir()) == []


def test_the_verb_says_how_near_it_came(run_folder, tmp_path, capsys):
    arguments = ["export", "--run", str(run_folder), "--to", "merged", "--output", str(tmp_path / "model")]
    assert likely(arguments) == 0
    told = capsys.readouterr().out
    assert re.search(r"In plain transformers, P\(Yes\) of 40 rows is the adapter's to \d\.\de-0[5-9]", told)
    assert likely(arguments) == 2
    assert "exists and is not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--outtype", "f16"], "--outtype f16 is for --to gguf"),
        (["--push-to-hub", "no such/name/at all"], "is no name on the hub"),
        (["--push-to-hub", "likely"], "needs a login"),
        (["--data", "nowhere.json"], "nowhere.json does not exist"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_loaded(
    run_folder, tmp_path, monkeypatch, capsys, options, words
):
    def refuse(*arguments):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(LoadedRun, "load", refuse)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    output = ["--to", "merged", "--output", str(tmp_path / "model")]
    assert likely(["export", "--run", str(run_folder), *output, *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
