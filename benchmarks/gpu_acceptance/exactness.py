"""Is the gradient of every layout, attention and precision that of one record at a time?"""

from collections.abc import Iterable
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
from likely.model.self_check import REFUSALS

LAYOUTS: tuple[tuple[Layout, int], ...] = (("tree", 2048), ("tree", 8192), ("packed", 8192), ("padded", 8192))
"""Layouts and tokens of a pass."""

ROUNDING = 1e-4
"""Largest relative difference of gradients that passes for rounding in float32."""


def exact(ground: Ground) -> None:
    """Compare gradients with those of the same model, a record at a time.

    A combination in 16 bits passes if it is no further from that than twice what 16 bits alone, a record at a time,
    are from float32.
    """
    encoded = ground.records("train", 400)
    few = [encoded[index] for run in shared_runs(encoded)[:2] for index in run[: ground.size(4, 2)]]
    precisions = [Precision("float32", False), Precision("bfloat16", False)]
    if find_spec("bitsandbytes"):
        precisions.append(Precision("bfloat16", True))
    else:
        ground.say("exact", left_out="4 bits: bitsandbytes is not installed")
    truth = alone(ground, precisions[0], few)
    rounding = 0.0
    for precision in precisions:
        own = alone(ground, precision, few)
        noise = distance(own, truth)
        rounding = rounding or noise  # of the first in 16 bits: that 4-bit weights are others is no rounding
        ground.say("exact", dtype=precision.dtype, four_bit=precision.four_bit, alone_from_float32=noise)
        for attention in attentions(ground, precision):
            compare(ground, precision, attention, few, own, 2 * rounding if precision.is_half else ROUNDING)


def attentions(ground: Ground, precision: Precision) -> list[str]:
    """Return the implementations that can be computed here."""
    around = look_around("packed", precision.is_half)
    flash = [name for name in FLASH_ATTENTIONS if ground.on_gpu and precision.is_half and name in around.installed]
    return ["sdpa", "eager", "flex_attention", *flash] if ground.on_gpu else ["sdpa"]


def alone(ground: Ground, precision: Precision, few: list[EncodedRecord]) -> torch.Tensor:
    """Return the gradient of records computed one at a time."""
    model = ground.model(precision)
    return gradient(
        ground, model, (batch for one in few for batch in make_batches([one], "padded", ground.budget(model, 1)))
    )


def compare(
    ground: Ground, precision: Precision, attention: str, few: list[EncodedRecord], own: torch.Tensor, most: float
) -> None:
    """Say how far the gradient of each layout is from that of records alone."""
    model = ground.model(precision, attention)
    for layout, tokens in LAYOUTS:
        if attention in FLASH_ATTENTIONS and layout == "tree":
            continue
        about = {"dtype": precision.dtype, "four_bit": precision.four_bit, "attention": attention}
        about |= {"layout": layout, "tokens": tokens}
        try:
            found = gradient(ground, model, make_batches(few, layout, ground.budget(model, tokens)))
        except REFUSALS as error:  # a report of all that fails, not of the first
            ground.say("exact", **about, failed=repr(error)[:300], ok=False)
            continue
        far = distance(found, own)
        ground.say("exact", **about, from_alone=far, ok=far < most)


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
