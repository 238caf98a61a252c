"""Other ways to write the keys of a configuration, LLaMA-Factory's first of all.

`config` passes every YAML file and override through :func:`canonical`.
"""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from likely.errors import LikelyError

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

NO_EFFECT: Mapping[str, tuple[Any, ...]] = {
    "stage": ("sft",),
    "do_train": (True,),
    "do_eval": (True, False),
    "finetuning_type": ("lora",),
    "template": ("qwen", "qwen3", "qwen3_nothink", "default"),
    "enable_thinking": (False,),
    "quantization_method": ("bnb", "bitsandbytes"),
    "quantization_type": ("nf4",),
    "double_quantization": (True,),
    "optim": ("adamw_torch",),
    "report_to": ("tensorboard", ["tensorboard"]),
    "plot_loss": (True,),
    "load_best_model_at_end": (True,),
    "val_size": (0, 0.0),
    "overwrite_cache": (True, False),
    "trust_remote_code": (False,),
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
        LikelyError: a key is unknown, or asks for what is not possible here.
    """
    known: dict[str, Any] = {}
    for key, value in values.items():
        name = RENAMED.get(key, key)
        if key in ("bf16", "fp16", "pure_bf16"):
            if value is True:
                known["dtype"] = "float16" if key == "fp16" else "bfloat16"
        elif key in NO_EFFECT:
            if value not in NO_EFFECT[key]:
                allowed = " or ".join(str(choice) for choice in NO_EFFECT[key])
                raise LikelyError(f"{where}: {key}: {value} is not possible here, only {allowed}; take the line out.")
        elif name in fields:
            known[name] = value
        elif key not in HARDWARE_ONLY:
            near = difflib.get_close_matches(key, [*fields, *RENAMED, *NO_EFFECT], 1, cutoff=0.5)
            hint = (
                f"did you mean {near[0]}?" if near else "see finetune/configs/qwen3_movielens_qlora.yaml for all keys."
            )
            raise LikelyError(f"{where}: unknown key {key!r}; {hint}")
    return known
