"""How many tokens of a training pass a GPU's free memory holds.

`training` asks once the model is loaded. A step sees the same records however many passes they take; fewer passes start
fewer kernels. What is estimated is what autograd keeps of each token for the backward pass, by the shapes of the model.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from likely.model.adapter import Lora

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SHARE = 0.5
"""Of the free memory: the rest is for the optimizer, the gradients on their way, the head, and what is not foreseen."""

MOST_TOKENS = 16_384
"""Of a pass: more fill no GPU better, and masks grow with the square of a row."""

FULL, FLAG = 4, 1
"""Bytes of a number that norms keep, which compute in float32, and of one place of a dropout mask."""


@dataclass(frozen=True)
class Kept:
    """What autograd keeps of a pass, in bytes.

    Attributes:
        token: of each token.
        pair: of each two tokens of a row, which is the attention mask in every layer.
    """

    token: float
    pair: float

    def tokens_within(self, available: float) -> int:
        """Return how many tokens, in one row, keep at most so many bytes."""
        return int(2 * available / (self.token + math.sqrt(self.token**2 + 4 * self.pair * available)))


def kept_of(model: "PreTrainedModel", lora: Lora, gradient_checkpointing: bool) -> Kept:
    """Return what autograd keeps of a pass with an adapter on all linear modules, by the shapes of a Llama-like layer.

    Layers below the lowest with an adapter are computed without a backward pass, and nothing of them is kept.

    Args:
        model: the base model; computes in its dtype, 4-bit weights included.
        lora: the adapter.
        gradient_checkpointing: keep only what enters each layer, and of one layer at a time the rest.
    """
    config, number = model.config.get_text_config(), model.dtype.itemsize
    heads = getattr(config, "num_attention_heads", 1)
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    hidden, queries = config.hidden_size, heads * head_size
    keys = (getattr(config, "num_key_value_heads", None) or heads) * head_size
    experts = getattr(config, "num_experts_per_tok", None) or 1
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    inner = experts * (max(inner) if isinstance(inner, list | tuple) else inner)  # each layer of Gemma 3n has its own

    norms = FULL * (2 * hidden + queries + keys)
    attention = number * (hidden + 5 * queries)  # what projections take; queries, keys and values by head, and the sum
    perceptron = number * (hidden + 4 * inner)
    adapters = number * 7 * lora.rank
    dropped = (number + FLAG) * (5 * hidden + queries + inner) if lora.dropout else 0
    layer = norms + attention + perceptron + adapters + dropped
    pair = 0 if model.config._attn_implementation == "flex_attention" else number
    layers = lora.upper_layers or config.num_hidden_layers
    if gradient_checkpointing:
        return Kept(layers * number * hidden + 2 * layer, 2 * pair)
    return Kept(layers * layer, layers * pair)


def tokens_that_fit(asked: int, kept: Kept, free: int) -> int:
    """Return the tokens of a pass: what is asked for, doubled as often as memory allows.

    In steps of two, so that runs on like GPUs are cut alike; their dropout is drawn pass by pass.

    Args:
        asked: by the configuration; never less than this.
        kept: of the model.
        free: bytes of memory.
    """
    fit = min(kept.tokens_within(SHARE * free), MOST_TOKENS)
    return asked * 2 ** int(math.log2(fit / asked)) if fit > asked else asked


def free_bytes(device: "torch.device") -> int:
    """Return the memory of a CUDA device that this process can still take, with what torch holds for reuse.

    A process that may take a part of it only (`set_per_process_memory_fraction`) has what is left of that part.
    """
    import torch

    free, total = torch.cuda.mem_get_info(device)
    reserved = torch.cuda.memory_reserved(device)
    allowed = torch.cuda.get_per_process_memory_fraction(device) * total - reserved
    return int(min(free, allowed) + reserved - torch.cuda.memory_allocated(device))
