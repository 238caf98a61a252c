"""What many records share at their beginning, computed once for all forward passes: its keys and values are kept.

`scoring` asks here where its plan says so, for many candidates of one history, which do not fit into one row. It has
`forward` compute the history in a pass of its own, and then rows of candidates that go on from it: transformers gets a
cache (https://huggingface.co/docs/transformers/kv_cache) whose content stays as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from likely.encoding.batches import PASS, Budget, Row, plan_batches
from likely.encoding.order import shared_runs
from likely.encoding.prefix_tree import TokenIds, shared_length
from likely.encoding.prompt import EncodedRecord
from likely.model.base import device_of, pass_cost
from likely.model.block_attention import NAME as IN_BLOCKS
from likely.model.forward import fill

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WITH_CACHE = ("eager", "sdpa", IN_BLOCKS)
"""Attention that takes a mask of fewer queries than keys."""

AFTER_HISTORY_ON_CPU = 256
"""What such a pass costs on a CPU besides its rows, in tokens: with SmolLM2, of 64 to 1024 it was the fastest."""


@dataclass(frozen=True)
class ManyPasses:
    """Records that share a history and do not fit into one row with it.

    Attributes:
        history: the tokens that all of them begin with, int32 [length]; none of them predicts a token of an answer.
        batches: rows of every forward pass, their widths with the history.
        budget: that they are planned by.
    """

    history: TokenIds
    batches: list[list[Row]]
    budget: Budget


class _Layer(DynamicLayer):
    """Keys and values of a layer: the first ones stay, and all later ones are seen beside them once."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values that queries meet, each [rows, key heads, history + width, head size]."""
        if not self.is_initialized:
            first: tuple[torch.Tensor, torch.Tensor] = super().update(key_states, value_states, *args, **kwargs)
            return first
        assert self.keys is not None
        assert self.values is not None
        shape = (len(key_states), -1, -1, -1)
        keys, values = self.keys.expand(shape), self.values.expand(shape)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)


def can_keep(model: "PreTrainedModel") -> bool:
    """Return whether a model's keys and values can be kept, which leaves its answers as they are.

    Not where the attention has masks of another kind, or layers use keys and values of others, whose place they look up
    in the cache.
    """
    shares_layers = getattr(model.config.get_text_config(), "num_kv_shared_layers", 0)
    return model.config._attn_implementation in WITH_CACHE and not shares_layers


class History:
    """Tokens that records begin with, and their keys and values once they are computed."""

    def __init__(self, tokens: TokenIds) -> None:
        """Take the tokens, int32 [length]."""
        self.tokens = tokens
        self._cache: Cache | None = None

    def computed_by(self, model: torch.nn.Module, inner: "PreTrainedModel") -> Cache:
        """Return the keys and values, computed when they are asked for first.

        Args:
            model: what to call.
            inner: the same model unwrapped.
        """
        if self._cache is None:
            cache = Cache(layer_class_to_replicate=_Layer)
            fill(cache, torch.from_numpy(self.tokens).long().to(device_of(model)), model, inner)
            self._cache = cache
        return self._cache

    @property
    def is_computed(self) -> bool:
        """Whether somebody has asked for them."""
        return self._cache is not None


class Histories:
    """The histories that were gone on from last, for callers who ask about one of them again and again."""

    def __init__(self, most: int = 4) -> None:
        """Keep so many; of 555 tokens and SmolLM2-135M one takes 25 MB, and of Qwen3-0.6B in 16 bits 64 MB."""
        self.most = most
        self._kept: dict[tuple[bytes, bool], History] = {}

    def of(self, tokens: TokenIds, adapter: bool) -> History:
        """Return the history of some tokens, computed or still to be, in the place of the one unused for longest.

        Args:
            tokens: int32 [length].
            adapter: whether an adapter is at work, under which keys and values are others.
        """
        key = tokens.tobytes(), adapter
        history = self._kept.pop(key, None) or History(tokens)
        self._kept[key] = history
        if len(self._kept) > self.most:
            del self._kept[next(iter(self._kept))]
        return history


def cost_of_a_pass(model: "PreTrainedModel") -> int:
    """Return what a pass that goes on from a history costs besides its rows, in tokens."""
    return pass_cost(model) if model.device.type == "cuda" else AFTER_HISTORY_ON_CPU


def plan_many(
    encoded: Sequence[EncodedRecord], budget: Budget, a_pass: int = PASS
) -> tuple[list[ManyPasses], list[int]]:
    """Return records whose history is to be computed once for several passes, and the places of all others.

    Records of a history are planned so where their rows would be several, and cost more than the history and rows
    without it.

    Args:
        encoded: in any order.
        budget: of a forward pass.
        a_pass: as :func:`cost_of_a_pass` gives it.
    """
    many, others = [], list[int]()
    for places in shared_runs(encoded):
        run = [encoded[place] for place in places]
        rows = [row for batch in plan_batches(run, "tree", budget) for row in batch]
        planned = plan_after_history(run, budget, a_pass) if len(rows) > 1 else None
        present = sum(budget.cost(row.width) for row in rows)
        if planned is None or not len(planned.history) or present <= _cost(planned, budget):
            others += places
            continue
        batches = [
            [replace(row, records=[places[one] for one in row.records]) for row in batch] for batch in planned.batches
        ]
        many.append(replace(planned, batches=batches))
    return many, sorted(others)


def history_of(run: Sequence[EncodedRecord]) -> TokenIds:
    """Return the tokens that all records begin with and that predict none of an answer, int32 [length]."""
    first = run[0].input_ids
    ends = min(len(record.input_ids) - len(record.answer) for record in run)
    return first[: min(ends, *(shared_length(first, record.input_ids) for record in run))]


def plan_after_history(
    run: Sequence[EncodedRecord], budget: Budget, a_pass: int = PASS, history: TokenIds | None = None
) -> ManyPasses:
    """Return how records are computed after the history that they share, or after one that some of them share."""
    history = history_of(run) if history is None else history
    shared = len(history)
    # A row of m tokens after a history of h costs m (1 + s (h + m)), and its pass c: the least for each token where
    # m = sqrt(c / s).
    share = budget.attention_share
    width = math.sqrt(a_pass / share) if share else math.inf
    longest = max(len(record.input_ids) for record in run)
    tokens = max(longest, round(min(shared + width, budget.tokens)))
    own = replace(budget, tokens=tokens, attention_share=0.0)
    return ManyPasses(history, plan_batches(run, "tree", own), own)


def _cost(planned: ManyPasses, budget: Budget) -> float:
    """Return what passes cost, in tokens that attend to nobody."""
    history = len(planned.history)
    rows = [row.width for batch in planned.batches for row in batch]
    return budget.cost(history) + sum((width - history) * (1 + budget.attention_share * width) for width in rows)
