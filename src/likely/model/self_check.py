"""Is this model exact in the layout of this run? Asked of the run's own records before anything is made of them.

`training` and `inference` hand over a loaded model and their encoded records. A few of them are computed in the
layout of the run, and each alone by transformers, with its own attention and without any mask or position of ours.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from likely.encoding.batches import Budget, Layout, collate, make_batches
from likely.encoding.prefix_tree import shared_length
from likely.encoding.prompt import EncodedRecord
from likely.errors import LikelyError
from likely.model.base import device_of
from likely.model.block_attention import NAME as IN_BLOCKS
from likely.model.families import check_fit, width_multiple
from likely.model.forward import answer_logits, head_only_at, precision_of
from likely.model.kept_history import History, history_of, plan_after_history

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOLERANCE = {torch.float32: 2e-3, torch.float16: 0.1, torch.bfloat16: 0.3}
"""Largest relative difference of logits that passes for rounding, by the dtype a model computes in.

Measured on SmolLM2-135M between exact layouts: 3e-6, 6e-3 and 0.054. A window of 150 tokens that is left out of
prompts of 156 makes 2.7, and a layer that mixes records about 1.
"""

REFUSALS = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What the code of a model raises that cannot work with a mask or positions which it was not written for."""


class OnlyPaddedError(LikelyError):
    """A model is exact in padded rows, and not in the layout that was asked for, for which `fault` has words."""

    def __init__(self, fault: str) -> None:
        """Say what is wrong, and what to do."""
        super().__init__(f"{fault}; set batching=padded, where it is.")
        self.fault = fault


def check_exactness(
    model: "PreTrainedModel",
    encoded: Sequence[EncodedRecord],
    layout: Layout,
    first_tokens: tuple[int, int],
    tokens: int | None = None,
    keeps_history: bool = False,
) -> str | None:
    """Check that a model gives records in the run's layout the answers that it gives them alone.

    It draws no random number and leaves the model as it was.

    Args:
        model: the model that transformers made, with an adapter in it or without: which tokens see each other does
            not depend on one.
        encoded: the records of the run.
        layout: what they will be computed in.
        first_tokens: first token of the positive and of the negative label.
        tokens: of a forward pass of the run, which no pass of the check exceeds unless a single record does; None for
            no limit.
        keeps_history: compute what the records share before them (`kept_history`).

    Returns:
        A sentence for the user where records are longer than what the model was trained on.

    Raises:
        OnlyPaddedError: they differ by more than rounding, and would not padded.
        LikelyError: they differ padded too, or a record does not fit the model.
    """
    if not encoded:
        return None
    largest = max(max(int(record.input_ids.max()), *record.answer, *first_tokens) for record in encoded)
    note = check_fit(model, max(len(record.input_ids) for record in encoded), largest)
    sample = choose_sample(encoded, tokens, layout)
    if keeps_history:  # of which there is none before records that do not begin alike
        sample = [record for record in sample if record.input_ids[0] == sample[0].input_ids[0]]
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            _compare(model, sample, layout, first_tokens, tokens, keeps_history)
    finally:
        model.train(was_training)
    return note


def choose_sample(
    encoded: Sequence[EncodedRecord], tokens: int | None = None, layout: Layout = "tree"
) -> list[EncodedRecord]:
    """Return the longest record, another that shares the most with it, and the shortest.

    Together they reach past the windows that matter to this run, share a prefix, and stand beside a stranger.

    Args:
        encoded: the records of the run.
        tokens: of a forward pass. The other is one with which the longest fits into a pass. Where there is none, the
            run never computes the longest beside another, and one more comes that fits beside the shortest.
        layout: in which what records share may be there once.
    """
    lengths = np.array([len(record.input_ids) for record in encoded])
    limit = int(lengths.sum()) if tokens is None else tokens
    longest, shortest = int(lengths.argmax()), int(lengths.argmin())
    chosen = [longest, _sibling(encoded, longest, limit, layout), shortest]
    if chosen[1] is None:
        chosen.append(_sibling(encoded, shortest, limit, layout))
    return [encoded[index] for index in dict.fromkeys(chosen) if index is not None]


def _sibling(encoded: Sequence[EncodedRecord], one: int, limit: int, layout: Layout) -> int | None:
    """Return which record shares the most with one that it fits beside, and of these the longest; or None."""
    ids = encoded[one].input_ids
    best: tuple[int, int, int] | None = None
    for place, record in enumerate(encoded):
        shared, length = shared_length(record.input_ids, ids), len(record.input_ids)
        same = shared == length == len(ids)  # the same prompt has nothing of its own
        together = len(ids) + length - (shared if layout == "tree" else 0)
        if same or together > limit:
            continue
        best = max(best or (-1, 0, 0), (shared, length, -place))
    return None if best is None else -best[2]


