"""Is the gradient of every layout, attention and precision that of one record at a time?"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from peft import PeftModel

from benchmarks.gpu_acceptance.ground import Ground
from likely.encoding.batches import Batch, Layout, make_batches
from likely.encoding.order import shared_runs
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import base_model
from likely.model.attention import FLASH_ATTENTIONS, look_around
from likely.model.base import Precision
from likely.model.forward import answer_logits

LAYOUTS: tuple[tuple[Layout, int], ...] = (("tree", 2048), ("tree", 8192), ("packed", 8192), ("padded", 8192))
"""Layouts and tokens of a pass."""

ROUNDING = 1e-4
"""Largest relative difference of gradients that passes for rounding in float32."""


@dataclass(frozen=True)
class Alone:
    """The gradient of records one at a time in a precision, and how far from it passes for rounding."""

    gradient: torch.Tensor
    most: float


def exact(ground: Ground) -> None:
    """Compare gradients with those of the same model, a record at a time.

    A combination in 16 bits passes if it is no further from that than twice what 16 bits alone, a record at a time,
    are from float32.
    """
    encoded = ground.records("train", 400)
    few = [encoded[index] for run in shared_runs(encoded)[:2] for index in run[: ground.size(4, 2)]]
    full, half, four = (Precision(*words) for words in (("float32", False), ("bfloat16", False), ("bfloat16", True)))
    truth = alone(ground, full, few)
    by_precision = {full: Alone(truth, ROUNDING)}
    for precision in (half, four):
        if precision.four_bit and find_spec("bitsandbytes") is None:
            ground.say("exact", left_out="4 bits: bitsandbytes is not installed")
            continue
        with ground.reporting("exact", dtype=precision.dtype, four_bit=precision.four_bit):
            own = alone(ground, precision, few)
            noise = distance(own, truth)
            ground.say("exact", dtype=precision.dtype, four_bit=precision.four_bit, alone_from_float32=noise)
            # Of 16 bits, also for 4: that 4-bit weights are others is no rounding.
            by_precision[precision] = Alone(own, by_precision[half].most if precision.four_bit else 2 * noise)
    wanted = {
        f"{precision} {attention}": (precision, attention)
        for attention in attentions(ground)
        for precision in (half, four, full)
        if precision in by_precision and (precision.is_half or attention not in FLASH_ATTENTIONS)
    }
    for precision, attention in ground.while_time("exact", wanted):
        with ground.reporting("exact", dtype=precision.dtype, four_bit=precision.four_bit, attention=attention):
            compare(ground, precision, attention, few, by_precision[precision])


def attentions(ground: Ground) -> list[str]:
    """Return the implementations that can be computed here."""
    installed = look_around("packed", half_precision=True).installed
    flash = [name for name in FLASH_ATTENTIONS if name in installed]
    return ["sdpa", "eager", "flex_attention", *flash] if ground.on_gpu else ["sdpa"]


def alone(ground: Ground, precision: Precision, few: list[EncodedRecord]) -> torch.Tensor:
    """Return the gradient of records computed one at a time."""
    model = ground.model(precision)
    return gradient(
        ground, model, (batch for one in few for batch in make_batches([one], "padded", ground.budget(model, 1)))
    )


def compare(ground: Ground, precision: Precision, attention: str, few: list[EncodedRecord], own: Alone) -> None:
    """Say how far the gradient of each layout is from that of records alone."""
    model = ground.model(precision, attention)
    for layout, tokens in LAYOUTS:
        if attention in FLASH_ATTENTIONS and layout == "tree":
            continue
        about = {"dtype": precision.dtype, "four_bit": precision.four_bit, "attention": attention}
        about |= {"layout": layout, "tokens": tokens}
        began = ground.now()
        with ground.reporting("exact", **about):
            far = distance(
                gradient(ground, model, make_batches(few, layout, ground.budget(model, tokens))), own.gradient
            )
            spent = round(ground.now() - began, 1)
            ground.say("exact", **about, from_alone=far, most=own.most, ok=far < own.most, seconds=spent)


def gradient(ground: Ground, model: PeftModel, batches: Iterable[Batch]) -> torch.Tensor:
    """Return the gradient of the summed loss, float64 [weights of the adapter]."""
    model.zero_grad()
    model.train()
    for batch in batches:
        batch = batch.to(ground.device)
        logits = answer_logits(model, batch, base_model(model))
        torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="sum").backward()
    grads = [weight.grad for weight in model.parameters() if weight.requires_grad and weight.grad is not None]
    return torch.cat([grad.flatten().double() for grad in grads])


def distance(found: torch.Tensor, right: torch.Tensor) -> float:
    """Return the relative difference of two gradients."""
    return float((found - right).norm() / right.norm())
