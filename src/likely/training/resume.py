"""What a checkpoint was made with, and whether a run that goes on from it is still the same run.

`training` takes the facts of its own run, which the trainer writes into every checkpoint, and compares them on
`--resume`: what would change the mathematics half-way is refused, everything else is applied and said.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from likely.config.run_config import RunConfig
from likely.errors import LikelyError
from likely.model.fingerprint import library_versions

FIXED_KEYS = (
    *("cutoff_len", "max_samples", "max_eval_samples", "positive_label", "negative_label", "label_map", "prompt_date"),
    *("group_size", "seed"),
    *("weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "warmup_ratio", "lr_scheduler_type"),
    *("eval_strategy", "metric_for_best_model", "lora_rank", "lora_alpha", "lora_dropout", "lora_target"),
    "lora_layers",
)
"""A run that changes one of these half-way is neither the old run nor the new one."""

KEYS_BY_FACT = (
    *("model_name_or_path", "model_revision", "dtype", "quantization_bit", "four_bit_on_cpu"),
    *("dataset_dir", "dataset", "train_file", "eval_file"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "max_steps", "learning_rate"),
)
"""These may be written differently and mean the same; what they mean is compared."""

FREE_KEYS = (
    *("flash_attn", "batching", "gradient_checkpointing", "per_device_eval_batch_size"),
    *("pass_tokens", "torch_compile"),
    *("logging_steps", "eval_steps", "save_steps", "save_total_limit", "early_stopping_patience", "max_minutes"),
    *("test_file", "output_dir", "overwrite_output_dir", "run_name", "report_to"),
)
"""A change is applied from the next step on."""

FIXED_FACTS = {
    "base": "base model",
    "base_weights": "weights of the base model",
    "base_settings": "configuration of the base model",
    "precision": "precision",
    "train_data": "content of the training data",
    "eval_data": "content of the evaluation data",
    "step_size": "records of a step (batch x accumulation x processes)",
    "prompts": "prompts, by tokenizer, chat template or prompt_date",
}

Facts = Mapping[str, Any]
"""What :func:`facts_of` returns and `checkpoint.json` keeps as `made_with`."""


def facts_of(
    config: RunConfig,
    precision: str,
    prompts: str,
    train_data: str,
    eval_data: str | None,
    processes: int,
    steps: int,
) -> dict[str, Any]:
    """Return what a run is made with, as JSON values; the base model's weights are added once they are loaded.

    Args:
        config: all knobs.
        precision: arithmetic that was chosen for this machine.
        prompts: of :func:`likely.model.fingerprint.tokens_of`.
        train_data: of :func:`likely.data.task.content_of`.
        eval_data: likewise; None without evaluation.
        processes: that train together.
        steps: optimizer steps of the whole run.
    """
    return {
        "config": config.model_dump(mode="json"),
        "base": Path(config.model_name_or_path).name,
        "precision": precision,
        "prompts": prompts,
        "train_data": train_data,
        "eval_data": eval_data,
        "step_size": config.step_size * processes,
        "steps": steps,
        "processes": processes,
        "versions": library_versions(),
    }


def check_same_run(before: Facts, now: Facts, checkpoint: str) -> None:
    """Check that nothing has changed that would make another run of it; facts that only one side has do not count.

    Raises:
        LikelyError: something has; all of it is listed, old -> new.
    """
    old, new = before.get("config", {}), now["config"]
    # What a checkpoint of an older version does not know was as it is by default.
    was = RunConfig.model_construct().model_dump(mode="json") | old if old else new
    changed = [f"{key}: {was[key]} -> {new[key]}" for key in FIXED_KEYS if was[key] != new[key]]
    for name, words in FIXED_FACTS.items():
        then, is_now = before.get(name), now.get(name)
        if name == "prompts" and changed:
            continue  # they follow from what is listed already
        if name == "base_settings" and not _same_library(before, now):
            continue  # which may have other keys
        if then is not None and is_now is not None and then != is_now:
            changed.append(f"{words}: {then} -> {is_now}")
    if before.get("steps", 0) > now["steps"] and not changed:
        changed.append(
            f"steps of the run, by num_train_epochs or max_steps, which may only be raised: {before['steps']} -> "
            f"{now['steps']}"
        )
    if changed:
        raise LikelyError(
            f"{checkpoint} was made with another configuration ({'; '.join(changed)}); set it back to go on with "
            "--resume, or start anew in another output_dir."
        )


def _same_library(before: Facts, now: Facts) -> bool:
    """Return whether both runs have the same version of transformers, as far as they say."""
    one, other = (facts.get("versions", {}).get("transformers") for facts in (before, now))
    return bool(one == other)


def applied_changes(before: Facts, now: Facts, checkpoint: str) -> list[str]:
    """Return what is different from now on, in a line each."""
    if not before:
        return [f"{checkpoint} does not say what it was made with, so the configuration could not be compared."]
    old, new = before["config"], now["config"]
    lines = []
    free = [f"{key} {old[key]} -> {new[key]}" for key in FREE_KEYS if key in old and old[key] != new[key]]
    if free:
        lines.append(f"From now on: {', '.join(free)}.")
    if old["learning_rate"] != new["learning_rate"]:
        lines.append(
            f"learning_rate {old['learning_rate']} -> {new['learning_rate']}: the {new['lr_scheduler_type']} schedule "
            "keeps its shape and its place and has the new height from the next step on."
        )
    if before["steps"] != now["steps"]:
        lines.append(
            f"{before['steps']} -> {now['steps']} steps: the {new['lr_scheduler_type']} schedule is drawn over all "
            f"{now['steps']} from the first on, so the learning rate jumps to where such a run would be."
        )
    if before["processes"] != now["processes"]:
        lines.append(
            f"{before['processes']} -> {now['processes']} processes: the records of each step stay the same, the "
            "random numbers of dropout do not."
        )
    versions = [
        f"{name} {was} -> {now['versions'][name]}"
        for name, was in before["versions"].items()
        if now["versions"].get(name, was) != was
    ]
    if versions:
        lines.append(f"Other versions than before: {', '.join(versions)}; sums may round differently.")
    return lines
