"""An adapter answers on the base model that it was trained on, or somebody is told."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from likely.config.run_config import RunConfig
from likely.data.records import write_records
from likely.errors import LikelyError
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.trained_on import check_base
from likely.model.base import Precision, load_base
from likely.model.fingerprint import sample_of
from likely.training.run import train
from support import rows_of

FLOAT32 = Precision("float32", False)


@pytest.fixture
def base(tiny_base):
    return load_base(str(tiny_base), FLOAT32, "sdpa")


def says(folder, **metrics):
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_the_same_base_and_a_run_that_says_nothing_pass_without_a_word(tmp_path, base):
    assert check_base(tmp_path, base, FLOAT32) is None
    for metrics in ({}, {"base": None}, {"base": {"sample": sample_of(base), "precision": "float32"}}):
        says(tmp_path, **metrics)
        assert check_base(tmp_path, base, FLOAT32) is None
    (tmp_path / "metrics.json").write_text("no JSON", encoding="utf-8")
    assert check_base(tmp_path, base, FLOAT32) is None


def test_another_precision_is_said_and_another_library_cannot_be_compared(tmp_path, base):
    says(tmp_path, base={"sample": "other", "precision": "bfloat16, 4-bit weights"})
    said = check_base(tmp_path, base, FLOAT32)
    assert "trained beside bfloat16, 4-bit weights and answers here beside float32" in said
    says(tmp_path, base={"sample": "other", "precision": "float32"}, versions={"transformers": "4.0"})
    assert "could not be compared" in check_base(tmp_path, base, FLOAT32)


def test_an_adapter_on_another_base_of_the_same_name_is_refused(tmp_path, tiny_base, records):
    write_records(tmp_path / "data.json", rows_of(records[:8]))
    values = {"model_name_or_path": str(tiny_base), "dataset": None, "train_file": str(tmp_path / "data.json")}
    values |= {"output_dir": str(tmp_path / "run"), "cutoff_len": 512, "max_steps": 1, "eval_strategy": "no"}
    train(RunConfig(**values), lambda answers, users: {})
    assert LoadedRun.load(tmp_path / "run").notes == ()

    other = shutil.copytree(tiny_base, tmp_path / "elsewhere" / tiny_base.name)
    moved = config_of(tmp_path / "run", None, [f"model_name_or_path={other}"])
    assert LoadedRun.load(tmp_path / "run", moved).notes == ()
    torch.manual_seed(1)
    weights = {name: torch.randn_like(weight) for name, weight in load_file(other / "model.safetensors").items()}
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(LikelyError, match=r"are not those that the adapter in .* was trained on"):
        LoadedRun.load(tmp_path / "run", moved)
