"""A finetuning run from a configuration to an adapter on disk.

Reads the configuration, checks everything a user can get wrong before a model is loaded, encodes
the records (`records`, `prompt`), trains (`trainer`) and writes adapter, tokenizer and resolved
configuration into `output_dir`. The figures it returns are written by `report`.
"""

import math
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from likely.answers import Answers
from likely.attention import look_around, resolve_attention
from likely.batching import Budget
from likely.config import RunConfig, dump_config
from likely.errors import LikelyError
from likely.model import (
    Lora,
    add_adapter,
    attention_share,
    check_model_folder,
    choose_precision,
    load_base,
    load_tokenizer,
)
from likely.ordering import choose_runs, shared_runs, shuffled_groups
from likely.prompt import EncodedRecord, PromptBuilder
from likely.records import Labels, Record, find_data, read_records
from likely.sampling import subset_of_users
from likely.scoring import ScoringPlan

if TYPE_CHECKING:
    from likely.trainer import AnswerTrainer

Summary = Callable[[Answers, Sequence[str | None]], Mapping[str, float]]
"""Metrics of answers and the users they belong to."""


@dataclass(frozen=True)
class TrainedRun:
    """What a finished run leaves behind.

    Attributes:
        output_dir: adapter, tokenizer, config.yaml and logs.
        metrics: figures of the best checkpoint and of the training, and versions.
        log: the Trainer's log entries in order.
    """

    output_dir: Path
    metrics: Mapping[str, Any]
    log: list[dict[str, float]]


@dataclass(frozen=True)
class RunRecords:
    """Records of a run, encoded, and the evaluation records' users."""

    train: list[EncodedRecord]
    eval: list[EncodedRecord]
    eval_users: list[str | None]


def check_output(output_dir: Path, overwrite: bool, resume: bool) -> Path | None:
    """Check that a run may write to its output folder, and find where to go on from.

    Returns:
        The last checkpoint if `resume` is set, otherwise None.

    Raises:
        LikelyError: the folder cannot be written, holds another run, or holds nothing to resume.
    """
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output_dir):
            pass
    except OSError as error:
        raise LikelyError(f"output_dir {output_dir} cannot be written ({error.strerror}); choose another.") from error
    checkpoints = sorted(output_dir.glob("checkpoint-*"), key=_step_of)
    if resume:
        if not checkpoints:
            raise LikelyError(f"output_dir {output_dir} holds no checkpoint to resume from; run without --resume.")
        return checkpoints[-1]
    if overwrite:
        for checkpoint in checkpoints:
            shutil.rmtree(checkpoint)
        return None
    if (output_dir / "adapter_model.safetensors").exists():
        raise LikelyError(
            f"output_dir {output_dir} holds a finished run; set overwrite_output_dir=true, or choose another folder."
        )
    if checkpoints:
        raise LikelyError(
            f"output_dir {output_dir} holds an unfinished run; go on with --resume, or set overwrite_output_dir=true."
        )
    return None


def read_run_records(config: RunConfig, builder: PromptBuilder, console: Console) -> RunRecords:
    """Read, choose and encode the training and evaluation records of a run.

    Raises:
        LikelyError: a file is missing or wrong, a record does not fit, or the evaluation records
            cannot give the metric that chooses the best checkpoint.
    """
    files = find_data(config.dataset_dir, config.dataset, config.train_file, config.eval_file, config.test_file)
    labels = Labels(config.positive_label, config.negative_label)
    if files.train is None:
        raise LikelyError("The configuration names no training file; set train_file or a dataset with one.")
    everything = builder.encode_all(read_records(files.train, labels, files.columns))
    kept = choose_runs(shared_runs(everything), config.max_samples, config.seed)
    train = [everything[index] for index in kept]
    evaluated: list[Record] = []
    if config.eval_strategy != "no":
        if files.eval is None:
            raise LikelyError("The configuration names no evaluation file; set eval_file or eval_strategy: no.")
        evaluated = subset_of_users(
            read_records(files.eval, labels, files.columns), config.max_eval_samples, config.seed
        )
        if config.metric_for_best_model == "eval_auc" and len({record.output for record in evaluated}) < 2:
            raise LikelyError(
                f"All {len(evaluated)} evaluation records of {files.eval} have the same label, so there is no AUC; "
                "use other records or set metric_for_best_model=eval_loss."
            )
    encoded = RunRecords(train, builder.encode_all(evaluated), [record.user_id for record in evaluated])
    shortened = sum(record.dropped_lines > 0 for record in train)
    console.print(
        f"[bold]Records[/bold]    {len(train):,} to train on, {len(evaluated):,} to evaluate; cutoff_len "
        f"{config.cutoff_len} shortens the history of {shortened:,}",
        highlight=False,
    )
    return encoded


def train(config: RunConfig, model_path: str, console: Console, summarize: Summary, resume: bool = False) -> TrainedRun:
    """Finetune and write everything into `config.output_dir`.

    Args:
        config: all knobs.
        model_path: hub name or local folder that `config.model_name_or_path` stands for.
        console: where progress is shown.
        summarize: metrics of an evaluation.
        resume: go on from the last checkpoint.

    Raises:
        LikelyError: anything that the user can mend, most of it before the model is loaded.
    """
    import transformers

    output_dir = Path(config.output_dir)
    checkpoint = check_output(output_dir, config.overwrite_output_dir, resume)
    precision = choose_precision(config.dtype, config.quantization_bit)
    attention = resolve_attention(config.flash_attn, look_around(config.batching, precision.is_half))
    check_model_folder(model_path)
    builder = PromptBuilder(
        load_tokenizer(model_path, config.model_revision),
        Labels(config.positive_label, config.negative_label),
        config.cutoff_len,
    )
    records = read_run_records(config, builder, console)
    if precision.notice:
        console.print(f"[bold]Precision[/bold]  {precision.notice}", highlight=False)
    console.print(f"[bold]Attention[/bold]  {attention.implementation}: {attention.reason}", highlight=False)

    transformers.set_seed(config.seed)
    base = load_base(model_path, precision, attention.implementation, config.model_revision)
    lora = Lora(config.lora_rank, config.lora_alpha, config.lora_dropout, config.lora_target)
    model = add_adapter(base, lora, precision.four_bit, config.gradient_checkpointing)
    trainer = build_trainer(config, model, builder, records, console, summarize)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - started
    return _finish(config, trainer, seconds)


