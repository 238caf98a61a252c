"""A run's configuration in transformers' terms."""

import math
from importlib.util import find_spec
from typing import Any

from likely.config.run_config import RunConfig
from likely.errors import LikelyError
from likely.model.base import Precision


def is_first_process() -> bool:
    """Whether this process speaks and writes for all that train together; asking joins their group."""
    return bool(_processes().is_main_process)


def count_devices() -> int:
    """Return how many processes train together; asking joins their group."""
    return int(_processes().num_processes)


def _processes() -> Any:
    """Return accelerate's knowledge of who trains together, whoever started them, and take this process's GPU."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def total_steps(config: RunConfig, records: int) -> int:
    """Return the optimizer steps of a whole run on so many training records."""
    if config.max_steps > 0:
        return config.max_steps
    return math.ceil(math.ceil(records / (config.step_size * count_devices())) * config.num_train_epochs)


def check_reporters(config: RunConfig) -> None:
    """Check that what a run reports to is installed.

    Raises:
        LikelyError: it is not.
    """
    missing = [name for name in config.report_to if find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise LikelyError(
            f"report_to: {names} is not installed; pip install {' '.join(missing)}, or leave it out of report_to."
        )


def check_dtype(config: RunConfig) -> None:
    """Check that this machine can train in the precision asked for.

    Raises:
        LikelyError: it cannot; float16 needs a scaled loss, which is for CUDA only.
    """
    import torch

    if config.dtype == "float16" and not torch.cuda.is_available():
        raise LikelyError(
            "dtype: float16 trains on a CUDA GPU only, where its loss is scaled so that small gradients are not lost; "
            "set dtype=auto, which takes bfloat16 where this processor is faster in it."
        )


def training_arguments(config: RunConfig, precision: Precision, records: int, device: str) -> Any:
    """Return transformers' TrainingArguments for a run.

    What transformers tells Weights & Biases, MLflow, Trackio and TensorBoard about a run is `to_dict` of its arguments;
    it is the run's own configuration here. TensorBoard's files are left to `stretch`.

    An element of our data loader is a whole optimizer step, so transformers is told of
    `batch x accumulation` records a step and no accumulation. Which evaluation is the best is kept by `callbacks`.

    Args:
        config: all knobs.
        precision: as `model.base.choose_precision` chose it for this machine.
        records: to train on.
        device: type of the device that the model is on.
    """
    import torch
    from transformers import TrainingArguments

    class Arguments(TrainingArguments):
        def to_dict(self) -> dict[str, Any]:
            return config.model_dump(mode="json")

    arguments = Arguments(
        output_dir=config.output_dir,
        per_device_train_batch_size=config.step_size,
        gradient_accumulation_steps=1,
        per_device_eval_batch_size=config.per_device_eval_batch_size,
        num_train_epochs=config.num_train_epochs,
        max_steps=config.max_steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        adam_beta1=config.adam_beta1,
        adam_beta2=config.adam_beta2,
        adam_epsilon=config.adam_epsilon,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch",
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=math.ceil(config.warmup_ratio * total_steps(config, records)),
        bf16=device == "cuda" and precision.dtype == "bfloat16",
        fp16=device == "cuda" and precision.dtype == "float16",
        use_cpu=not torch.cuda.is_available(),
        eval_strategy=config.eval_strategy,
        eval_steps=config.eval_steps,
        save_strategy="epoch" if config.eval_strategy == "epoch" else "steps",
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit,
        logging_steps=config.logging_steps,
        logging_nan_inf_filter=False,
        report_to=[name for name in config.report_to if name != "tensorboard"],
        run_name=config.run_name,
        project="likely",
        disable_tqdm=True,
        seed=config.seed,
        data_seed=config.seed,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,  # every weight of an adapter is in every pass
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # nn.DataParallel would split rows of trees
    arguments.mixed_precision = "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "no"  # not accelerate's own
    return arguments
