"""One forward pass: a batch goes in, logits at the answers come out.

Training (`training`) and scoring (`scoring`) share these functions. The output head, which for a
vocabulary of 150,000 is the largest matrix of a small model, is computed only at positions that
predict a token of an answer, and where its weights have 16 bits in float32 (`float32_head`).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from likely.encoding.batches import Batch
from likely.model.attention import FLASH_ATTENTIONS
from likely.model.float32_head import logits_in_float32, rounds_logits
from likely.model.masks import attention_mask

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel


AUTOCAST = ("cuda",)
"""Types of devices on which 16-bit models are computed under autocast, as `arguments` has transformers train there."""


def precision_of(inner: "PreTrainedModel") -> AbstractContextManager[Any]:
    """Return what a model is computed under, in training and after: the same, so that its answers stay the same.

    Autocast on CUDA for a model of 16 bits; else nothing.
    """
    if inner.device.type not in AUTOCAST or inner.dtype == torch.float32:
        return nullcontext()
    return torch.autocast(inner.device.type, inner.dtype)


@contextmanager
def head_only_at(head: torch.nn.Module, rows: torch.Tensor, columns: torch.Tensor) -> Iterator[None]:
    """Let a model's output head see only some positions, and give float32 where it is a plain one of 16 bits.

    transformers' `logits_to_keep` keeps the same columns of every row; the answers of a tree stand
    anywhere, so the hidden states are picked on their way into the head. A head of 16 bits gets none of them, and its
    logits are put in place on their way out: a scale or a soft cap, which the model applies after it, then counts too.

    Args:
        head: the module that turns hidden states [rows, width, hidden] into logits.
        rows: int64 [answers].
        columns: int64 [answers].
    """

    picked: list[torch.Tensor] = []

    def pick(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return inputs[0][rows, columns]

    def hold_back(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        picked.append(inputs[0])
        return inputs[0][:0]

    hooks = [head.register_forward_pre_hook(pick)]
    if rounds_logits(head) and len(rows):
        hooks.append(head.register_forward_pre_hook(hold_back))
        hooks.append(head.register_forward_hook(lambda *_: logits_in_float32(head, picked.pop())))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def answer_logits(
    model: torch.nn.Module, batch: Batch, inner: "PreTrainedModel", history: "Cache | None" = None
) -> torch.Tensor:
    """Return the logits that predict each token of each answer.

    Args:
        model: what to call; may be wrapped by accelerate or DistributedDataParallel.
        batch: on the model's device.
        inner: the same model unwrapped.
        history: keys and values of what all rows begin with, which is not computed again; of `kept_history`.

    Returns:
        [answers, vocabulary], in float32 unless the model has 16 bits and a head that is quantised.
    """
    first = history.get_seq_length() if history else 0
    cached = {name_of_cache(inner): history} if history else {}
    head = inner.get_output_embeddings()
    with precision_of(inner), head_only_at(head, batch.answer_rows, batch.answer_columns - first):
        placed = placement(batch, inner, first)
        output = model(input_ids=batch.input_ids[:, first:], use_cache=bool(cached), **cached, **placed)
    logits: torch.Tensor = output.logits
    return logits


def fill(history: "Cache", tokens: torch.Tensor, model: torch.nn.Module, inner: "PreTrainedModel") -> None:
    """Compute the keys and values of some tokens, as transformers does, and no logits.

    Args:
        history: takes them.
        tokens: int64 [length], on the model's device.
        model: what to call.
        inner: the same model unwrapped.
    """
    nowhere = tokens.new_zeros(0)
    with precision_of(inner), head_only_at(inner.get_output_embeddings(), nowhere, nowhere):
        model(input_ids=tokens[None], use_cache=True, **{name_of_cache(inner): history})


def name_of_cache(inner: "PreTrainedModel") -> str:
    """Return what a model calls the argument with keys and values: `past_key_values`, until transformers renamed it."""
    return "cache" if "cache" in signature(inner.forward).parameters else "past_key_values"


def placement(batch: Batch, inner: "PreTrainedModel", first: int = 0) -> dict[str, Any]:
    """Return the arguments that tell a model which tokens see each other and where each one stands.

    None where every record has a row of its own: its padding comes after it, where no token of a causal
    model looks, so that the model's own masks and positions hold, whatever its layers are. FlashAttention
    is told where packed records begin, or finds out by their positions, and has the model's own window.

    Args:
        batch: one forward pass.
        inner: the model.
        first: column, where what stands before it is known.
    """
    if len(batch.records) == len(batch.input_ids) and not first:
        return {}
    if inner.config._attn_implementation in FLASH_ATTENTIONS:
        assert len(batch.input_ids) == 1, "transformers reads packed records from a single row"
        return {"position_ids": batch.position_ids, **_boundaries(batch.position_ids, inner)}
    mask = attention_mask(batch, inner.config, inner.dtype, first)
    return {"attention_mask": mask, "position_ids": batch.position_ids[:, first:]}


def _boundaries(position_ids: torch.Tensor, inner: "PreTrainedModel") -> dict[str, Any]:
    """Return where the records of a packed row begin, as transformers' `FlashAttentionKwargs`.

    Without them it looks for the beginnings in every layer, and waits for the GPU each time. Each token of padding
    is a record of its own. Nothing for a model whose code takes no such arguments.

    Args:
        position_ids: int64 [1, width].
        inner: the model.
    """
    if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in signature(inner.forward).parameters.values()):
        return {}
    edges = [*(position_ids[0] == 0).nonzero()[:, 0].tolist(), position_ids.shape[1]]
    longest = max(end - start for start, end in pairwise(edges))
    places = torch.tensor(edges, dtype=torch.int32, device=position_ids.device)
    lengths = {"max_length_q": longest, "max_length_k": longest}
    return {"cu_seq_lens_q": places, "cu_seq_lens_k": places, **lengths}