def build_trainer(
    config: RunConfig,
    model: Any,
    builder: PromptBuilder,
    records: RunRecords,
    console: Console,
    summarize: Summary,
) -> "AnswerTrainer":
    """Translate the configuration into transformers' terms and return the Trainer."""
    from torch.utils.tensorboard import SummaryWriter
    from transformers import EarlyStoppingCallback
    from transformers.integrations import TensorBoardCallback
    from transformers.trainer_callback import PrinterCallback

    from likely.callbacks import EvaluateAtEnd, StopAfter, TrainingProgress
    from likely.trainer import AnswerTrainer

    share = attention_share(model.get_base_model())
    first_tokens = (builder.positive_ids[0], builder.negative_ids[0])
    run_name = config.run_name or time.strftime("%Y-%m-%d_%H-%M-%S")
    callbacks: list[Any] = [
        TrainingProgress(console),
        TensorBoardCallback(SummaryWriter(str(Path(config.output_dir) / "logs" / run_name))),
    ]
    if config.max_minutes:
        callbacks.append(StopAfter(config.max_minutes))
    if config.early_stopping_patience and config.eval_strategy != "no":
        callbacks.append(EarlyStoppingCallback(config.early_stopping_patience))
    callbacks.append(EvaluateAtEnd())
    trainer = AnswerTrainer(
        train_records=records.train,
        eval_records=records.eval,
        order=shuffled_groups(shared_runs(records.train), config.group_size, config.seed),
        step_plan=ScoringPlan(
            config.batching, Budget(config.per_device_train_batch_size * config.cutoff_len, share), first_tokens
        ),
        eval_plan=ScoringPlan(
            config.batching, Budget(config.per_device_eval_batch_size * config.cutoff_len, share), first_tokens
        ),
        summarize=lambda answers: summarize(answers, records.eval_users),
        model=model,
        args=training_arguments(config, len(records.train), model.device.type),
        processing_class=builder.tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def training_arguments(config: RunConfig, records: int, device: str) -> Any:
    """Return transformers' TrainingArguments for a run.

    An element of our data loader is a whole optimizer step, so transformers is told of
    `batch x accumulation` records a step and no accumulation.
    """
    import torch
    from transformers import TrainingArguments

    step_size = config.per_device_train_batch_size * config.gradient_accumulation_steps
    devices = max(int(os.environ.get("WORLD_SIZE", "1")), 1)
    steps = math.ceil(math.ceil(records / (step_size * devices)) * config.num_train_epochs)
    if config.max_steps > 0:
        steps = config.max_steps
    precision = choose_precision(config.dtype, config.quantization_bit)
    evaluates = config.eval_strategy != "no"
    return TrainingArguments(
        output_dir=config.output_dir,
        per_device_train_batch_size=step_size,
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
        warmup_steps=math.ceil(config.warmup_ratio * steps),
        bf16=device == "cuda" and precision.dtype == "bfloat16",
        fp16=device == "cuda" and precision.dtype == "float16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=config.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if config.gradient_checkpointing else None,
        eval_strategy=config.eval_strategy,
        eval_steps=config.eval_steps,
        save_strategy=config.eval_strategy if evaluates else "steps",
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit,
        load_best_model_at_end=evaluates,
        metric_for_best_model=config.metric_for_best_model if evaluates else None,
        greater_is_better=config.greater_is_better if evaluates else None,
        restore_callback_states_from_checkpoint=True,
        logging_steps=config.logging_steps,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        seed=config.seed,
        data_seed=config.seed,
        remove_unused_columns=False,
    )


def _finish(config: RunConfig, trainer: "AnswerTrainer", seconds: float) -> TrainedRun:
    """Write what a finished run leaves behind; the adapter last, because it marks the run as finished."""
    output_dir = Path(config.output_dir)
    log = [dict(entry) for entry in trainer.state.log_history]
    evaluations = [entry for entry in log if config.metric_for_best_model in entry]
    choose = max if config.greater_is_better else min
    best = choose(evaluations, key=lambda entry: entry[config.metric_for_best_model]) if evaluations else {}
    metrics = {
        "best_step": best.get("step"),
        "eval": {name: value for name, value in best.items() if name.startswith("eval_")},
        "train": {
            "steps": trainer.state.global_step,
            "records": round((trainer.state.epoch or 0) * len(trainer.train_records)),
            "seconds": round(seconds, 1),
        },
        "versions": {name: version(name) for name in ("likely", "torch", "transformers", "peft")},
        "python": platform.python_version(),
    }
    with tempfile.TemporaryDirectory(dir=output_dir, prefix=".finishing-") as folder:
        finishing = Path(folder)
        trainer.save_model(str(finishing))
        (finishing / "config.yaml").write_text(dump_config(config), encoding="utf-8")
        for path in sorted(finishing.iterdir(), key=lambda path: path.name == "adapter_model.safetensors"):
            os.replace(path, output_dir / path.name)
    return TrainedRun(output_dir, metrics, log)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
