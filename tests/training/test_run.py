"""A run speaks through callbacks alone, finds mistakes in order of their cost, and never loses an adapter."""

import json
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from transformers import TrainerCallback

from likely.config.run_config import RunConfig
from likely.data.protocol import SplitProtocol
from likely.data.records import write_records
from likely.data.task import digest_of, ratings_task, read_task
from likely.errors import LikelyError
from likely.evaluation.metrics import answer_metrics
from likely.model.adapter import recompute_activations
from likely.model.memory import Kept
from likely.training import run as training

ROWS = ("instruction", "input", "output", "user_id", "item_id")


@pytest.fixture
def config_of(tmp_path, tiny_base, records):
    write_records(tmp_path / "train.json", [{name: getattr(record, name) for name in ROWS} for record in records])

    def make(**changes):
        values = {
            "model_name_or_path": str(tiny_base),
            "dataset": None,
            "train_file": str(tmp_path / "train.json"),
            "eval_file": str(tmp_path / "train.json"),
            "output_dir": str(tmp_path / "run"),
            "cutoff_len": 512,
            "max_steps": 2,
            "eval_steps": 1,
            "logging_steps": 1,
        }
        return RunConfig(**{**values, **changes})

    return make


def test_notes_and_progress_come_by_callbacks_and_nothing_is_printed(config_of, capfd):
    told, seen = {}, []

    class Watch(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **others):
            seen.append(sorted(logs))

    run = training.train(config_of(), answer_metrics, [Watch()], told.__setitem__)
    assert set(told) == {"Records", "Precision", "Attention", "Layout"}
    assert "40 to train on, 40 to evaluate" in told["Records"]
    assert any("loss" in names for names in seen)
    assert any("eval_auc" in names for names in seen)
    assert capfd.readouterr() == ("", "")
    written = json.loads((run.output_dir / "metrics.json").read_text())
    assert written == {**run.metrics, "log": run.log}
    assert written["saving"] == told["Layout"]


def test_the_adapter_is_on_disk_before_anything_is_told_about_it(config_of, monkeypatch):
    """And where telling fails, no figures of an earlier adapter stay beside it."""
    quick = {"eval_strategy": "no", "max_steps": 1}
    run = training.train(config_of(**quick), answer_metrics)
    adapter = run.output_dir / "adapter_model.safetensors"
    before = adapter.read_bytes()

    def fail(*arguments):
        raise OSError("the disk is full")

    monkeypatch.setattr(training, "run_figures", fail)
    with pytest.raises(OSError, match="full"):
        training.train(config_of(**quick, overwrite_output_dir=True, seed=7), answer_metrics)
    assert adapter.read_bytes() != before
    assert not (run.output_dir / "metrics.json").exists()
    assert not (run.output_dir / "README.md").exists()


