"""Whoever watches a training is told its curves and the configuration that it was started with."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from likely.config.reading import load_config
from likely.config.run_config import RunConfig
from likely.errors import LikelyError
from likely.evaluation.metrics import answer_metrics
from likely.training import arguments, run
from support import rows_of


@pytest.fixture
def config_of(tmp_path, tiny_base, records):
    """A configuration of two steps that reports as it is told."""
    path = tmp_path / "records.json"
    path.write_text(json.dumps(rows_of(records)), encoding="utf-8")

    def make(**changes):
        values = {
            "model_name_or_path": str(tiny_base),
            "dataset": None,
            "train_file": str(path),
            "eval_file": str(path),
            "output_dir": str(tmp_path / "run"),
            "cutoff_len": 512,
            "max_samples": 32,
            "max_steps": 2,
            "eval_steps": 2,
            "logging_steps": 1,
            "lora_rank": 2,
            "run_name": "two-steps",
        }
        return RunConfig(**{**values, **changes})

    return make


def told(values):
    """The keys of a configuration among what somebody was told, as text."""
    return {key: str(values[key]) for key in RunConfig.model_fields}


def expected(config):
    return told(config.model_dump(mode="json"))


def test_tensorboard_has_curves_and_configuration(config_of, tmp_path):
    config = config_of()
    run.train(config, answer_metrics)
    events = EventAccumulator(str(tmp_path / "run" / "logs" / "two-steps"))
    events.Reload()
    assert {"train/loss", "eval/auc"} <= set(events.Tags()["scalars"])
    (text,) = events.Tensors("args/text_summary")
    assert told(json.loads(text.tensor_proto.string_val[0])) == expected(config)


def test_with_none_no_curves_are_written(config_of, tmp_path):
    finished = run.train(config_of(report_to="none"), answer_metrics)
    assert not (tmp_path / "run" / "logs").exists()
    assert load_config(tmp_path / "run" / "config.yaml").report_to == ()
    assert any("loss" in entry for entry in finished.log)


def test_what_is_not_installed_is_said_before_anything_is_loaded(config_of, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(run, "load_base", refuse)
    monkeypatch.setattr(arguments, "find_spec", lambda name: None if name == "trackio" else name)
    with pytest.raises(LikelyError, match="report_to: trackio is not installed; pip install trackio"):
        run.train(config_of(report_to="wandb,trackio"), answer_metrics)


def test_wandb_has_curves_and_configuration(config_of, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="needs wandb, of make test-extras")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    config = config_of(report_to="wandb")
    run.train(config, answer_metrics)
    assert wandb.run.name == "two-steps"
    assert told(wandb.run.config) == expected(config)
    summary = dict(wandb.run.summary)
    wandb.finish()
    assert {"train/loss", "eval/auc"} <= set(summary)
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))


def test_mlflow_has_curves_and_configuration(config_of, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow, of make test-extras")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    config = config_of(report_to="tensorboard,mlflow")
    run.train(config, answer_metrics)
    mlflow.set_tracking_uri(f"file:{tmp_path}/mlruns")
    (found,) = mlflow.search_runs(output_format="list")
    assert found.info.run_name == "two-steps"
    assert told(found.data.params) == expected(config)
    assert {"loss", "eval_auc"} <= set(found.data.metrics)
