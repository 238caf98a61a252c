"""An adapter answers on the base model that it was trained on, or somebody is told."""

import json
import shutil
from importlib.metadata import version

import pytest
import torch
from safetensors.torch import load_file, save_file

from likely.config.run_config import RunConfig
from likely.data.records import write_records
from likely.errors import LikelyError
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.trained_on import check_base
from likely.model.base import Precision, load_base
from likely.model.fingerprint import rounded_sample_of, sample_of
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


@pytest.mark.parametrize(("before", "now"), [("bfloat16", "float32"), ("float32", "bfloat16")])
@pytest.mark.parametrize("four_bit", [False, True])
def test_another_base_that_is_held_otherwise_is_refused_too(tmp_path, tiny_base, before, now, four_bit):
    trained = load_base(str(tiny_base), Precision(before, False), "sdpa")
    said = {"precision": str(Precision(before, four_bit)), "sample": "0", "rounded": rounded_sample_of(trained)}
    says(tmp_path, base=said, versions={"transformers": version("transformers")})
    here = load_base(str(tiny_base), Precision(now, False), "sdpa")
    assert "differs a little" in check_base(tmp_path, here, Precision(now, False))
    with torch.no_grad():
        next(weight for weight in here.parameters() if weight.dim() == 1).mul_(1.1)
    with pytest.raises(LikelyError, match="are not those that the adapter"):
        check_base(tmp_path, here, Precision(now, False))
    says(tmp_path, base=said, versions={"transformers": "4.0"})
    assert "could not be compared" in check_base(tmp_path, here, Precision(now, False))
    said["precision"] = "float16"  # which rounds before bfloat16 does
    says(tmp_path, base=said, versions={"transformers": version("transformers")})
    assert "differs a little" in check_base(tmp_path, here, Precision(now, False))


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
