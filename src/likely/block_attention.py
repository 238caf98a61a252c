"""Attention on a CPU that leaves out the keys which nobody in a block of queries may see.

`training` and `inference` hand over a model loaded with `sdpa`; from then on transformers calls
:func:`block_attention` in each of its layers, with the mask that `attention` made.

Under a dense mask torch computes the scores of all pairs and throws the forbidden ones away: in a tree
(`prefix_tree`) those with later tokens, with other branches and with other users. Here a block of
queries meets only the keys that one of them attends to, which changes no result.

    row                            instruction | history | candidate 1 | candidate 2 | candidate 3
    keys of candidate 3's block    instruction | history |                             candidate 3
"""

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "sdpa_in_blocks"
"""What transformers knows :func:`block_attention` by; it is in no saved file."""

BLOCK = 128
"""Queries of a block. On one core 64 to 192 are equally fast; at 256 a block sees too many branches."""


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
    """Return what transformers' `sdpa` returns.

    Rows of at most one block go to `sdpa` itself, and so does what is not a whole row under a mask of
    its own, such as a token that is generated with a cache.

    Args:
        module: the attention layer.
        query: [rows, heads, width, head size].
        key: [rows, key heads, width, head size]; each key head serves `heads / key heads` heads.
        value: as `key`.
        attention_mask: bool, or what is added to the scores, [rows or 1, heads or 1, width, width].
        dropout: probability of dropping an attention weight.
        scaling: factor of the scores.
        **others: what transformers' `sdpa` takes besides.

    Returns:
        [rows, width, heads, head size], and no attention weights.
    """
    width = query.shape[2]
    is_special = others.get("position_bias") is not None or others.get("softcap") is not None
    if attention_mask is None or is_special or width <= BLOCK or key.shape[2] != width:
        attended: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return attended
    attended_rows = [
        _attend_one_row(query[[row]], key[[row]], value[[row]], mask, dropout, scaling)
        for row, mask in enumerate(attention_mask.expand(len(query), -1, -1, -1))
    ]
    return torch.cat(attended_rows).transpose(1, 2).contiguous(), None


def _attend_one_row(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Return what the queries of one row attend to, [1, heads, width, head size]; mask: [heads or 1, width, width]."""
    may_see = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min
    blocks = []
    for start in range(0, query.shape[2], BLOCK):
        end = start + BLOCK
        is_seen = may_see[:, start:end].any(dim=(0, 1))
        is_seen[start] = True  # a block of padding sees nothing, and torch wants a key
        seen = is_seen.nonzero().squeeze(1)
        blocks.append(
            scaled_dot_product_attention(
                query[:, :, start:end],
                key.index_select(2, seen),
                value.index_select(2, seen),
                attn_mask=mask[None, :, start:end].index_select(3, seen),
                dropout_p=dropout,
                scale=scaling,
                enable_gqa=True,  # without repeating keys and values for every head, which transformers does
            )
        )
    return torch.cat(blocks, dim=2)
