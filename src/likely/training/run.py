"""A finetuning run from a configuration to an adapter on disk.

Finds what a user can get wrong in the order of what it costs to find it: output folder, records, tokenizer, weights.
Encodes the records (`encoding`), trains (`trainer`) and leaves everything in `output_dir` (`run_folder`). Prints
nothing: what there is to say goes to callbacks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.config.reading import dump_config
from likely.config.run_config import RunConfig
from likely.data.catalogue_file import CATALOGUE_FILE
from likely.data.task import CONFIG_FILE, TASK_FILE, dump_task
from likely.encoding.batches import Budget
from likely.encoding.order import Order, shared_runs, shuffled_groups
from likely.encoding.prompt import EncodedRecord
from likely.encoding.reading import reading_of
from likely.encoding.saving import epoch_saving
from likely.model.adapter import Lora, add_adapter, recompute_activations
from likely.model.answers import Answers
from likely.model.attention import look_around, resolve_attention
from likely.model.base import (
    Precision,
    attention_share,
    choose_precision,
    load_base,
    load_model_config,
    pass_cost,
)
from likely.model.compiled import compile_layers, is_compiled
from likely.model.cuda import ready_cuda
from likely.model.families import choose_layout, width_multiple
from likely.model.fingerprint import identity_of, weights_of
from likely.model.memory import free_bytes, kept_of, tokens_that_fit
from likely.model.runtime import quiet_libraries
from likely.model.scoring import PassPlan
from likely.model.self_check import check_exactness
from likely.training.arguments import check_dtype, check_reporters, count_devices, is_first_process, training_arguments
from likely.training.inputs import RunInputs, describe, read_inputs
from likely.training.model_card import CardFacts, is_made_by_transformers, model_card
from likely.training.ranks import together
from likely.training.resume import check_same_run
from likely.training.run_folder import Start, leave_adapter, leave_figures, run_figures
from likely.training.stopping import StopRequest
from likely.training.stretch import OnNote, begun_in, go_on, own_callbacks, run_facts, run_name_of, take_steps

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PretrainedConfig, PreTrainedModel, TrainerCallback

    from likely.training.callbacks import Clock
    from likely.training.trainer import AnswerTrainer

MetricsOf = Callable[[Answers, Sequence[str | None]], Mapping[str, float]]
"""Metrics of answers and the users they belong to."""


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
class StepPlan:
    """Which records share a step, what a forward pass may cost, and what the layout saves, in a sentence."""

    order: Order
    budget: Budget
    saving: str


@dataclass(frozen=True)
class ReadyRun:
    """A run that can take its first step, or its next one; `base` and `train_data` tell what it is made of."""

    config: RunConfig
    inputs: RunInputs
    precision: Precision
    plan: StepPlan
    trainer: "AnswerTrainer"
    clock: "Clock"
    run_name: str
    base: Mapping[str, str]
    train_data: str


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
        resume: go on from the newest checkpoint that is whole.

    Raises:
        LikelyError: anything that the user can fix, most of it before the model is loaded.
        StoppedError: Ctrl-C or SIGTERM came, and all is saved.
    """
    tell = on_note or (lambda title, text: None)
    with begun_in(Path(config.output_dir), config.overwrite_output_dir, resume) as start:
        request = StopRequest()
        with together():
            ready = set_up(config, start, request, metrics_of, callbacks, tell)
        take_steps(config, ready.trainer, start, ready.run_name, request, tell)
        with together():
            return leave_run(ready)


def set_up(
    config: RunConfig,
    start: Start,
    request: StopRequest,
    metrics_of: MetricsOf,
    callbacks: "Sequence[TrainerCallback]",
    tell: OnNote,
) -> ReadyRun:
    """Read and load all that a run needs for its first step, or its next one.

    Raises:
        LikelyError: anything that the user can fix, most of it before the model is loaded.
    """
    from transformers import set_seed

    from likely.training.callbacks import Clock

    check_reporters(config)
    check_dtype(config)
    ready_cuda()
    resolve_attention(config.flash_attn, look_around(config.batching, config.dtype != "float32"))
    inputs = read_inputs(config, config.prompt_date or start.prompt_date)
    model_config = load_model_config(inputs.location, config.model_revision)
    precision = precision_of_run(config, model_config, start)
    layout, layout_note = choose_layout(model_config, config.batching)
    config = config.model_copy(update={"batching": layout, "prompt_date": inputs.builder.date})
    attention = resolve_attention(config.flash_attn, look_around(layout, precision.is_half, model_config))
    facts = run_facts(config, precision, inputs.train)
    go_on(start, facts, tell)
    tell("Records", describe(inputs, config.cutoff_len))
    if precision.notice:
        tell("Precision", precision.notice)
    tell("Attention", f"{attention.implementation}: {attention.reason}")

    set_seed(config.seed)
    base = load_base(inputs.location, precision, attention.implementation, config.model_revision)
    everything, first_tokens = [*inputs.train, *inputs.eval], inputs.builder.first_tokens
    length_note = check_exactness(base, everything, layout, first_tokens, config.most_tokens)
    for title, note in (("Layout", layout_note), ("Length", length_note)):
        if note:
            tell(title, note)
    told = {**identity_of(base), "reading": reading_of(inputs.builder)}
    facts |= {"base_weights": weights_of(base), "base_settings": told["settings"]}
    if start.checkpoint:
        check_same_run(start.made_with, facts, start.checkpoint.name)
    model = add_adapter(base, lora_of(config))
    if config.gradient_checkpointing:
        recompute_activations(model)
    if is_compiled(config.torch_compile, base.device.type) and compile_layers(base):
        tell("Layers", "compiled when they first run, which takes some minutes once (torch_compile)")
    tokens, a_pass = tokens_of_a_pass(config, base), pass_cost(base, trains=True)
    budget = Budget(tokens, attention_share(base), width_multiple(base), a_pass)
    plan = plan_steps(config, inputs.train, budget)
    tell("Layout", plan.saving)
    clock, run_name = Clock(start.about.get("seconds", 0.0)), run_name_of(config, start)
    own = own_callbacks(config, start, clock, request)
    named = config.model_copy(update={"run_name": run_name})
    trainer = build_trainer(named, model, inputs, plan, precision, metrics_of, [*callbacks, *own])
    trainer.about = lambda: {"made_with": facts, "run_name": run_name, "seconds": clock.seconds()}
    return ReadyRun(config, inputs, precision, plan, trainer, clock, run_name, told, facts["train_data"])


