"""Which attention implementation runs, decided once, and the mask that it needs.

`config` asks for one by name; `model` loads the base model with what :func:`resolve_attention`
chose, and `block_attention` makes `sdpa` cheaper on a CPU; `answering` calls :func:`attention_mask` for
every forward pass.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from likely.errors import LikelyError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

if TYPE_CHECKING:
    import torch

    from likely.encoding.batches import Batch

FLASH_ATTENTIONS = ("flash_attention_2", "flash_attention_3", "flash_attention_4")

_OLDEST_GPU = {"flash_attention_2": (8, 0), "flash_attention_3": (9, 0), "flash_attention_4": (9, 0)}
_GPU_NAME = {(8, 0): "Ampere", (9, 0): "Hopper"}


@dataclass(frozen=True)
class Surroundings:
    """What the choice depends on.

    Attributes:
        gpu: compute capability of the CUDA device, such as (8, 0); None without one.
        installed: which of :data:`FLASH_ATTENTIONS` have their package installed.
        layout: `tree`, `packed` or `padded`.
        half_precision: whether the model computes in bfloat16 or float16.
    """

    gpu: tuple[int, int] | None
    installed: frozenset[str]
    layout: str
    half_precision: bool = True


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
        What to load the model with. `auto` takes FlashAttention where it can work and `sdpa` elsewhere.

    Raises:
        LikelyError: a forced choice cannot work here.
    """
    if requested == "auto":
        return _best(around)
    if requested == "false":
        return Attention("sdpa", "FlashAttention is switched off")
    obstacle = _obstacle(requested, around)
    if obstacle:
        raise LikelyError(f"flash_attn: {requested} cannot work because {obstacle}; set flash_attn: auto.")
    return Attention(requested, "as the configuration asks")


def look_around(layout: str, half_precision: bool) -> Surroundings:
    """Return the surroundings of this process."""
    import torch
    from transformers.utils import (
        is_flash_attn_2_available,
        is_flash_attn_3_available,
        is_flash_attn_4_available,
    )

    available = (is_flash_attn_2_available(), is_flash_attn_3_available(), is_flash_attn_4_available())
    installed = frozenset(name for name, present in zip(FLASH_ATTENTIONS, available, strict=True) if present)
    gpu = torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    return Surroundings(gpu, installed, layout, half_precision)


def attention_mask(batch: "Batch", implementation: str, dtype: "torch.dtype") -> Any:
    """Return the `attention_mask` that makes a model attend by the rule of `prefix_tree`.

    Args:
        batch: one forward pass.
        implementation: transformers' name, as the model's config has it.
        dtype: the dtype the model computes in; `eager` adds the mask to its scores.

    Returns:
        `sdpa`, in blocks or not: bool [rows, 1, width, width]. `eager`: `dtype`, same shape, 0 or the lowest number.
        `flex_attention`: a BlockMask. FlashAttention: bool [rows, width] that marks the padding, or
        None where records are packed in one row and their position ids tell them apart.
    """
    import torch

    if implementation == "flex_attention":
        from torch.nn.attention.flex_attention import create_block_mask

        rows, width = batch.input_ids.shape
        rule = tree_mask_mod(batch.subtree_end)
        return create_block_mask(rule, rows, None, width, width, device=batch.input_ids.device.type)
    if implementation in FLASH_ATTENTIONS:
        if len(batch.input_ids) == 1:
            return None
        alone = torch.arange(1, batch.subtree_end.shape[1] + 1, device=batch.subtree_end.device)
        return ~((batch.subtree_end == alone) & (batch.position_ids == 0))
    mask = tree_mask(batch.subtree_end)
    if implementation == "eager":
        lowest = torch.finfo(dtype).min
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, lowest)
    return mask


def _best(around: Surroundings) -> Attention:
    if around.gpu is None:
        return Attention("sdpa", "there is no CUDA GPU")
    if not around.installed:
        return Attention("sdpa", "FlashAttention is not installed")
    newest_first = sorted(around.installed, reverse=True)
    obstacles = {name: _obstacle(name, around) for name in newest_first}
    for name in newest_first:
        if obstacles[name] is None:
            return Attention(name, "FlashAttention is installed and the GPU can run it")
    return Attention("sdpa", f"FlashAttention is installed, but {obstacles[newest_first[-1]]}")


def _obstacle(requested: str, around: Surroundings) -> str | None:
    """Return why an implementation cannot work here, or None."""
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


def tree_mask(subtree_end: "torch.Tensor") -> "torch.Tensor":
    """Return the attention rule as a dense mask for `sdpa` and `eager`.

    Args:
        subtree_end: int64 [rows, width].

    Returns:
        bool [rows, 1, width, width]; `mask[r, 0, q, k]` is true where token q may attend to token k.
    """
    import torch

    index = torch.arange(subtree_end.shape[1], device=subtree_end.device)
    causal = index[None, :] <= index[:, None]
    return (causal & (index[:, None] < subtree_end[:, None, :]))[:, None]


def tree_mask_mod(
    subtree_end: "torch.Tensor",
) -> "Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]":
    """Return the attention rule as a `mask_mod` for `torch.nn.attention.flex_attention`.

    Args:
        subtree_end: int64 [rows, width], on the device of the attention.
    """

    def may_attend(
        row: "torch.Tensor", head: "torch.Tensor", query: "torch.Tensor", key: "torch.Tensor"
    ) -> "torch.Tensor":
        return (key <= query) & (query < subtree_end[row, key])

    return may_attend
