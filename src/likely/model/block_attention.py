"""Attention on a CPU that leaves out the keys after each block of queries.

`base` hands over a model loaded with `sdpa`; from then on transformers calls
:func:`block_attention` in each of its layers, with the mask that `masks` made.

Rows are written depth first (`prefix_tree`), so no token attends to a later one. Under a dense mask
torch computes the scores of those pairs all the same and throws them away. Here a block of queries
meets only the keys up to its own end, which leaves out nearly half of a wide row's scores and
changes no result.

Models of 16 bits attend in float32, which rounds less and is faster: torch's kernel for 16 bits gains nothing from a
processor's instructions for them (`benchmarks.sixteen_bits`).
"""

from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "sdpa_in_blocks"
"""What transformers knows :func:`block_attention` by; it is in no saved file."""

BLOCK = 256
"""Queries of a block. On one core 192 to 320 are equally fast; 128 loses in the backward pass what it gains."""


def attend_in_blocks(model: "PreTrainedModel") -> None:
    """Let a model attend by :func:`block_attention` if it was loaded with `sdpa` and is on a CPU.

    Any other model, and one whose layers do not ask transformers for their attention, stays as it is.
    """
    if model.config._attn_implementation == "sdpa" and model.device.type == "cpu":
        AttentionInterface.register(NAME, block_attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def block_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return what transformers' `sdpa` returns, for masks that let no query attend to a later key.

    Rows of at most one block go to `sdpa` itself, and so does what has no mask of its own, such as a token that is
    generated with a cache. The last query meets the last key, so that keys of a history may stand before all others.

    Args:
        module: the attention layer.
        query: [rows, heads, width, head size].
        key: [rows, key heads, history + width, head size]; each key head serves `heads / key heads` heads.
        value: as `key`.
        attention_mask: bool, or what is added to the scores, [rows, 1, width, history + width].
        dropout: probability of dropping an attention weight.
        scaling: factor of the scores.
        **others: what transformers' `sdpa` takes besides.

    Returns:
        [rows, width, heads, head size], and no attention weights.
    """
    is_special = others.get("position_bias") is not None or others.get("softcap") is not None
    if query.dtype in (torch.bfloat16, torch.float16) and not is_special:
        mask = attention_mask.float() if _is_added(attention_mask) else attention_mask
        parts = query.float(), key.float(), value.float()
        attended, _ = block_attention(module, *parts, mask, dropout, scaling, **others)
        return attended.to(query.dtype), None
    width, history = query.shape[2], key.shape[2] - query.shape[2]
    if attention_mask is None or is_special or width <= BLOCK:
        attended, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return attended, None
    blocks = []
    for start in range(0, width, BLOCK):
        end = min(start + BLOCK, width)
        last = history + end
        first = _first_key(attention_mask[:, :, start:end, :last])
        blocks.append(
            scaled_dot_product_attention(
                query[:, :, start:end],
                key[:, :, first:last],
                value[:, :, first:last],
                attn_mask=attention_mask[:, :, start:end, first:last],
                dropout_p=dropout,
                scale=scaling,
                enable_gqa=True,  # without repeating keys and values for every head, which transformers does
            )
        )
    return torch.cat(blocks, dim=2).transpose(1, 2).contiguous(), None


def _is_added(mask: torch.Tensor | None) -> TypeGuard[torch.Tensor]:
    """Return whether a mask is what is added to the scores."""
    return mask is not None and mask.dtype != torch.bool


def _first_key(mask: torch.Tensor) -> int:
    """Return the first key that any query of a block sees: those before it are out of their windows or records.

    Args:
        mask: bool, or what is added to the scores, [rows, 1, queries, keys].
    """
    if _is_added(mask):
        return 0
    seen = mask.view(torch.uint8).amax(dim=(0, 1, 2))  # as bytes, which torch reduces faster than truth values
    return int(seen.argmax())
