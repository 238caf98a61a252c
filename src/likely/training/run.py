"""A finetuning run from a configuration to an adapter on disk.

Reads the configuration, checks everything a user can get wrong before a model is loaded, encodes
the records (`records`, `prompt`), trains (`trainer`) and writes adapter, tokenizer and resolved
configuration into `output_dir` (`run_folder`). The figures it returns are written by `report`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from likely.config.run_config import RunConfig
from likely.data.run_data import evaluation_records, labels_of, training_file
from likely.encoding.batches import Budget
from likely.encoding.cache import encode_file
from likely.encoding.order import Order, choose_runs, shared_runs, shuffled_groups
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.encoding.saving import epoch_saving
from likely.model.adapter import Lora, add_adapter
from likely.model.answers import Answers
from likely.model.attention import look_around, resolve_attention
from likely.model.base import (
    attention_share,
    check_model_folder,
    choose_precision,
    load_base,
    load_model_config,
    load_tokenizer,
)
from likely.model.families import choose_layout
from likely.model.scoring import PassPlan
from likely.model.self_check import check_exactness
from likely.training.arguments import count_devices, is_first_process, training_arguments
from likely.training.run_folder import check_output, leave_adapter, run_figures

if TYPE_CHECKING:
    from likely.training.trainer import AnswerTrainer

MetricsOf = Callable[[Answers, Sequence[str | None]], Mapping[str, float]]
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


@dataclass(frozen=True)
class StepPlan:
    """Which records share a step, what a forward pass may cost, and what the layout saves, in a sentence."""

    order: Order
    budget: Budget
    saving: str


def read_run_records(config: RunConfig, builder: PromptBuilder, console: Console) -> RunRecords:
    """Read, choose and encode the training and evaluation records of a run.

    Raises:
        LikelyError: a file is missing or wrong, or a record does not fit.
    """
    everything = encode_file(*training_file(config), builder)
    kept = choose_runs(shared_runs(everything), config.max_samples, config.seed)
    train = [everything[index] for index in kept]
    evaluated = evaluation_records(config)
    encoded = RunRecords(train, builder.encode_all(evaluated), [record.user_id for record in evaluated])
    shortened = sum(record.dropped_lines > 0 for record in train)
    console.print(
        f"[bold]Records[/bold]    {len(train):,} to train on, {len(evaluated):,} to evaluate; cutoff_len "
        f"{config.cutoff_len} shortens the history of {shortened:,}",
        highlight=False,
    )
    return encoded


def train(
    config: RunConfig, model_path: str, console: Console, summarize: MetricsOf, resume: bool = False
) -> TrainedRun:
    """Finetune and write everything into `config.output_dir`.

    Args:
        config: all knobs.
        model_path: hub name or local folder that `config.model_name_or_path` stands for.
        console: where progress is shown.
        summarize: metrics of an evaluation.
        resume: go on from the last checkpoint.

    Raises:
        LikelyError: anything that the user can fix, most of it before the model is loaded.
    """
    import transformers

    from likely.model.block_attention import attend_in_blocks

    output_dir = Path(config.output_dir)
    checkpoint = check_output(output_dir, config.overwrite_output_dir, resume)
    precision = choose_precision(config.dtype, config.quantization_bit)
    check_model_folder(model_path)
    model_config = load_model_config(model_path, config.model_revision)
    layout, layout_note = choose_layout(model_config, config.batching)
    config = config.model_copy(update={"batching": layout})
    attention = resolve_attention(config.flash_attn, look_around(layout, precision.is_half, model_config))
    builder = PromptBuilder(
        load_tokenizer(model_path, config.model_revision),
        labels_of(config),
        config.cutoff_len,
    )
    records = read_run_records(config, builder, console)
    if precision.notice:
        console.print(f"[bold]Precision[/bold]  {precision.notice}", highlight=False)
    console.print(f"[bold]Attention[/bold]  {attention.implementation}: {attention.reason}", highlight=False)

    transformers.set_seed(config.seed)
    base = load_base(model_path, precision, attention.implementation, config.model_revision)
    attend_in_blocks(base)
    first_tokens = (builder.positive_ids[0], builder.negative_ids[0])
    length_note = check_exactness(base, [*records.train, *records.eval], layout, first_tokens)
    for title, note in (("Layout", layout_note), ("Length", length_note)):
        if note:
            console.print(f"[bold]{title:<10}[/bold] {note}", highlight=False)
    lora = Lora(config.lora_rank, config.lora_alpha, config.lora_dropout, config.lora_target)
    model = add_adapter(base, lora, precision.four_bit, config.gradient_checkpointing)
    plan = plan_steps(config, records.train, attention_share(base))
    console.print(f"[bold]Layout[/bold]     {plan.saving}", highlight=False)
    trainer = build_trainer(config, model, builder, records, plan, console, summarize)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - started
    metrics, log = run_figures(config, trainer, seconds)
    leave_adapter(config, trainer)
    return TrainedRun(output_dir, {**metrics, "saving": plan.saving}, log)


def plan_steps(config: RunConfig, records: Sequence[EncodedRecord], share: float) -> StepPlan:
    """Decide which records share a step, and count what computing them together saves.

    Args:
        config: all knobs.
        records: to train on.
        share: cost of attention, see :class:`Budget`.
    """
    # Filled for all devices together, so that the order does not depend on how many they are.
    order = shuffled_groups(shared_runs(records), config.group_size, config.step_size * count_devices(), config.seed)
    budget = Budget(config.per_device_train_batch_size * config.cutoff_len, share)
    saving = epoch_saving(records, order, config.step_size, config.batching, budget)
    return StepPlan(order, budget, saving.describe(config.batching, config.per_device_train_batch_size))


def build_trainer(
    config: RunConfig,
    model: Any,
    builder: PromptBuilder,
    records: RunRecords,
    plan: StepPlan,
    console: Console,
    summarize: MetricsOf,
) -> "AnswerTrainer":
    """Translate the configuration into transformers' terms and return the Trainer."""
    from torch.utils.tensorboard import SummaryWriter
    from transformers import EarlyStoppingCallback
    from transformers.integrations import TensorBoardCallback
    from transformers.trainer_callback import PrinterCallback

    from likely.cli.training_progress import TrainingProgress
    from likely.training.callbacks import EvaluateAtEnd, StopAfter
    from likely.training.trainer import AnswerTrainer

    first_tokens = (builder.positive_ids[0], builder.negative_ids[0])
    run_name = config.run_name or time.strftime("%Y-%m-%d_%H-%M-%S")
    callbacks: list[Any] = [TrainingProgress(console)]
    if is_first_process():
        callbacks.append(TensorBoardCallback(SummaryWriter(str(Path(config.output_dir) / "logs" / run_name))))
    if config.max_minutes:
        callbacks.append(StopAfter(config.max_minutes))
    if config.early_stopping_patience and config.eval_strategy != "no":
        callbacks.append(EarlyStoppingCallback(config.early_stopping_patience))
    callbacks.append(EvaluateAtEnd())
    evaluation_budget = replace(plan.budget, tokens=config.per_device_eval_batch_size * config.cutoff_len)
    trainer = AnswerTrainer(
        train_records=records.train,
        eval_records=records.eval,
        order=plan.order,
        step_plan=PassPlan(config.batching, plan.budget, first_tokens),
        eval_plan=PassPlan(config.batching, evaluation_budget, first_tokens),
        summarize=lambda answers: summarize(answers, records.eval_users),
        model=model,
        args=training_arguments(config, len(records.train), model.device.type),
        processing_class=builder.tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
