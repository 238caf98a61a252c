"""Which attention implementation runs, decided once.

The configuration asks for one by name; `base` loads the model with what :func:`resolve_attention` chose,
and `block_attention` makes `sdpa` cheaper on a CPU.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from likely.errors import LikelyError
from likely.model.families import architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FLASH_ATTENTIONS = ("flash_attention_2", "flash_attention_3", "flash_attention_4")

_OLDEST_GPU = {"flash_attention_2": (8, 0), "flash_attention_3": (9, 0), "flash_attention_4": (9, 0)}
_LAST_FOR_AUTO = {"flash_attention_3": 9}
"""Newest generation of GPUs on which `auto` takes an implementation: FlashAttention 3 is written for Hopper alone."""

_GPU_NAME = {(8, 0): "Ampere", (9, 0): "Hopper"}


@dataclass(frozen=True)
class Surroundings:
    """What the choice depends on.

    Attributes:
        gpu: compute capability of the CUDA device, such as (8, 0); None without one.
        installed: which of :data:`FLASH_ATTENTIONS` have their package installed.
        layout: `tree`, `packed` or `padded`.
        half_precision: whether the model computes in bfloat16 or float16.
        unsupported: implementations that the model's code in transformers has no support for.
    """

    gpu: tuple[int, int] | None
    installed: frozenset[str]
    layout: str
    half_precision: bool = True
    unsupported: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Attention:
    """The implementation chosen, in transformers' name for it, and why."""

    implementation: str
    reason: str


def resolve_attention(requested: str, around: Surroundings) -> Attention:
    """Choose the attention implementation.

    Args:
        requested: one of `auto`, `flash_attention_2`, `flash_attention_3`, `flash_attention_4`,
            `flex_attention`, `sdpa`, `eager`, `false`.
        around: the device, the packages and the batch layout.

    Returns:
        What to load the model with. `auto` takes FlashAttention where it can work and `sdpa` elsewhere, or `eager`
        for a model without `sdpa`.

    Raises:
        LikelyError: a forced choice cannot work here.
    """
    if requested == "auto":
        return _best(around)
    if requested == "false":
        return _plain(around, "FlashAttention is switched off")
    obstacle = _obstacle(requested, around)
    if obstacle:
        raise LikelyError(f"flash_attn: {requested} cannot work because {obstacle}; set flash_attn: auto.")
    return Attention(requested, "as the configuration asks")


def look_around(layout: str, half_precision: bool, config: "PretrainedConfig | None" = None) -> Surroundings:
    """Return the surroundings of this process.

    Args:
        layout: `tree`, `packed` or `padded`.
        half_precision: whether the model computes in 16 bits.
        config: of the model, if what its code supports is to be regarded.
    """
    import torch
    from transformers.utils import (
        is_flash_attn_2_available,
        is_flash_attn_3_available,
        is_flash_attn_4_available,
    )

    available = (is_flash_attn_2_available(), is_flash_attn_3_available(), is_flash_attn_4_available())
    installed = frozenset(name for name, present in zip(FLASH_ATTENTIONS, available, strict=True) if present)
    gpu = torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    unsupported: set[str] = set()
    if config is not None:
        architecture = architecture_of(config)
        unsupported |= set() if architecture._supports_sdpa else {"sdpa"}
        unsupported |= set() if architecture._supports_flex_attn else {"flex_attention"}
        unsupported |= set() if architecture._supports_flash_attn else set(FLASH_ATTENTIONS)
    return Surroundings(gpu, installed, layout, half_precision, frozenset(unsupported))


def _best(around: Surroundings) -> Attention:
    if around.gpu is None:
        return _plain(around, "there is no CUDA GPU")
    if not around.installed:
        return _plain(around, "FlashAttention is not installed")
    newest_first = sorted(around.installed, reverse=True)
    obstacles = {name: _obstacle(name, around) for name in newest_first}
    for name in newest_first:
        is_meant_for = around.gpu[0] <= _LAST_FOR_AUTO.get(name, around.gpu[0])
        if obstacles[name] is None and is_meant_for:
            return Attention(name, "FlashAttention is installed and the GPU can run it")
    obstacle = obstacles[newest_first[-1]] or "not one that is meant for this GPU"
    return _plain(around, f"FlashAttention is installed, but {obstacle}")


def _plain(around: Surroundings, reason: str) -> Attention:
    """Return the choice where FlashAttention is none."""
    if "sdpa" in around.unsupported:
        return Attention("eager", f"{reason}, and this model's attention cannot be computed by sdpa")
    return Attention("sdpa", reason)


def _obstacle(requested: str, around: Surroundings) -> str | None:
    """Return why an implementation cannot work here, or None."""
    if requested in around.unsupported:
        return "this model's code in transformers does not support it"
    if requested == "flex_attention" and around.gpu is None:
        return "flex_attention trains only on a CUDA GPU, and there is none"
    if requested not in FLASH_ATTENTIONS:
        return None
    oldest = _OLDEST_GPU[requested]
    if around.gpu is None:
        return "FlashAttention needs a CUDA GPU, and there is none"
    if around.gpu < oldest:
        return f"the GPU has compute capability {around.gpu[0]}.{around.gpu[1]}, older than {_GPU_NAME[oldest]}"
    if requested not in around.installed:
        return "its package is not installed"
    if around.layout == "tree":
        return "FlashAttention has no tree masks (batching: tree)"
    if not around.half_precision:
        return "FlashAttention computes only in bfloat16 or float16"
    return None
