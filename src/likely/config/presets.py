"""Configurations that come with the package: what each sets beyond the defaults of :class:`RunConfig`, and why.

`--config` takes their names, `likely config NAME` prints one as YAML, and `finetune/configs/` holds the same texts.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from likely.config.run_config import SECTIONS, RunConfig


@dataclass(frozen=True)
class Preset:
    """A configuration with a name.

    Attributes:
        about: what it is for, one sentence.
        values: of the keys that it sets; all others have their defaults.
        why: what to say beside some of them instead of what the key means.
        notes: lines for who reads the file: what was measured, and what else can be set.
    """

    about: str
    values: Mapping[str, Any]
    why: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


MAIN = "qwen3_movielens_qlora"
"""The preset that verbs use unless told otherwise; its YAML lists every key."""

_QLORA = {"model_name_or_path": "Qwen/Qwen3-0.6B", "quantization_bit": 4}
_CPU = {
    "model_name_or_path": "smollm2-135m",
    "quantization_bit": None,
    "num_train_epochs": 1.0,
    "lora_dropout": 0.0,
}
_WHY_CPU = {
    "model_name_or_path": "fetched and converted once",
    "quantization_bit": "4-bit weights are for CUDA",
    "lora_dropout": "drawing dropout masks takes a fifth of a step on a CPU",
}

PRESETS: Mapping[str, Preset] = {
    MAIN: Preset(
        "Finetune Qwen3-0.6B to answer: will this user like this movie?",
        {**_QLORA, "output_dir": "output/qwen3-movielens-qlora"},
    ),
    "qwen3_movielens_8gb": Preset(
        "Qwen3-0.6B on a GPU of 8 GB: 4-bit weights, recomputed activations, one full-length prompt a forward pass.",
        {
            **_QLORA,
            "output_dir": "output/qwen3-movielens-8gb",
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 16,
            "per_device_eval_batch_size": 4,
            "gradient_checkpointing": True,
        },
    ),
    "qwen3_movielens_16gb": Preset(
        "Qwen3-0.6B on a GPU of 16 GB: 4-bit weights, more tokens a forward pass.",
        {
            **_QLORA,
            "output_dir": "output/qwen3-movielens-16gb",
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 4,
        },
        notes=(
            "Took 12.2 GiB where 16 were allowed. torch_compile=auto flash_attn=flex_attention is faster with",
            "quantization_bit=none on an H200, and was not tried with 4-bit weights.",
        ),
    ),
    "qwen3_movielens_24gb": Preset(
        "Qwen3-0.6B on a GPU of 24 GB: plain LoRA on bfloat16 weights, faster than 4-bit, and 32 records a step.",
        {
            **_QLORA,
            "quantization_bit": None,
            "output_dir": "output/qwen3-movielens-24gb",
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 4,
            "pass_tokens": 7168,
        },
        {
            "quantization_bit": "plain LoRA on bfloat16 weights",
            "pass_tokens": "of a training pass, about as many as were measured; none: more on a larger GPU",
        },
        (
            "Needed 17.3 GiB, and took 23.4 where 24 were allowed. torch_compile=auto flash_attn=flex_attention makes",
            "steps of 64 records (group_size=16) 2.2 times as fast on an H200, the only GPU on which it was tried.",
        ),
    ),
    "smollm2_movielens_cpu": Preset(
        "SmolLM2-135M on a CPU: within an hour on two cores. Prepare with --short-hints --candidate-line.",
        {
            **_CPU,
            "gradient_accumulation_steps": 16,
            "group_size": 15,
            "max_samples": 6000,
            "max_eval_samples": 300,
            "output_dir": "output/smollm2-movielens-cpu",
            "per_device_eval_batch_size": 2,
            "learning_rate": 4e-4,
            "eval_steps": 50,
            "metric_for_best_model": "eval_loss",
        },
        {
            **_WHY_CPU,
            "group_size": "a whole history of 15 candidates: cheapest; without hints, 4 learns more surely",
            "metric_for_best_model": "an AUC of 300 rows is too noisy to choose by",
        },
    ),
    "demo": Preset(
        "What likely demo runs: SmolLM2-135M on MovieLens 100K, sized for minutes on two cores.",
        {
            **_CPU,
            "group_size": 8,
            "dataset": None,
            "train_file": "output/demo/data/train.json",
            "eval_file": "output/demo/data/eval.json",
            "test_file": "output/demo/data/test.json",
            "max_samples": 1600,
            "max_eval_samples": 100,
            "output_dir": "output/demo",
            "logging_steps": 4,
            "per_device_eval_batch_size": 1,
            "max_minutes": 6.5,
            "learning_rate": 2e-4,
            "eval_steps": 25,
            "early_stopping_patience": None,
            "metric_for_best_model": "eval_loss",
        },
        {
            **_WHY_CPU,
            "group_size": "a whole history of eight candidates: cheapest; without hints, 4 learns more surely",
            "dataset": "the demo makes its own files",
            "max_samples": "at most; max_minutes ends a run on two cores before",
            "max_minutes": "a slower machine trains on fewer records",
            "metric_for_best_model": "an AUC of 100 rows is too noisy to choose by",
        },
    ),
}


def preset_yaml(name: str) -> str:
    """Return a preset as YAML with comments: the main one with every key, another with the keys that it sets."""
    preset = PRESETS[name]
    head = [f"# {preset.about}", f"#   likely train --config {name}"]
    if name == MAIN:
        head.append("# Any key can be set on the command line too: learning_rate=1e-4. Paths start where you run.")
        return "\n".join([*head, *_lines(preset, every_key=True), ""])
    head.append(f"# Keys that are not here have their defaults; likely config {MAIN} explains all.")
    head += [f"# {note}" for note in preset.notes]
    return "\n".join([*head, "", *_lines(preset, every_key=False), ""])


def _lines(preset: Preset, every_key: bool) -> Iterator[str]:
    for key, about in RunConfig.model_fields.items():
        if every_key and key in SECTIONS:
            yield f"\n# {SECTIONS[key]}"
        if every_key or key in preset.values:
            setting = f"{key}: {_shown(preset.values.get(key, about.get_default(call_default_factory=True)))}"
            yield f"{setting:<39} # {preset.why.get(key, about.description)}"


def _shown(value: Any) -> str:
    """Return a value as a person would write it in YAML."""
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float) and 0 < value < 0.01:
        mantissa, _, exponent = f"{value:e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if isinstance(value, str):  # in quotes where YAML would take it for something else
        return value if yaml.safe_load(value) == value else json.dumps(value)
    return f"{value:g}"
