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


@pytest.mark.parametrize("content", ["no JSON", "{", '{"base": {"sample": 1}}', '{"base": "qwen"}'])
def test_what_a_damaged_file_said_is_not_taken_for_nothing(tmp_path, base, content):
    (tmp_path / "metrics.json").write_text(content, encoding="utf-8")
    with pytest.raises(LikelyError, match=r"metrics\.json is damaged or not of likely, .* restore it, or remove it"):
        check_base(tmp_path, base, FLOAT32)


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


@pytest.fixture
def trained(tmp_path, tiny_base, records):
    """Folder of a run that was trained a step."""
    write_records(tmp_path / "data.json", rows_of(records[:8]))
    values = {"model_name_or_path": str(tiny_base), "dataset": None, "train_file": str(tmp_path / "data.json")}
    values |= {"output_dir": str(tmp_path / "run"), "cutoff_len": 512, "max_steps": 1, "eval_strategy": "no"}
    train(RunConfig(**values), lambda answers, users: {})
    return tmp_path / "run"


def moved(trained, tiny_base, *settings):
    """A copy of the base model, of the same name, and the run's configuration with it."""
    other = shutil.copytree(tiny_base, trained.parent / "elsewhere" / tiny_base.name)
    return other, config_of(trained, None, [f"model_name_or_path={other}", *settings])


def test_a_base_whose_chat_template_changed_since_is_refused_before_it_is_loaded(trained, tiny_base, monkeypatch):
    other, config = moved(trained, tiny_base, "positive_label=No", "negative_label=Yes", "cutoff_len=300")
    assert LoadedRun.load(trained, config).notes == ()
    monkeypatch.setattr("likely.inference.loaded_run.load_base", lambda *_: pytest.fail("the model was loaded"))
    template = other / "chat_template.jinja"
    template.write_text(f"Be brief.{template.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(LikelyError, match=r"chat template of .* reads prompts otherwise .* was trained with; set"):
        LoadedRun.load(trained, config)
    said = json.loads((trained / "metrics.json").read_text(encoding="utf-8"))
    says(trained, **{**said, "versions": {**said["versions"], "transformers": "4.0"}})
    with pytest.raises(LikelyError, match=r"was trained with by transformers 4\.0; set"):
        LoadedRun.load(trained, config)
    del said["base"]["reading"]  # as of an earlier version
    says(trained, **said)
    monkeypatch.undo()
    assert LoadedRun.load(trained, config).notes == ()


@pytest.mark.parametrize(
    "change", [{"rms_norm_eps": 1e-2}, {"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}]
)
def test_a_base_whose_settings_changed_since_is_refused(trained, tiny_base, change):
    other, config = moved(trained, tiny_base)
    path = other / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(
        json.dumps({**values, "eos_token_id": 3, "use_cache": False, "dtype": "bfloat16"}), encoding="utf-8"
    )
    assert LoadedRun.load(trained, config).notes == ()  # of which no answer depends
    path.write_text(json.dumps({**values, **change}), encoding="utf-8")
    with pytest.raises(LikelyError, match=r"The settings of .* are not those that the adapter in .* was trained on"):
        LoadedRun.load(trained, config)
    said = json.loads((trained / "metrics.json").read_text(encoding="utf-8"))
    del said["base"]["settings"]  # as of an earlier version
    says(trained, **said)
    assert LoadedRun.load(trained, config).notes == ()


def test_its_own_base_may_have_another_name(trained, tiny_base):
    other = shutil.copytree(tiny_base, trained.parent / "elsewhere" / "renamed")
    config = config_of(trained, None, [f"model_name_or_path={other}"])
    assert LoadedRun.load(trained, config).notes == ()
    said = json.loads((trained / "metrics.json").read_text(encoding="utf-8"))
    in_float16 = {**said["base"], "precision": "float16, 4-bit weights"}
    for unknown in ({"versions": {"transformers": "4.0"}}, {"base": in_float16}):
        says(trained, **{**said, **unknown})  # where little but the name can be compared
        with pytest.raises(LikelyError, match=r"was trained on .*, not on .*renamed"):
            LoadedRun.load(trained, config)


def test_an_adapter_on_another_base_of_the_same_name_is_refused(trained, tiny_base):
    assert LoadedRun.load(trained).notes == ()
    other, config = moved(trained, tiny_base)
    assert LoadedRun.load(trained, config).notes == ()
    torch.manual_seed(1)
    weights = {name: torch.randn_like(weight) for name, weight in load_file(other / "model.safetensors").items()}
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(LikelyError, match=r"are not those that the adapter in .* was trained on"):
        LoadedRun.load(trained, config)
