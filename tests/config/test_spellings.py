"""LLaMA-Factory's keys mean here what they mean there, or are refused by name."""

import pytest
import yaml

from likely.config.reading import load_config
from likely.config.spellings import HARDWARE_ONLY, NO_EFFECT, RENAMED
from likely.errors import LikelyError


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads a configuration with some keys beside those that have to be there."""

    def load(**keys):
        needed = {"output_dir": "out"} if "model_name" in keys else {"output_dir": "out", "model_name_or_path": "m"}
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump({**needed, **keys}), encoding="utf-8")
        return load_config(path)

    return load


VALUES = {
    "eval_strategy": "epoch",
    "lora_rank": 5,
    "lora_target": "q_proj",
    "metric_for_best_model": "eval_loss",
    "num_train_epochs": 7.0,
    "model_name_or_path": "another",
    "max_samples": 9,
    "per_device_train_batch_size": 5,
    "per_device_eval_batch_size": 5,
    "learning_rate": 0.5,
    "eval_file": "rows.json",
    "warmup_ratio": 0.5,
}
"""A value for each key with another spelling, other than its default."""


@pytest.mark.parametrize(("spelling", "key"), RENAMED.items())
def test_another_spelling_sets_the_key(loaded, spelling, key):
    assert loaded(**{spelling: VALUES[key]}) == loaded(**{key: VALUES[key]}) != loaded()


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in NO_EFFECT.items() for value in values])
def test_a_key_that_says_what_is_so_anyway_changes_nothing(loaded, key, value):
    assert loaded(**{key: value}) == loaded()


@pytest.mark.parametrize("key", sorted(set(NO_EFFECT) - {"val_size"}))
def test_a_key_that_asks_for_what_is_not_possible_is_refused(loaded, key):
    with pytest.raises(LikelyError, match=f"{key}: something is not possible here, only"):
        loaded(**{key: "something"})


@pytest.mark.parametrize("key", HARDWARE_ONLY)
def test_a_key_of_the_hardware_may_have_any_value(loaded, key):
    assert loaded(**{key: 16}) == loaded()


def test_a_precision_may_be_switched_on_or_left_off(loaded):
    assert [loaded(**{key: True}).dtype for key in ("bf16", "pure_bf16", "fp16")] == ["bfloat16", "bfloat16", "float16"]
    assert loaded(bf16=1).dtype == "bfloat16"
    assert loaded(bf16=False, fp16=True).dtype == "float16"
    assert loaded(bf16=False, dtype="float32").dtype == "float32"
    assert loaded(fp16=False, pure_bf16=False).dtype == "auto"
    assert loaded(bf16=True, pure_bf16=False, fp16=False).dtype == "bfloat16"
    assert loaded(dtype="bfloat16", pure_bf16=False).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("written", "overrides", "dtype"),
    [
        ({"bf16": True}, ["fp16=false"], "bfloat16"),
        ({}, ["bf16=true", "fp16=false"], "bfloat16"),
        ({}, ["dtype=float32", "bf16=false"], "float32"),
        ({"fp16": False}, ["bf16=true"], "bfloat16"),
        ({"bf16": True}, ["bf16=false", "fp16=1"], "float16"),
        ({"bf16": False}, ["bf16=1"], "bfloat16"),
        ({"bf16": True}, ["bf16=false"], None),
        ({}, ["bf16=off"], None),
        ({"pure_bf16": True}, ["pure_bf16=false"], None),
        ({"pure_bf16": True}, ["pure_bf16=false", "bf16=true"], "bfloat16"),
    ],
)
def test_the_last_word_on_a_precision_counts(tmp_path, written, overrides, dtype):
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump({"output_dir": "out", "model_name_or_path": "m", **written}), encoding="utf-8")
    if dtype is None:
        with pytest.raises(LikelyError, match="bf16: false does not say what instead"):
            load_config(path, overrides)
    else:
        assert load_config(path, overrides).dtype == dtype


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"lora_r": 8, "lora_rank": 16}, "lora_r and lora_rank both set lora_rank, to 8 and 16; take one out"),
        ({"lr": 1, "learning_rate": 2}, "both set learning_rate, to"),
        ({"bf16": True, "fp16": True}, "bf16 and fp16 both set dtype, to bfloat16 and float16"),
        ({"bf16": False}, "bf16: false does not say what instead; set dtype to float32"),
        ({"bf16": False, "dtype": "bfloat16"}, "bf16: false does not say what instead"),
        ({"fp16": "treu"}, "fp16: treu is neither true nor false"),
        ({"bf16": True, "dtype": "float32"}, "bf16 and dtype both set dtype, to bfloat16 and float32"),
    ],
)
def test_two_spellings_that_say_two_things_are_refused(loaded, keys, said):
    with pytest.raises(LikelyError, match=said):
        loaded(**keys)


def test_two_spellings_may_say_the_same(loaded):
    assert loaded(lora_r=8, lora_rank=8, bf16=True, dtype="bfloat16") == loaded(lora_rank=8, dtype="bfloat16")