def _compare(
    model: "PreTrainedModel",
    sample: Sequence[EncodedRecord],
    layout: Layout,
    first_tokens: tuple[int, int],
    tokens: int | None,
    keeps_history: bool,
) -> None:
    """Raise LikelyError unless a sample's logits are the same in a layout as alone."""
    name = model.config.name_or_path or type(model).__name__
    try:
        with _own_attention(model):
            alone = torch.stack([_alone(model, record) for record in sample])
    except torch.OutOfMemoryError:
        raise
    except REFUSALS as error:
        raise LikelyError(
            f"{name} cannot read a record of {len(sample[0].input_ids)} tokens ({_reason(error)}); set cutoff_len to "
            "what it can read, or model_name_or_path to another model."
        ) from error
    if not bool(alone.isfinite().all()):
        raise LikelyError(f"{name} answers with numbers that are not finite in {model.dtype}; set dtype=float32.")
    fault = _fault(model, sample, layout, first_tokens, alone, tokens, keeps_history)
    if fault is None:
        return
    what = f"{name} is not exact with batching: {layout} ({fault})"
    if layout != "padded" and _fault(model, sample, "padded", first_tokens, alone, tokens) is None:
        raise OnlyPaddedError(what)
    raise LikelyError(f"{what}; set model_name_or_path to another model.")


def _fault(
    model: "PreTrainedModel",
    sample: Sequence[EncodedRecord],
    layout: Layout,
    first_tokens: tuple[int, int],
    alone: torch.Tensor,
    tokens: int | None,
    keeps_history: bool = False,
) -> str | None:
    """Return what is wrong with a layout, or None where it gives the logits of records alone.

    Args:
        model: in evaluation mode.
        sample: records.
        layout: to try them in.
        first_tokens: first token of the positive and of the negative label.
        alone: float32 [records, vocabulary].
        tokens: as of :func:`check_exactness`.
        keeps_history: likewise.
    """
    try:
        together = _together(model, sample, layout, tokens, keeps_history)
    except torch.OutOfMemoryError:
        raise
    except REFUSALS as error:
        return f"its code stops: {_reason(error)}"
    spread = (alone - alone.mean(dim=1, keepdim=True)).norm(dim=1)
    difference = (together - alone).norm(dim=1) / spread
    worst = int(difference.nan_to_num(torch.inf).argmax())
    if float(difference[worst]) <= TOLERANCE[model.dtype]:
        return None
    p_together, p_alone = (float(logits[worst][list(first_tokens)].softmax(0)[0]) for logits in (together, alone))
    return f"P(Yes) of a record is {p_together:.3f}, and {p_alone:.3f} when it is computed alone"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0].rstrip('.')}"


def _together(
    model: "PreTrainedModel",
    sample: Sequence[EncodedRecord],
    layout: Layout,
    tokens: int | None,
    keeps_history: bool,
) -> torch.Tensor:
    """Return the logits where each answer begins, out of few forward passes: float32 [records, vocabulary]."""
    multiple = width_multiple(model)
    width = max(len(record.input_ids) for record in sample) + multiple
    most = len(sample) * width
    budget = Budget(most if tokens is None else min(most, tokens), attention_share=0.0, multiple=multiple)
    if keeps_history and len(history_of(sample)):  # a single token has none before it
        planned = plan_after_history(sample, budget)
        cache = History(planned.history).computed_by(model, model)
        batches = [collate(sample, rows, layout, planned.budget) for rows in planned.batches]
    else:
        cache, batches = None, list(make_batches(sample, layout, budget))
    rows = [answer_logits(model, one.to(device_of(model)), model, cache)[one.first_answers].float() for one in batches]
    return torch.cat(rows)[torch.cat([one.records for one in batches]).argsort()]


def _alone(model: "PreTrainedModel", record: EncodedRecord) -> torch.Tensor:
    """Return the logits where one record's answer begins, with nothing of ours but the choice of the position."""
    ids = torch.from_numpy(record.input_ids).long()[None].to(device_of(model))
    first = torch.tensor([int(record.answer_positions[0])])
    with precision_of(model), head_only_at(model.get_output_embeddings(), torch.tensor([0]), first):
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    return logits[0].float()


@contextmanager
def _own_attention(model: "PreTrainedModel") -> Iterator[None]:
    """Let a model attend as transformers does where it attends in blocks."""
    if model.config._attn_implementation != IN_BLOCKS:
        yield
        return
    model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        model.set_attn_implementation(IN_BLOCKS)
