"""Presets say what they change, load by name from any folder, and are the files of finetune/configs."""

from pathlib import Path

import pytest
import yaml

from likely.config.presets import MAIN, PRESETS, preset_yaml
from likely.config.reading import load_config
from likely.config.run_config import SECTIONS, RunConfig
from likely.errors import LikelyError

CONFIGS = Path(__file__).resolve().parents[2] / "finetune" / "configs"


def test_the_files_of_the_repository_are_the_presets():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(PRESETS)
    for name in PRESETS:
        assert (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8") == preset_yaml(name), f"likely config {name}"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_same_by_name_and_as_a_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(name) == load_config(CONFIGS / f"{name}.yaml")
    assert load_config(name, ["seed=7"]).seed == 7


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_only_what_is_its_own(name):
    preset, main = PRESETS[name], load_config(MAIN)
    default = {key: field.default for key, field in RunConfig.model_fields.items()}
    for key, value in preset.values.items():
        assert value != default[key] or value != getattr(main, key), key
    assert set(preset.why) <= set(preset.values)
    assert preset.about.endswith((".", "?"))
    if name != MAIN:
        assert set(yaml.load(preset_yaml(name), yaml.BaseLoader)) == set(preset.values)


@pytest.mark.parametrize("name", PRESETS)
def test_other_readers_of_yaml_see_words_where_words_are_meant(name):
    for key, value in yaml.safe_load(preset_yaml(name)).items():
        assert isinstance(value, bool) == (
            key in ("overwrite_output_dir", "gradient_checkpointing", "four_bit_on_cpu")
        ), key


def test_the_main_preset_lists_every_key_under_a_heading():
    text = preset_yaml(MAIN)
    assert list(yaml.safe_load(text)) == list(RunConfig.model_fields)
    assert next(iter(RunConfig.model_fields)) in SECTIONS
    assert all(f"\n# {heading}\n{key}:" in text for key, heading in SECTIONS.items())


@pytest.mark.parametrize(
    ("name", "nearest"), [("qwen3_movilens_qlora", MAIN), ("finetune/configs/demo.yml", "demo"), ("x", "one of qwen3_")]
)
def test_a_name_that_is_neither_file_nor_preset_is_answered_with_the_nearest(name, nearest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LikelyError, match=f"does not exist; .*{nearest}"):
        load_config(name)
