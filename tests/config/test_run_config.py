"""A run's keys have defaults that are allowed, familiar names of their values, and an explanation each."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from likely.config.run_config import FLASH_NAMES, NOTHING, SEVEN_PROJECTIONS, FlashAttention, Metric, RunConfig
from likely.evaluation.metrics import probability_metrics


def config_of(**keys):
    return RunConfig(**{"model_name_or_path": "m", "output_dir": "run", **keys})


def test_every_key_is_explained_in_a_line():
    for key, field in RunConfig.model_fields.items():
        assert field.description, key
        assert "\n" not in field.description, key


def test_the_defaults_are_values_that_may_be_set():
    assert config_of(**config_of().model_dump(exclude={"model_name_or_path", "output_dir"})) == config_of()


def test_a_run_cannot_change_its_mind():
    with pytest.raises(ValidationError, match="frozen"):
        config_of().seed = 7


def test_a_key_that_there_is_not_is_refused():
    with pytest.raises(ValidationError, match="learning_rat"):
        config_of(learning_rat=1e-4)


@given(batch=st.integers(1, 64), accumulation=st.integers(1, 64))
def test_a_step_is_batch_times_accumulation(batch, accumulation):
    config = config_of(per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation)
    assert config.step_size == batch * accumulation


@pytest.mark.parametrize("metric", get_args(Metric))
def test_the_best_checkpoint_is_the_one_that_knows_more(metric):
    """By each metric that may choose it, whether a larger value is better or a smaller one."""
    liked = np.arange(20) % 2 == 0
    name = metric.removeprefix("eval_").replace("loss", "log_loss").replace("log_log", "log")
    knows, errs = (probability_metrics(liked, np.where(liked, p, 1 - p))[name] for p in (0.9, 0.2))
    assert (knows > errs) == config_of(metric_for_best_model=metric).greater_is_better
    assert knows != errs


@pytest.mark.parametrize(("name", "meant"), FLASH_NAMES.items())
def test_attention_has_short_names_in_any_case(name, meant):
    assert meant in get_args(FlashAttention)
    for spelling in (name, name.upper(), meant):
        assert config_of(flash_attn=spelling).flash_attn == meant


@pytest.mark.parametrize("nothing", [*NOTHING, "None", None])
@pytest.mark.parametrize("key", ["max_samples", "max_minutes", "quantization_bit", "run_name"])
def test_nothing_has_many_names(key, nothing):
    assert getattr(config_of(**{key: nothing}), key) is None


@pytest.mark.parametrize("written", [",".join(SEVEN_PROJECTIONS), ", ".join(SEVEN_PROJECTIONS), [*SEVEN_PROJECTIONS]])
def test_targets_are_a_list_or_a_line(written):
    assert config_of(lora_target=written).lora_target == SEVEN_PROJECTIONS


@pytest.mark.parametrize("written", ["all", "all-linear", ["all-linear"]])
def test_all_targets_are_what_peft_calls_all_linear(written):
    assert config_of(lora_target=written).lora_target == ("all",)


def test_checkpoints_follow_evaluations_unless_told():
    assert config_of(eval_steps=50).save_steps == 50
    assert config_of(eval_steps=50, save_steps=100).save_steps == 100


def test_four_bits_on_a_cpu_are_asked_for_with_a_dtype():
    assert config_of(quantization_bit=4, four_bit_on_cpu=True, dtype="float32").four_bit_on_cpu
    with pytest.raises(ValidationError, match="set dtype to float32 or bfloat16"):
        config_of(quantization_bit=4, four_bit_on_cpu=True)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"max_steps": 0}, "max_steps 0 would train nothing"),
        ({"lr_scheduler_type": "polynomial", "learning_rate": 1e-7}, "learning_rate 1e-07 is not above 1e-07"),
    ],
)
def test_what_transformers_would_take_for_something_else_is_refused(keys, words):
    with pytest.raises(ValidationError, match=words):
        config_of(**keys)


@pytest.mark.parametrize(
    "key", ["model_name_or_path", "dataset_dir", "train_file", "eval_file", "test_file", "output_dir"]
)
def test_a_path_may_begin_at_home(key, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert getattr(config_of(**{key: "~/here"}), key) == "/home/somebody/here"
    assert getattr(config_of(**{key: "here/~/there"}), key) == "here/~/there"
