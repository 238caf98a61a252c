"""Real optimizer steps of changing shapes, through the step of `likely train`, in variants that differ in one thing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import torch
from transformers import TrainingArguments

from benchmarks import common
from benchmarks.gpu_acceptance.ground import GROUP, STEP, Ground
from likely.data.records import Labels, read_records
from likely.encoding.batches import Layout
from likely.encoding.order import shuffled, steps_of
from likely.encoding.prefix_tree import build_tree
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import base_model
from likely.model.base import Precision
from likely.model.compiled import compile_layers
from likely.model.scoring import PassPlan, score
from likely.training.trainer import AnswerTrainer

FULL_GROUP = 16
"""Records of a group that is a whole history."""

STEPS = {STEP: 16, 64: 8}
"""How many steps are taken, by their records."""

EVALUATION_TOKENS = 16 * common.CUTOFF
"""Of a pass of an evaluation, by the default configuration."""


@dataclass(frozen=True)
class Variant:
    """A way to compute the same training, in steps of so many records and in groups of each of these sizes."""

    name: str
    four_bit: bool = False
    attention: str = "sdpa"
    cudnn: bool = False
    compiled: bool = False
    dropout: float = 0.0
    tokens: int = 8192
    records: int = STEP
    groups: tuple[int, ...] = (GROUP, FULL_GROUP)
    scores: bool = False


LARGE = Variant("LoRA, 64 records", tokens=16384, records=64)
VARIANTS = (
    Variant("LoRA, one pass", scores=True),
    LARGE,
    replace(LARGE, name="LoRA, 64 records, compiled", compiled=True),
    replace(LARGE, name="LoRA, 64 records, compiled, FlexAttention", compiled=True, attention="flex_attention"),
    Variant("QLoRA, one pass", four_bit=True),
    Variant("LoRA, 2,048 tokens a pass", tokens=2048, groups=(GROUP,)),
    replace(LARGE, name="LoRA, 64 records, FlexAttention", attention="flex_attention"),
    replace(LARGE, name="QLoRA, 64 records, compiled", four_bit=True, compiled=True, groups=(FULL_GROUP,)),
    Variant("LoRA, one pass, dropout", dropout=0.05, groups=(GROUP,)),
    Variant("QLoRA, 2,048 tokens a pass, dropout", four_bit=True, dropout=0.05, tokens=2048, groups=(GROUP,)),
    Variant("LoRA, one pass, cuDNN", cudnn=True, groups=(GROUP,)),
)


def speed(ground: Ground) -> None:
    """Measure every variant; one that fails says so."""
    encoded = ground.records("train", ground.size(6000, 40))
    rate = ground.matrix_rate()
    variants = VARIANTS if ground.on_gpu else (Variant("LoRA, one pass", records=4, groups=(GROUP,), scores=True),)
    for variant in ground.while_time("speed", {variant.name: variant for variant in variants}):
        if variant.four_bit and find_spec("bitsandbytes") is None:
            ground.say("speed", name=variant.name, left_out="bitsandbytes is not installed")
            continue
        with ground.reporting("speed", name=variant.name):
            measure(ground, variant, encoded, rate)
        torch._dynamo.reset()


def measure(ground: Ground, variant: Variant, encoded: list[EncodedRecord], rate: float) -> None:
    """Say how fast a variant takes the same steps, first in new shapes and then in seen ones; and how it scores."""
    trainer = trainer_for(ground, variant, encoded)
    torch.backends.cuda.enable_cudnn_sdp(variant.cudnn)
    try:
        for group in variant.groups:
            steps = first_steps(ground, encoded, variant.records, group)
            say_steps(ground, variant, trainer, steps, group, "new", rate)
            say_steps(ground, variant, trainer, steps, group, "seen", rate)
        if variant.scores:
            say_evaluation(ground, variant, trainer)
            for count in (100, 1000):
                say_candidates(ground, variant, trainer, ground.size(count, count // 25))
    finally:
        torch.backends.cuda.enable_cudnn_sdp(False)


def first_steps(ground: Ground, encoded: list[EncodedRecord], records: int, group: int) -> list[list[int]]:
    """Return the first steps of an epoch, of so many records each."""
    return steps_of(ground.order(encoded, records, group)(0), records)[: ground.size(STEPS.get(records, 4), 2)]


def say_steps(
    ground: Ground,
    variant: Variant,
    trainer: AnswerTrainer,
    steps: list[list[int]],
    group: int,
    shapes: str,
    rate: float,
) -> None:
    """Take steps and say how fast; of new shapes, the first ones only warm up.

    The share of the matrix rate counts two operations for each weight of the base between embedding and head, forward
    and backward, and each token of the tree that all records of a step are: no padding, no adapter, and not what a
    tree in several rows computes twice. Attention's own share counts the pairs of tokens that see each other.
    """
    timed = [step_seconds(trainer, indices) for indices in steps]
    skipped = ground.size(3, 0) if shapes == "new" else 0
    whole, laying_out, passes, padded = (np.array(column) for column in zip(*timed[skipped:], strict=True))
    trees = [build_tree([trainer.train_records[i].input_ids for i in step]) for step in steps[skipped:]]
    tokens = sum(len(tree) for tree in trees) / float(whole.sum())
    pairs = sum(int(tree.position_ids.astype(np.int64).sum()) + len(tree) for tree in trees) / float(whole.sum())
    config = base_model(trainer.adapter).config.get_text_config()
    attention = 12 * config.num_hidden_layers * config.num_attention_heads * config.head_dim  # 2 + 4 products
    ground.say(
        "speed",
        name=variant.name,
        shapes=shapes,
        records=variant.records,
        group=group,
        steps=len(whole),
        ms_median=round(1e3 * float(np.median(whole)), 2),
        ms_max=round(1e3 * max(seconds for seconds, *_ in timed), 2),
        layout_ms=round(1e3 * float(laying_out.mean()), 2),
        passes=round(float(passes.mean()), 2),
        tokens_alone=round(float(np.mean([len(r.input_ids) for r in chosen(trainer, steps[skipped:])])), 1),
        tokens_a_step=round(sum(len(tree) for tree in trees) / len(trees)),
        padded_tokens_a_step=round(float(padded.mean())),
        records_s=round(variant.records * len(whole) / float(whole.sum()), 2),
        tokens_s=round(tokens),
        share_of_rate=round(tokens * 4 * weights_of(trainer) / rate, 4),
        attention_share_of_rate=round(pairs * attention / rate, 4),
        peak_gib=ground.peak_gib(),
    )


def chosen(trainer: AnswerTrainer, steps: Sequence[Sequence[int]]) -> list[EncodedRecord]:
    """Return the records of some steps."""
    return [trainer.train_records[index] for step in steps for index in step]


def say_evaluation(ground: Ground, variant: Variant, trainer: AnswerTrainer) -> None:
    """Say how many records of an evaluation are scored a second."""
    rows = ground.records("eval", ground.size(1000, 4))
    spent = ground.seconds(lambda: score(trainer.adapter, base_model(trainer.adapter), rows, trainer.eval_plan))
    ground.say("evaluation", name=variant.name, rows_s=round(len(rows) / spent, 2), peak_gib=ground.peak_gib())


def say_candidates(ground: Ground, variant: Variant, trainer: AnswerTrainer, count: int) -> None:
    """Say how many candidates of one history are scored a second, in the tree and padded, and how far apart they are.

    The history is that of a record in the middle of the evaluation, and the candidates are those of other records.
    """
    read = read_records(ground.data / "train.json", Labels())
    history, _, _ = read[len(read) // 2].input.rpartition("\n")
    last = list(dict.fromkeys(record.input.rpartition("\n")[2] for record in read))[:count]
    asked = [replace(read[0], input=f"{history}\n{candidate}") for candidate in last]
    encoded, found = ground.builder.encode_all(asked), {}
    layouts: tuple[Layout, ...] = ("tree", "padded")
    for layout in layouts:
        plan = replace(trainer.eval_plan, layout=layout)

        def rank(plan: PassPlan = plan) -> None:
            found[plan.layout] = score(trainer.adapter, base_model(trainer.adapter), encoded, plan).p_yes

        spent = ground.seconds(rank, 3 if layout == "tree" else 1)
        apart = float(np.abs(found[layout] - found["tree"]).max())
        ground.say(
            "candidates", name=variant.name, candidates=len(encoded), layout=layout, ms=round(1e3 * spent, 1),
            candidates_s=round(len(encoded) / spent, 1), tokens=sum(len(record.input_ids) for record in encoded),
            most_apart=round(apart, 4), peak_gib=ground.peak_gib(),
        )  # fmt: skip


def trainer_for(ground: Ground, variant: Variant, encoded: list[EncodedRecord]) -> AnswerTrainer:
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
        order=shuffled(len(encoded), 0),  # steps are handed over, not drawn
        step_plan=plan,
        eval_plan=replace(plan, budget=ground.budget(model, EVALUATION_TOKENS)),
        metrics_of=lambda answers: {},
        model=model,
        args=arguments,
    )
    trainer.model_wrapped = trainer.accelerator.prepare(model)  # as `train` does: it switches autocast on
    trainer.create_optimizer()
    ground.tidy()
    return trainer


def step_seconds(trainer: AnswerTrainer, indices: list[int]) -> tuple[float, float, int, int]:
    """Take a step, and return its seconds, those of them that laying out took, its passes and their tokens."""
    started = time.perf_counter()
    inputs = trainer.lay_out_step(indices)
    laid_out = time.perf_counter() - started
    loss = trainer.training_step(trainer.model_wrapped, inputs)
    torch.nn.utils.clip_grad_norm_(trainer.adapter.parameters(), 1.0)
    assert trainer.optimizer is not None
    trainer.optimizer.step()
    trainer.adapter.zero_grad()
    loss.item()  # waits for all of it
    if trainer.args.device.type == "cuda":
        torch.cuda.synchronize()  # the optimizer comes after what the loss waits for
    spent, batches = time.perf_counter() - started, inputs["step"].batches
    return spent, laid_out, len(batches), sum(batch.input_ids.numel() for batch in batches)


def weights_of(trainer: AnswerTrainer) -> int:
    """Return the base's weights between embedding and head, each of which multiplies every token."""
    base = base_model(trainer.adapter)
    ends = {base.get_input_embeddings().weight, base.get_output_embeddings().weight}
    trained = sum(weight.numel() for weight in base.parameters() if weight.requires_grad)
    return int(base.num_parameters() - trained - sum(weight.numel() for weight in ends))
