"""P(Yes) of any records, from a model that is loaded.

Takes encoded records (`encoding.prompt`), lays them out in batches (`encoding.batches`) and gives `answers`, in the
order of the records. No gradient is kept and no logit is computed that is not read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from likely.encoding.batches import Batch, Budget, Layout, collate, plan_batches
from likely.encoding.prompt import EncodedRecord
from likely.model.answers import Answers, FloatRows
from likely.model.base import device_of
from likely.model.forward import answer_logits
from likely.model.kept_passes import KeptPasses

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Progress = Callable[[int, int], None]
"""Called after every forward pass with the records scored so far and all of them."""

ReadLogits = Callable[[torch.Tensor, Batch], torch.Tensor]
"""Takes logits [answers, vocabulary] and the batch they are of, and gives some numbers of each record."""


NUMBERS = 5
"""What is kept of a record: the figures of `answers.Answers`."""


@dataclass(frozen=True)
class PassPlan:
    """How records are laid out and read.

    Attributes:
        layout: `tree`, `packed` or `padded`.
        budget: limits of one forward pass.
        first_tokens: first token of the positive and of the negative label.
    """

    layout: Layout
    budget: Budget
    first_tokens: tuple[int, int]


def score(
    model: torch.nn.Module,
    inner: "PreTrainedModel",
    encoded: Sequence[EncodedRecord],
    plan: PassPlan,
    on_progress: Progress | None = None,
    kept: KeptPasses | None = None,
) -> Answers:
    """Return what a model answers to every record.

    Args:
        model: what to call, left in the mode (training or not) it is found in.
        inner: the same model unwrapped.
        encoded: records in any order.
        plan: layout and limits.
        on_progress: told after every forward pass.
        kept: passes that an earlier command computed for these very records in this plan, and where others are kept.
    """

    def read(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        return read_answers(logits, batch, plan.first_tokens)

    p_yes, says_yes, says_no, label_mass, loss = _read_passes(
        model, inner, encoded, plan, read, NUMBERS, on_progress, kept
    )
    liked = np.array([record.liked for record in encoded], dtype=bool)
    return Answers(liked, p_yes, says_yes > 0, says_no > 0, label_mass, loss)


def token_log_probs(
    model: torch.nn.Module,
    inner: "PreTrainedModel",
    encoded: Sequence[EncodedRecord],
    tokens: Sequence[int],
    plan: PassPlan,
) -> FloatRows:
    """Return how likely some tokens are where each record's answer begins.

    Args:
        model: what to call, left in the mode (training or not) it is found in.
        inner: the same model unwrapped.
        encoded: records in any order.
        tokens: of the vocabulary.
        plan: layout and limits.

    Returns:
        Natural logarithms of their probabilities in the whole vocabulary, float64 [records, tokens].
    """

    def read(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        first = logits[batch.first_answers].float().log_softmax(dim=-1)
        return first[:, list(tokens)].T.double()

    return _read_passes(model, inner, encoded, plan, read, len(tokens)).T


def _read_passes(
    model: torch.nn.Module,
    inner: "PreTrainedModel",
    encoded: Sequence[EncodedRecord],
    plan: PassPlan,
    read: ReadLogits,
    numbers: int,
    on_progress: Progress | None = None,
    kept: KeptPasses | None = None,
) -> NDArray[np.float64]:
    """Compute all forward passes that are not kept and return what is read from them, float64 [numbers, records]."""
    was_training = model.training
    model.eval()
    columns = np.zeros((numbers, len(encoded)))
    done = 0
    with torch.inference_mode():
        for rows in plan_batches(encoded, plan.layout, plan.budget):
            records = [record for row in rows for record in row.records]
            before = kept.of(records) if kept else None
            if before is not None:
                columns[:, records] = before
            else:
                laid = collate(encoded, rows, plan.layout, plan.budget)
                batch = laid.to(device_of(model))
                numbers_read = read(answer_logits(model, batch, inner), batch).cpu().numpy()
                columns[:, laid.records.numpy()] = numbers_read
                if kept:
                    kept.add(laid.records.tolist(), numbers_read)
            done += len(records)
            if on_progress:
                on_progress(done, len(encoded))
    model.train(was_training)
    return columns


def read_answers(logits: torch.Tensor, batch: Batch, first_tokens: tuple[int, int]) -> torch.Tensor:
    """Reduce logits to five numbers a record, on the device, so that little has to be copied.

    Args:
        logits: [answers, vocabulary].
        batch: where the logits come from.
        first_tokens: first token of the positive and of the negative label.

    Returns:
        float64 [5, records]: p_yes, says_yes, says_no, label_mass and loss of `answers.Answers`.
    """
    logits = logits.float()
    first = logits[batch.first_answers]
    labels = first[:, list(first_tokens)]
    likeliest = first.argmax(dim=-1)
    token_losses = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
    owner = torch.zeros_like(batch.targets)
    owner[batch.first_answers[1:]] = 1
    owner = owner.cumsum(0)
    losses = torch.zeros(len(batch.records), device=logits.device).index_add(0, owner, token_losses)
    losses = losses / owner.bincount(minlength=len(batch.records))
    return torch.stack(
        [
            labels.softmax(dim=-1)[:, 0].double(),
            (likeliest == first_tokens[0]).double(),
            (likeliest == first_tokens[1]).double(),
            (labels.logsumexp(dim=-1) - first.logsumexp(dim=-1)).exp().double(),
            losses.double(),
        ]
    )
