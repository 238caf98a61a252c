"""A finetuning run from a configuration to an adapter on disk.

Finds what a user can get wrong in the order of what it costs to find it: output folder, records, tokenizer, weights.
Encodes the records (`encoding`), trains (`trainer`) and leaves everything in `output_dir` (`run_folder`). Prints
nothing: what there is to say goes to callbacks.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.config.reading import dump_config
from likely.config.run_config import RunConfig
from likely.data.records import read_records
from likely.data.run_data import evaluation_records, labels_of, training_file
from likely.data.task import TASK_FILE, Task, dump_task, task_of
from likely.encoding.batches import Budget
from likely.encoding.cache import encode_file
from likely.encoding.order import Order, choose_runs, shared_runs, shuffled_groups
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.encoding.saving import epoch_saving
from likely.model.adapter import Lora, add_adapter
from likely.model.answers import Answers
from likely.model.attention import look_around, resolve_attention
from likely.model.base import (
    Precision,
    attention_share,
    check_model_folder,
    choose_precision,
    load_base,
    load_tokenizer,
)
from likely.model.hub import cached_folder
from likely.model.runtime import quiet_libraries
from likely.model.scoring import PassPlan
from likely.sources.catalogue import resolve_model
from likely.training.arguments import count_devices, is_first_process, training_arguments
from likely.training.model_card import CardFacts, Question, model_card, question_of
from likely.training.run_folder import check_output, leave_adapter, leave_figures, run_figures

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import TrainerCallback

    from likely.training.trainer import AnswerTrainer

MetricsOf = Callable[[Answers, Sequence[str | None]], Mapping[str, float]]
"""Metrics of answers and the users they belong to."""

OnNote = Callable[[str, str], None]
"""Told, under a title of one word, what a person wants to know of a run before it begins."""


@dataclass(frozen=True)
class TrainedRun:
    """What a finished run leaves behind.

    Attributes:
        output_dir: adapter, tokenizer, config.yaml, metrics.json, README.md and logs.
        metrics: figures of the best checkpoint and of the training, and versions.
        log: the Trainer's log entries in order.
    """

    output_dir: Path
    metrics: Mapping[str, Any]
    log: list[dict[str, float]]


@dataclass(frozen=True)
class RunInputs:
    """All that a run reads before its model, once.

    Attributes:
        location: hub name or folder of the base model.
        builder: of prompts, with its tokenizer.
        train: records to train on, encoded.
        eval: records to evaluate on, encoded; none without evaluation.
        eval_users: whose each of these is.
        question: what the records ask.
        training_file: where those to train on come from.
        task: what they ask, as far as scoring has to know it.
    """

    location: str
    builder: PromptBuilder
    train: list[EncodedRecord]
    eval: list[EncodedRecord]
    eval_users: list[str | None]
    question: Question
    training_file: Path
    task: Task


@dataclass(frozen=True)
class StepPlan:
    """Which records share a step, what a forward pass may cost, and what the layout saves, in a sentence."""

    order: Order
    budget: Budget
    saving: str


@quiet_libraries()
def train(
    config: RunConfig,
    metrics_of: MetricsOf,
    callbacks: "Sequence[TrainerCallback]" = (),
    on_note: OnNote | None = None,
    resume: bool = False,
) -> TrainedRun:
    """Finetune and write everything into `config.output_dir`.

    Args:
        config: all knobs.
        metrics_of: metrics of an evaluation.
        callbacks: of transformers' Trainer, told how the training goes.
        on_note: told about records, precision, attention and layout.
        resume: go on from the last checkpoint.

    Raises:
        LikelyError: anything that the user can fix, most of it before the model is loaded.
    """
    from transformers import set_seed

    tell = on_note or (lambda title, text: None)
    checkpoint = check_output(Path(config.output_dir), config.overwrite_output_dir, resume)
    precision = choose_precision(config.dtype, config.quantization_bit)
    attention = resolve_attention(config.flash_attn, look_around(config.batching, precision.is_half))
    inputs = read_inputs(config)
    tell("Records", _describe(inputs, config.cutoff_len))
    if precision.notice:
        tell("Precision", precision.notice)
    tell("Attention", f"{attention.implementation}: {attention.reason}")

    set_seed(config.seed)
    base = load_base(inputs.location, precision, attention.implementation, config.model_revision)
    model = add_adapter(base, lora_of(config), precision.four_bit, config.gradient_checkpointing)
    plan = plan_steps(config, inputs.train, attention_share(base))
    tell("Layout", plan.saving)
    trainer = build_trainer(config, model, inputs, plan, precision, metrics_of, callbacks)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return leave_run(config, inputs, precision, plan, trainer, time.monotonic() - started)


def read_inputs(config: RunConfig) -> RunInputs:
    """Read records and tokenizer of a run; the records first, where the tokenizer has to come from afar.

    Raises:
        LikelyError: a file is missing or wrong, a record does not fit, or there is no such model.
    """
    labels = labels_of(config)
    path, columns = training_file(config)
    evaluated = evaluation_records(config)
    name, revision = config.model_name_or_path, config.model_revision
    asked = evaluated
    if not asked or not (Path(name).is_dir() or cached_folder(name, revision)):
        asked = read_records(path, labels, columns)  # so that its mistakes are found before anything is fetched
    location = resolve_model(name).location
    check_model_folder(location)
    builder = PromptBuilder(load_tokenizer(location, revision), labels, config.cutoff_len)
    everything = encode_file(path, columns, builder)
    chosen = choose_runs(shared_runs(everything), config.max_samples, config.seed)
    return RunInputs(
        location=location,
        builder=builder,
        train=[everything[index] for index in chosen],
        eval=builder.encode_all(evaluated),
        eval_users=[record.user_id for record in evaluated],
        question=question_of(asked),
        training_file=path,
        task=task_of(path),
    )


def lora_of(config: RunConfig) -> Lora:
    """Return the adapter that a run trains."""
    return Lora(config.lora_rank, config.lora_alpha, config.lora_dropout, config.lora_target)


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
    model: "PeftModel",
    inputs: RunInputs,
    plan: StepPlan,
    precision: Precision,
    metrics_of: MetricsOf,
    callbacks: "Sequence[TrainerCallback]",
) -> "AnswerTrainer":
    """Translate the configuration into transformers' terms and return the Trainer."""
    from transformers.trainer_callback import PrinterCallback

    from likely.training.trainer import AnswerTrainer

    first_tokens = inputs.builder.first_tokens
    evaluation_budget = replace(plan.budget, tokens=config.per_device_eval_batch_size * config.cutoff_len)
    trainer = AnswerTrainer(
        train_records=inputs.train,
        eval_records=inputs.eval,
        order=plan.order,
        step_plan=PassPlan(config.batching, plan.budget, first_tokens),
        eval_plan=PassPlan(config.batching, evaluation_budget, first_tokens),
        metrics_of=lambda answers: metrics_of(answers, inputs.eval_users),
        model=model,
        args=training_arguments(config, precision, len(inputs.train), model.device.type),
        processing_class=inputs.builder.tokenizer,
        callbacks=[*callbacks, *own_callbacks(config)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def own_callbacks(config: RunConfig) -> "list[TrainerCallback]":
    """Return what every run does around its steps: logs for TensorBoard, and the ways in which it may end."""
    from torch.utils.tensorboard import SummaryWriter
    from transformers import EarlyStoppingCallback
    from transformers.integrations import TensorBoardCallback

    from likely.training.callbacks import EvaluateAtEnd, StopAfter

    run_name = config.run_name or time.strftime("%Y-%m-%d_%H-%M-%S")
    callbacks: list[TrainerCallback] = []
    if is_first_process():
        callbacks.append(TensorBoardCallback(SummaryWriter(str(Path(config.output_dir) / "logs" / run_name))))
    if config.max_minutes:
        callbacks.append(StopAfter(config.max_minutes))
    if config.early_stopping_patience and config.eval_strategy != "no":
        callbacks.append(EarlyStoppingCallback(config.early_stopping_patience))
    return [*callbacks, EvaluateAtEnd()]


def leave_run(
    config: RunConfig,
    inputs: RunInputs,
    precision: Precision,
    plan: StepPlan,
    trainer: "AnswerTrainer",
    seconds: float,
) -> TrainedRun:
    """Write all that a finished run leaves, the adapter before anything is computed or told about it."""
    from peft import PeftModel

    folder, model = Path(config.output_dir), trainer.model
    assert isinstance(model, PeftModel)
    if is_first_process():
        texts = {"config.yaml": dump_config(config), TASK_FILE: dump_task(inputs.task)}
        leave_adapter(folder, model, inputs.builder.tokenizer, texts)
    figures = run_figures(trainer, config.metric_for_best_model, config.greater_is_better, seconds)
    figures["saving"] = plan.saving
    log = [dict(entry) for entry in trainer.state.log_history]
    if is_first_process():
        facts = CardFacts(
            base=config.model_name_or_path,
            location=inputs.location,
            revision=config.model_revision,
            precision=precision,
            lora=lora_of(config),
            labels=inputs.builder.labels,
            question=inputs.question,
            training_file=inputs.training_file,
            records=len(inputs.train),
            task=inputs.task,
        )
        leave_figures(folder, figures, log, model_card(facts, figures))
    return TrainedRun(folder, figures, log)


def _describe(inputs: RunInputs, cutoff_len: int) -> str:
    shortened = sum(record.dropped_lines > 0 for record in inputs.train)
    return (
        f"{len(inputs.train):,} to train on, {len(inputs.eval):,} to evaluate; cutoff_len {cutoff_len} shortens the "
        f"history of {shortened:,}"
    )