def precision_of_run(config: RunConfig, model: "PretrainedConfig", start: Start) -> Precision:
    """Return the precision of a run; one that goes on keeps its own.

    Several processes try nothing: they share the cores, and each might come out with another precision.
    """
    hidden = model.get_text_config().hidden_size if count_devices() == 1 else None
    before = start.made_with.get("precision")
    return choose_precision(config.dtype, config.quantization_bit, config.four_bit_on_cpu, hidden, before)


def lora_of(config: RunConfig) -> Lora:
    """Return the adapter that a run trains."""
    return Lora(config.lora_rank, config.lora_alpha, config.lora_dropout, config.lora_target, config.lora_layers)


def tokens_of_a_pass(config: RunConfig, base: "PreTrainedModel") -> int:
    """Return the tokens of a training pass: as configured, or on CUDA as many more as its free memory holds."""
    if config.pass_tokens or base.device.type != "cuda":
        return config.tokens_asked
    kept = kept_of(base, lora_of(config), config.gradient_checkpointing)
    return tokens_that_fit(config.tokens_asked, kept, free_bytes(base.device))


def plan_steps(config: RunConfig, records: Sequence[EncodedRecord], budget: Budget) -> StepPlan:
    """Decide which records share a step, and count what computing them together saves.

    Args:
        config: all knobs.
        records: to train on.
        budget: of a forward pass.
    """
    # Filled for all devices together, so that the order does not depend on how many they are.
    order = shuffled_groups(shared_runs(records), config.group_size, config.step_size * count_devices(), config.seed)
    saving = epoch_saving(records, order, config.step_size, config.batching, budget)
    return StepPlan(order, budget, saving.describe(config.batching, config.per_device_train_batch_size))


def build_trainer(
    config: RunConfig,
    model: "PeftModel",
    inputs: RunInputs,
    plan: StepPlan,
    precision: Precision,
    metrics_of: MetricsOf,
    callbacks: "list[TrainerCallback]",
) -> "AnswerTrainer":
    """Translate the configuration into transformers' terms and return the Trainer."""
    from transformers.trainer_callback import PrinterCallback

    from likely.training.trainer import AnswerTrainer

    first_tokens = inputs.builder.first_tokens
    evaluation_budget = replace(plan.budget, tokens=config.evaluation_tokens)
    trainer = AnswerTrainer(
        train_records=inputs.train,
        eval_records=inputs.eval,
        rows=(inputs.train_rows, inputs.eval_rows),
        order=plan.order,
        step_plan=PassPlan(config.batching, plan.budget, first_tokens),
        eval_plan=PassPlan(config.batching, evaluation_budget, first_tokens),
        metrics_of=lambda answers: metrics_of(answers, inputs.eval_users),
        model=model,
        args=training_arguments(config, precision, len(inputs.train), model.device.type),
        processing_class=inputs.builder.tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def leave_run(ready: ReadyRun) -> TrainedRun:
    """Write all that a finished run leaves, the adapter before anything is computed or told about it.

    Raises:
        LikelyError: it cannot be written, or the weights are not finite.
    """
    config, inputs, trainer = ready.config, ready.inputs, ready.trainer
    folder = Path(config.output_dir)
    trainer.load_best()
    trainer.check_weights()
    if is_first_process():
        texts = {CONFIG_FILE: dump_config(config), TASK_FILE: dump_task(inputs.task)}
        texts |= {CATALOGUE_FILE: inputs.catalogue} if inputs.catalogue else {}
        leave_adapter(folder, trainer.adapter, inputs.builder.tokenizer, texts)
    figures = {**run_figures(trainer, ready.clock.seconds()), "saving": ready.plan.saving}
    figures |= {"base": {"precision": str(ready.precision), **ready.base}, "train_data": ready.train_data}
    log = [dict(entry) for entry in trainer.state.log_history]
    if is_first_process():
        facts = CardFacts(
            base=config.model_name_or_path,
            location=inputs.location,
            revision=config.model_revision,
            precision=ready.precision,
            lora=lora_of(config),
            labels=inputs.builder.labels,
            question=inputs.question,
            training_file=inputs.training_file,
            records=len(inputs.train),
            task=inputs.task,
            first_tokens=inputs.builder.first_tokens,
            is_plain=is_made_by_transformers(inputs.builder, inputs.question),
        )
        leave_figures(folder, figures, log, model_card(facts, figures))
    return TrainedRun(folder, figures, log)
