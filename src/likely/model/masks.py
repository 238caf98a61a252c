"""Who sees whom: the rule of `prefix_tree` as the masks that transformers takes.

`forward` asks :func:`attention_mask` before every pass in which records share a row. Token q of a row may
see token k if it descends from it, and in layers with a window or with chunks only if k is near enough::

    k <= q < subtree_end[k]
    position_ids[q] - position_ids[k] < window
    position_ids[q] // chunk == position_ids[k] // chunk

A token's position is its depth in the tree, so these are the very keys that it would see alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from likely.encoding.batches import Batch

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MaskRule = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""`mask_mod` of `torch.nn.attention.flex_attention`: row, head, query and key in, bool out."""


@dataclass(frozen=True)
class Reach:
    """How far back layers of one kind let a token see; without either number, to the beginning.

    Attributes:
        window: it sees this many tokens, itself included.
        chunk: it sees those of its own chunk of so many positions.
    """

    window: int | None = None
    chunk: int | None = None


ATTENTION_KINDS = ("full_attention", "sliding_attention", "chunked_attention")
"""Kinds of layers, as transformers' `layer_types` names them, that :func:`attention_mask` knows masks for."""


def reaches(config: "PretrainedConfig") -> dict[str, Reach]:
    """Return the kinds of layers of a model and how far back each sees.

    By the convention of transformers' `create_masks_for_generate`: a model of several kinds names the kind
    of every layer in `layer_types`; in one without `layer_types` all layers are alike.

    Args:
        config: of a model whose layers are all attention.
    """
    text = config.get_text_config()
    window, chunk = getattr(text, "sliding_window", None), getattr(text, "attention_chunk_size", None)
    known = dict(zip(ATTENTION_KINDS, (Reach(), Reach(window=window), Reach(chunk=chunk)), strict=True))
    kinds = getattr(text, "layer_types", None)
    if kinds is None:
        kinds = ["sliding_attention" if window else "chunked_attention" if chunk else "full_attention"]
    return {kind: known[kind] for kind in sorted(set(kinds))}


def attention_mask(batch: Batch, config: "PretrainedConfig", dtype: torch.dtype, first: int = 0) -> Any:
    """Return the `attention_mask` that makes a model attend by the rule above.

    Args:
        batch: one forward pass.
        config: of the model; says which attention runs and how far back its layers see.
        dtype: the dtype the model computes in; `eager` adds the mask to its scores.
        first: query, where keys and values of the tokens before it are known.

    Returns:
        `sdpa`, in blocks or not: bool [rows, 1, width - first, width]. `eager`: `dtype`, same shape, 0 or the lowest
        number. `flex_attention`: a BlockMask. A dictionary of these by the kind of layer where the kinds differ.
    """
    by_kind, implementation = reaches(config), str(config._attn_implementation)
    masks = {reach: _mask(batch, reach, implementation, dtype, first) for reach in set(by_kind.values())}
    if len(masks) == 1:
        return next(iter(masks.values()))
    return {kind: masks[reach] for kind, reach in by_kind.items()}


def mask_rule(subtree_end: torch.Tensor, position_ids: torch.Tensor, reach: Reach) -> MaskRule:
    """Return the rule above for layers of one kind.

    Args:
        subtree_end: int64 [rows, width], on the device of the attention.
        position_ids: int64 [rows, width].
        reach: how far back the layers see.
    """

    def may_see(row: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        sees = (key <= query) & (query < subtree_end[row, key])
        if reach.window is not None:
            sees &= position_ids[row, query] - position_ids[row, key] < reach.window
        if reach.chunk is not None:
            sees &= position_ids[row, query] // reach.chunk == position_ids[row, key] // reach.chunk
        return sees

    return may_see


def dense_mask(
    rule: MaskRule, rows: int, width: int, device: "torch.device | str" = "cpu", first: int = 0
) -> torch.Tensor:
    """Return a rule written out for the queries from the first on: bool [rows, 1, width - first, width].

    True at [r, 0, q - first, k] where q may see k.
    """
    row = torch.arange(rows, device=device)[:, None, None, None]
    index = torch.arange(width, device=device)
    return rule(row, row.new_zeros(()), index[first:, None], index)


def _mask(batch: Batch, reach: Reach, implementation: str, dtype: torch.dtype, first: int) -> Any:
    """Return the mask of layers of one kind."""
    rule = mask_rule(batch.subtree_end, batch.position_ids, reach)
    rows, width = batch.input_ids.shape
    device = batch.input_ids.device
    if implementation == "flex_attention":
        from torch.nn.attention.flex_attention import create_block_mask

        assert first == 0, "a block mask is of whole rows"
        return create_block_mask(rule, rows, None, width, width, device=device.type)
    mask = dense_mask(rule, rows, width, device, first)
    if implementation == "eager":
        return torch.zeros(mask.shape, dtype=dtype, device=device).masked_fill(~mask, torch.finfo(dtype).min)
    return mask
