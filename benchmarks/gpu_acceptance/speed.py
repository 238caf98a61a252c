"""Real optimizer steps of changing shapes, through the step of `likely train`, in variants that differ in one thing."""

import time
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from transformers import TrainingArguments

from benchmarks.gpu_acceptance.ground import STEP, Ground
from likely.encoding.batches import plan_rows
from likely.encoding.order import Order, steps_of
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import base_model
from likely.model.base import Precision
from likely.model.compiled import compile_layers
from likely.model.scoring import PassPlan, score
from likely.model.self_check import REFUSALS
from likely.training.trainer import AnswerTrainer


@dataclass(frozen=True)
class Variant:
    """A way to compute the same training."""

    name: str
    four_bit: bool = False
    attention: str = "sdpa"
    cudnn: bool = False
    compiled: bool = False
    dropout: float = 0.0
    tokens: int = 8192
    records: int = STEP


VARIANTS = (
    Variant("QLoRA, 2,048 tokens a pass, cuDNN", four_bit=True, cudnn=True, dropout=0.05, tokens=2048),
    Variant("QLoRA, 2,048 tokens a pass", four_bit=True, dropout=0.05, tokens=2048),
    Variant("QLoRA, one pass", four_bit=True, dropout=0.05),
    Variant("QLoRA, one pass, compiled", four_bit=True, compiled=True),
    Variant("LoRA, 2,048 tokens a pass", dropout=0.05, tokens=2048),
    Variant("LoRA, one pass, dropout", dropout=0.05),
    Variant("LoRA, one pass"),
    Variant("LoRA, one pass, compiled", compiled=True),
    Variant("LoRA, one pass, FlexAttention", attention="flex_attention"),
    Variant("LoRA, 32 records", records=32),
    Variant("LoRA, 64 records", tokens=16384, records=64),
    Variant("LoRA, 64 records, compiled", compiled=True, tokens=16384, records=64),
    Variant(
        "LoRA, 64 records, compiled, FlexAttention",
        attention="flex_attention", compiled=True, tokens=16384, records=64,
    ),
)  # fmt: skip


def speed(ground: Ground) -> None:
    """Measure every variant; one that fails says so."""
    encoded = ground.records("train", ground.size(6000, 40))
    rate = ground.matrix_rate()
    for variant in VARIANTS if ground.on_gpu else [Variant("LoRA, one pass", records=4)]:
        if variant.four_bit and find_spec("bitsandbytes") is None:
            ground.say("speed", name=variant.name, left_out="bitsandbytes is not installed")
            continue
        try:
            measure(ground, variant, encoded, rate)
        except REFUSALS as error:
            ground.say("speed", name=variant.name, failed=repr(error)[:400])
        torch._dynamo.reset()


def measure(ground: Ground, variant: Variant, encoded: list[EncodedRecord], rate: float) -> None:
    """Say how fast a variant takes the same steps, first in new shapes and then in seen ones; and how it scores."""
    order = ground.order(encoded, variant.records)
    steps = steps_of(order(0), variant.records)[: ground.size(24, 2)]
    trainer = trainer_for(ground, variant, encoded, order)
    torch.backends.cuda.enable_cudnn_sdp(variant.cudnn)
    budget = trainer.step_plan.budget
    unique = [sum(row.width for row in plan_rows([encoded[i] for i in step], "tree", budget)) for step in steps]
    for shapes in ("new", "seen"):
        timed = [step_seconds(trainer, indices) for indices in steps]
        kept = timed[ground.size(3, 0) :]
        whole, laying_out, passes = (np.array(column) for column in zip(*kept, strict=True))
        tokens_a_second = sum(unique[-len(kept) :]) / whole.sum()
        ground.say(
            "speed",
            name=variant.name,
            shapes=shapes,
            ms_median=round(1e3 * float(np.median(whole)), 2),
            ms_max=round(1e3 * max(seconds for seconds, _, _ in timed), 2),
            layout_ms=round(1e3 * float(laying_out.mean()), 2),
            passes=round(float(passes.mean()), 2),
            records=variant.records,
            records_s=round(variant.records * len(kept) / float(whole.sum()), 2),
            tokens_s=round(float(tokens_a_second)),
            share_of_rate=round(float(tokens_a_second) * 4 * weights_of(trainer) / rate, 4),
            peak_gib=ground.peak_gib(),
        )
    if not variant.compiled:
        rows = ground.records("eval", ground.size(1000, 4))
        spent = ground.seconds(lambda: score(trainer.adapter, base_model(trainer.adapter), rows, trainer.eval_plan))
        ground.say("evaluation", name=variant.name, rows_s=round(len(rows) / spent, 2), peak_gib=ground.peak_gib())
    torch.backends.cuda.enable_cudnn_sdp(False)


def trainer_for(ground: Ground, variant: Variant, encoded: list[EncodedRecord], order: Order) -> AnswerTrainer:
    """Return the trainer of `likely train` with an optimizer, ready for a step."""
    model = ground.model(
        Precision("bfloat16" if ground.on_gpu else "float32", variant.four_bit), variant.attention, variant.dropout
    )
    if variant.compiled:
        compile_layers(base_model(model))
    plan = PassPlan("tree", ground.budget(model, variant.tokens), ground.builder.first_tokens)
    arguments = TrainingArguments(
        output_dir=str(ground.out / "trainer"),
        per_device_train_batch_size=variant.records,
        report_to="none",
        use_cpu=not ground.on_gpu,
        bf16=ground.on_gpu,
        disable_tqdm=True,
    )
    trainer = AnswerTrainer(
        train_records=encoded,
        eval_records=(),
        order=order,
        step_plan=plan,
        eval_plan=plan,
        metrics_of=lambda answers: {},
        model=model,
        args=arguments,
    )
    trainer.model_wrapped = trainer.accelerator.prepare(model)  # as `train` does: it switches autocast on
    trainer.create_optimizer()
    ground.tidy()
    return trainer


def step_seconds(trainer: AnswerTrainer, indices: list[int]) -> tuple[float, float, int]:
    """Take a step, and return its seconds, those of them that laying out took, and its passes."""
    started = time.perf_counter()
    inputs = trainer.lay_out_step(indices)
    laid_out = time.perf_counter() - started
    loss = trainer.training_step(trainer.model_wrapped, inputs)
    torch.nn.utils.clip_grad_norm_(trainer.adapter.parameters(), 1.0)
    assert trainer.optimizer is not None
    trainer.optimizer.step()
    trainer.adapter.zero_grad()
    loss.item()  # waits for all of it
    return time.perf_counter() - started, laid_out, len(inputs["step"].batches)


def weights_of(trainer: AnswerTrainer) -> int:
    """Return the base's weights between embedding and head, each of which multiplies every token."""
    base = base_model(trainer.adapter)
    ends = {base.get_input_embeddings().weight, base.get_output_embeddings().weight}
    trained = sum(weight.numel() for weight in base.parameters() if weight.requires_grad)
    return int(base.num_parameters() - trained - sum(weight.numel() for weight in ends))
