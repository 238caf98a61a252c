"""Logits in float32 from a model that computes in 16 bits.

Near 16, where logits of language models lie, two neighbours are 0.06 to 0.125 apart in bfloat16, and so P(Yes) would
have few values. `forward` sends the hidden states of the answers here in place of the head. They stay as the model
rounded them; products and sums with the head's weights are float32, and so are the gradients on their way back.
"""

from collections.abc import Iterator
from typing import Any, TypeGuard

import torch
from torch.autograd.function import once_differentiable

SIXTEEN_BITS = (torch.bfloat16, torch.float16)

BLOCK = 1 << 23
"""Weights of the head that are in float32 at once, 32 MiB: all of Qwen3-0.6B's would be 620 MB."""


def rounds_logits(head: torch.nn.Module) -> TypeGuard[torch.nn.Linear]:
    """Return whether a head is a plain linear layer of 16 bits; one that is quantised or adapted computes by itself."""
    return type(head) is torch.nn.Linear and head.weight.dtype in SIXTEEN_BITS


def logits_in_float32(head: torch.nn.Linear, hidden: torch.Tensor) -> torch.Tensor:
    """Return a head's logits, under autocast too.

    Args:
        head: of 16 bits.
        hidden: what enters it, [answers, hidden], of any floating type.

    Returns:
        float32 [answers, vocabulary].
    """
    with torch.autocast(hidden.device.type, enabled=False):
        logits: torch.Tensor = _Product.apply(hidden, head.weight)  # type: ignore[no-untyped-call]
        return logits if head.bias is None else logits + head.bias


class _Product(torch.autograd.Function):
    """Hidden states times the head's weights, a block of the vocabulary at a time.

    Plain operations would keep every block in float32 for the backward pass; here they are made again.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return float32 [answers, vocabulary]."""
        ctx.save_for_backward(hidden, weight)
        wide = hidden.float()
        logits = wide.new_empty(len(hidden), len(weight))
        for block in _blocks(weight):
            logits[:, block] = wide @ weight[block].float().T
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return the gradients of the hidden states and of the weights, where each is asked for."""
        hidden, weight = ctx.saved_tensors
        of_hidden = of_weight = None
        with torch.autocast(hidden.device.type, enabled=False):
            if ctx.needs_input_grad[0]:
                summed = torch.zeros_like(hidden, dtype=torch.float32)
                for block in _blocks(weight):
                    summed += gradient[:, block] @ weight[block].float()
                of_hidden = summed.to(hidden.dtype)
            if ctx.needs_input_grad[1]:
                of_weight = torch.empty_like(weight)
                for block in _blocks(weight):
                    of_weight[block] = gradient[:, block].T @ hidden.float()
        return of_hidden, of_weight


def _blocks(weight: torch.Tensor) -> Iterator[slice]:
    """Yield slices of the vocabulary of at most :data:`BLOCK` weights each."""
    size = max(1, BLOCK // weight.shape[1])
    for start in range(0, len(weight), size):
        yield slice(start, start + size)
