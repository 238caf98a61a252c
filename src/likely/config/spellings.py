"""Other ways to write the keys of a configuration, LLaMA-Factory's first of all.

`reading` passes every YAML file and override through :func:`canonical`; values are words still.
"""

from collections.abc import Collection, Mapping
from typing import Any

from likely.errors import LikelyError, did_you_mean

RENAMED = {
    "evaluation_strategy": "eval_strategy",
    "lora_r": "lora_rank",
    "lora_target_modules": "lora_target",
    "load_best_metric": "metric_for_best_model",
    "num_epochs": "num_train_epochs",
    "model_name": "model_name_or_path",
    "max_train_samples": "max_samples",
    "train_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "lr": "learning_rate",
    "eval_dataset_file": "eval_file",
    "warmup_steps_ratio": "warmup_ratio",
}
"""Other spellings of keys."""

TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Words that YAML 1.1 takes for truth values."""

DTYPES = {"bf16": "bfloat16", "pure_bf16": "bfloat16", "fp16": "float16"}
"""Keys that say by true or false what `dtype` says by name."""

NO_EFFECT: Mapping[str, tuple[str, ...]] = {
    "stage": ("sft",),
    "do_train": ("true",),
    "do_eval": ("true", "false"),
    "finetuning_type": ("lora",),
    "template": ("qwen", "qwen3", "qwen3_nothink", "default"),
    "enable_thinking": ("false",),
    "quantization_method": ("bnb", "bitsandbytes"),
    "quantization_type": ("nf4",),
    "double_quantization": ("true",),
    "optim": ("adamw_torch",),
    "plot_loss": ("true",),
    "load_best_model_at_end": ("true",),
    "val_size": ("0", "0.0"),
    "overwrite_cache": ("true", "false"),
    "trust_remote_code": ("false",),
}
"""LLaMA-Factory's keys for what is always so here, and the values that say so."""

HARDWARE_ONLY = ("preprocessing_num_workers", "dataloader_num_workers", "ddp_timeout")
"""Keys that may have any value, because they change no result and are not needed here."""


def canonical(values: Mapping[str, Any], fields: Collection[str], where: str) -> dict[str, Any]:
    """Rename familiar spellings, drop keys that only say what is so anyway, and refuse unknown ones.

    Args:
        values: as written.
        fields: the keys there are.
        where: file or override, for messages.

    Raises:
        LikelyError: a key is unknown, or asks for what is not possible here, or two spellings of one say two things.
    """
    known: dict[str, Any] = {}
    written: dict[str, str] = {}

    def keep(name: str, value: Any, key: str) -> None:
        if known.setdefault(name, value) != value:
            raise LikelyError(
                f"{where}: {written[name]} and {key} both set {name}, to {known[name]} and {value}; take one out."
            )
        written[name] = key

    for key, value in values.items():
        name = RENAMED.get(key, key)
        said = str(value[0] if isinstance(value, list) and len(value) == 1 else value).lower()
        said = TRUTHS.get(said, said)
        if key in DTYPES:
            if said not in ("true", "false", "1", "0"):
                raise LikelyError(
                    f"{where}: {key}: {value} is neither true nor false; write one of them, or set dtype."
                )
            if said in ("true", "1"):
                keep("dtype", DTYPES[key], key)
        elif key in NO_EFFECT:
            if said not in NO_EFFECT[key]:
                allowed = " or ".join(NO_EFFECT[key])
                raise LikelyError(f"{where}: {key}: {value} is not possible here, only {allowed}; take the line out.")
        elif name in fields:
            keep(name, value, key)
        elif key not in HARDWARE_ONLY:
            hint = did_you_mean(key, [*fields, *RENAMED, *NO_EFFECT])
            raise LikelyError(f"{where}: unknown key {key!r}; {hint or 'likely config shows all keys.'}")
    return known


def check_precision(said: Mapping[str, Any], dtype: str, where: str) -> None:
    """Check that no type is computed in that is switched off; to be asked once all values are known.

    Args:
        said: keys and values as written, later ones in the place of earlier ones.
        dtype: what comes of them.
        where: file, for messages.

    Raises:
        LikelyError: `bf16` or `fp16` is false, and the type is that one or may turn out to be bfloat16; or `pure_bf16`
            is, and nothing else says bfloat16.
    """

    def has(key: str, *words: str) -> bool:
        word = str(said.get(key, "")).lower()
        return TRUTHS.get(word, word) in words

    names_it = has("bf16", "true", "1") or any(RENAMED.get(key, key) == "dtype" for key in said)
    could_be = {"bf16": ("bfloat16", "auto"), "fp16": ("float16",), "pure_bf16": () if names_it else ("bfloat16",)}
    for key, dtypes in could_be.items():
        if has(key, "false", "0") and dtype in dtypes:
            raise LikelyError(f"{where}: {key}: false does not say what instead; set dtype to float32 or another type.")