def test_a_folder_at_home_is_one_folder(config_of, tmp_path, monkeypatch):
    """transformers writes ~ out, so that checkpoints would be in another folder than the adapter."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    training.train(config_of(output_dir="~/run"), answer_metrics)
    names = {path.name for path in (tmp_path / "home" / "run").iterdir()}
    assert {"adapter_model.safetensors", "checkpoint-2", "logs"} <= names
    assert not (tmp_path / "~").exists()


def test_how_records_were_prepared_goes_with_the_run(config_of, tmp_path):
    protocol, digest = {"like_threshold": 3.5, "hints": True}, digest_of(tmp_path / "train.json")
    description = {"dataset": "ml-tiny", "protocol": protocol, "sha256": {"train.json": digest}}
    (tmp_path / "preparation.json").write_text(json.dumps(description))
    run = training.train(config_of(eval_strategy="no", max_steps=1), answer_metrics)
    assert read_task(run.output_dir) == ratings_task(SplitProtocol(**protocol), "ml-tiny")
    card = (run.output_dir / "README.md").read_text()
    assert "like_threshold 3.5" in card
    assert "ml-tiny" in card
    assert "not evaluated" in card


def test_mistakes_are_found_in_the_order_of_their_cost(config_of, tmp_path, monkeypatch):
    """All of them are made at first; each is put right once it is told."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    good = (tmp_path / "train.json").read_text()
    (tmp_path / "train.json").write_text('[{"instruction": "Liked?", "output": "Perhaps"}]')
    (tmp_path / "eval.json").write_text(good)
    (tmp_path / "file").write_text("in the way")
    wrong = {"output_dir": str(tmp_path / "file" / "run"), "model_name_or_path": "no/such", "dtype": "float16"}
    wrong["eval_file"] = str(tmp_path / "eval.json")

    def complaint():
        with pytest.raises(LikelyError) as error:
            training.train(config_of(**wrong), answer_metrics)
        return str(error.value)

    assert "cannot be written" in complaint()
    del wrong["output_dir"]
    assert "float16 trains on a CUDA GPU only" in complaint()
    del wrong["dtype"]
    assert "'Perhaps' is neither Yes nor No" in complaint()
    (tmp_path / "train.json").write_text(good)
    assert "the hub cannot be reached" in complaint()


@pytest.mark.parametrize(("train", "evaluation"), [(1, 3), (4, 1)])
def test_a_model_is_checked_in_the_widest_passes_of_the_run(config_of, monkeypatch, train, evaluation):
    tried = []

    def check(*asked):
        tried.append(asked[-1])
        raise LikelyError("that is enough")

    monkeypatch.setattr(training, "check_exactness", check)
    config = config_of(per_device_train_batch_size=train, per_device_eval_batch_size=evaluation)
    with pytest.raises(LikelyError, match="enough"):
        training.train(config, answer_metrics)
    assert tried == [max(train, evaluation) * config.cutoff_len]


@pytest.mark.parametrize(
    ("device", "changes", "expected"),
    [
        ("cpu", {}, 1024),
        ("cuda", {}, 8192),
        ("cuda", {"pass_tokens": 700}, 700),
        ("cuda", {"per_device_train_batch_size": 30}, 15360),
    ],
)
def test_a_pass_grows_to_what_a_gpu_holds_unless_it_is_set(config_of, monkeypatch, device, changes, expected):
    """Room for 10,000 tokens; the records of a step are as many."""
    monkeypatch.setattr(training, "kept_of", lambda base, lora, checkpointing: Kept(token=50.0, pair=0.0))
    monkeypatch.setattr(training, "free_bytes", lambda device: 1_000_000)
    config, base = config_of(**changes), SimpleNamespace(device=SimpleNamespace(type=device))
    assert training.tokens_of_a_pass(config, base) == expected


@pytest.mark.parametrize(("asked", "said"), [("auto", False), (True, True), (False, False)])
def test_layers_are_compiled_where_they_are_to_be_and_a_line_says_so(config_of, monkeypatch, asked, said):
    told, compiled = {}, []
    monkeypatch.setattr(training, "compile_layers", lambda base: compiled.append(base) or 2)
    training.train(config_of(torch_compile=asked, max_steps=1), answer_metrics, (), told.__setitem__)
    assert ("Layers" in told) == bool(compiled) == said


def test_what_is_trained_and_computed_again_is_what_the_configuration_says(config_of, monkeypatch):
    trained = []

    def recompute(model):
        trained.append([name for name, weight in model.named_parameters() if weight.requires_grad])
        recompute_activations(model)

    monkeypatch.setattr(training, "recompute_activations", recompute)
    training.train(config_of(max_steps=1), answer_metrics)
    assert not trained
    again = {"overwrite_output_dir": True, "max_steps": 1}
    training.train(config_of(**again, lora_layers=1, gradient_checkpointing=True), answer_metrics)
    assert trained[0]
    assert all(".layers.1." in name for name in trained[0])
