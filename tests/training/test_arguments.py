"""A configuration means in transformers what it says, and as many steps are taken as were counted."""

import math
from types import SimpleNamespace

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainingArguments

from likely.config.run_config import RunConfig
from likely.errors import LikelyError
from likely.model.base import Precision
from likely.training import arguments
from likely.training.arguments import check_dtype, total_steps, training_arguments
from tiny_trainer import fresh_model, trainer_for


def config_of(**keys):
    return RunConfig(**{"model_name_or_path": "m", "output_dir": "run", **keys})


SIZES = {"per_device_train_batch_size": st.integers(1, 4), "gradient_accumulation_steps": st.integers(1, 4)}


@given(st.fixed_dictionaries({**SIZES, "num_train_epochs": st.integers(1, 5)}), st.integers(1, 200))
def test_an_epoch_is_as_many_steps_as_hold_every_record(keys, records):
    config = config_of(**keys)
    steps, last = divmod(total_steps(config, records), config.num_train_epochs)
    assert last == 0
    assert (steps - 1) * config.step_size < records <= steps * config.step_size
    assert total_steps(config_of(**keys, max_steps=7), records) == 7


def test_two_devices_take_the_records_of_two_steps_at_once(monkeypatch):
    alone = total_steps(config_of(gradient_accumulation_steps=16), 100)
    monkeypatch.setattr(arguments, "count_devices", lambda: 2)
    assert total_steps(config_of(gradient_accumulation_steps=8), 100) == alone


def test_the_trainer_takes_the_steps_that_were_counted(tiny_base, builder, records, tmp_path):
    config = config_of(num_train_epochs=1.4, per_device_train_batch_size=1, gradient_accumulation_steps=2)
    encoded = builder.encode_all(records[:3])
    own = {"per_device_train_batch_size": config.step_size, "num_train_epochs": 1.4, "save_strategy": "no"}
    trainer = trainer_for(fresh_model(tiny_base), builder, encoded, "tree", tmp_path, **own)
    trainer.train()
    assert trainer.state.global_step == total_steps(config, len(encoded))


def test_float16_is_refused_where_no_loss_is_scaled(monkeypatch):
    check_dtype(config_of(dtype="bfloat16"))
    with pytest.raises(LikelyError, match="dtype=auto"):
        check_dtype(config_of(dtype="float16"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_dtype(config_of(dtype="float16"))


SAME = (
    "learning_rate",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "lr_scheduler_type",
    "num_train_epochs",
    "max_steps",
    "eval_steps",
    "save_steps",
    "save_total_limit",
    "logging_steps",
    "seed",
)
"""Keys that transformers knows by the same name."""


def test_what_is_configured_reaches_the_trainer(tmp_path):
    changed = {
        "learning_rate": 3e-4,
        "weight_decay": 0.1,
        "adam_beta1": 0.8,
        "adam_beta2": 0.95,
        "adam_epsilon": 1e-7,
        "max_grad_norm": 0.5,
        "lr_scheduler_type": "linear",
        "num_train_epochs": 2.5,
        "max_steps": 40,
        "eval_steps": 5,
        "save_steps": 10,
        "save_total_limit": 3,
        "logging_steps": 4,
        "seed": 7,
    }
    config = config_of(output_dir=str(tmp_path), warmup_ratio=0.06, **changed)
    translated = training_arguments(config, Precision("float32", False), 100, "cpu")
    assert {key: getattr(translated, key) for key in SAME} == {key: getattr(config, key) for key in SAME} == changed
    assert translated.warmup_steps == math.ceil(0.06 * 40)
    assert translated.per_device_train_batch_size * translated.gradient_accumulation_steps == config.step_size


@pytest.mark.parametrize("strategy", ["steps", "epoch", "no"])
def test_checkpoints_are_written_where_evaluations_are_or_else_by_steps(tmp_path, strategy):
    config = config_of(output_dir=str(tmp_path), eval_strategy=strategy)
    translated = training_arguments(config, Precision("bfloat16", False), 10, "cpu")
    assert translated.eval_strategy == strategy
    assert translated.save_strategy == ("epoch" if strategy == "epoch" else "steps")
    assert {translated.bf16, translated.fp16} == {False}, "without a GPU the weights themselves are of the dtype"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_on_a_gpu_transformers_computes_in_the_dtype_of_the_weights(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(transformers, "TrainingArguments", type("OnOneGPU", (SimpleNamespace,), {"n_gpu": 1}))
    translated = training_arguments(config_of(output_dir=str(tmp_path)), Precision(dtype, False), 10, "cuda")
    assert (translated.bf16, translated.fp16) == (dtype == "bfloat16", dtype == "float16")


def test_the_precision_is_the_run_s_whatever_accelerate_was_configured_to(tmp_path, monkeypatch):
    """`accelerate launch` sets this variable by its own configuration, and transformers would compute by it."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    translated = training_arguments(config_of(output_dir=str(tmp_path)), Precision("float32", False), 10, "cpu")
    assert translated.mixed_precision == "no"


def test_several_gpus_in_one_process_do_not_split_rows_of_trees(tmp_path, monkeypatch):
    """transformers would wrap the model into nn.DataParallel, which cuts batches along their rows."""
    monkeypatch.setattr(TrainingArguments, "_setup_devices", property(lambda self: setattr(self, "_n_gpu", 2)))
    translated = training_arguments(config_of(output_dir=str(tmp_path)), Precision("float32", False), 10, "cpu")
    assert translated.n_gpu == 1
    assert translated.ddp_find_unused_parameters is False
