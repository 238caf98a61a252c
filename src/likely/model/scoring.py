"""P(Yes) of any records, from a model that is loaded.

Takes encoded records (`encoding.prompt`), lays them out in batches (`encoding.batches`) and gives `answers`, in the
order of the records. No gradient is kept and no logit is computed that is not read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from likely.encoding.batches import Batch, Budget, Layout, Row, collate, plan_batches
from likely.encoding.prompt import EncodedRecord
from likely.model.answers import Answers, FloatRows
from likely.model.base import device_of
from likely.model.forward import answer_logits
from likely.model.kept_history import History, can_keep, cost_of_a_pass, plan_after_history, plan_many
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
        keeps_history: compute what the records of several rows share once for all of them (`kept_history`), which
            rounds otherwise than in the rows; in trees of a model that can.
    """

    layout: Layout
    budget: Budget
    first_tokens: tuple[int, int]
    keeps_history: bool = False


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
    history: History | None = None,
) -> FloatRows:
    """Return how likely some tokens are where each record's answer begins.

    Args:
        model: what to call, left in the mode (training or not) it is found in.
        inner: the same model unwrapped.
        encoded: records in any order.
        tokens: of the vocabulary.
        plan: layout and limits.
        history: what all records begin with, where its keys and values are kept from one call to the next.

    Returns:
        Natural logarithms of their probabilities in the whole vocabulary, float64 [records, tokens].
    """

    def read(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        first = logits[batch.first_answers].float().log_softmax(dim=-1)
        return first[:, list(tokens)].T.double()

    return _read_passes(model, inner, encoded, plan, read, len(tokens), history=history).T


def _read_passes(
    model: torch.nn.Module,
    inner: "PreTrainedModel",
    encoded: Sequence[EncodedRecord],
    plan: PassPlan,
    read: ReadLogits,
    numbers: int,
    on_progress: Progress | None = None,
    kept: KeptPasses | None = None,
    history: History | None = None,
) -> NDArray[np.float64]:
    """Compute all forward passes that are not kept and return what is read from them, float64 [numbers, records]."""
    was_training = model.training
    model.eval()
    columns = np.zeros((numbers, len(encoded)))
    done = 0
    with torch.inference_mode():
        for one in passes_of(encoded, plan, inner, history):
            before = kept.of(one.records) if kept else None
            if before is not None:
                columns[:, one.records] = before
            else:
                logits, batch = compute(model, inner, encoded, one)
                numbers_read = read(logits, batch).cpu().numpy()
                columns[:, one.records] = numbers_read
                if kept:
                    kept.add(one.records, numbers_read)
            done += len(one.records)
            if on_progress:
                on_progress(done, len(encoded))
    model.train(was_training)
    return columns


@dataclass(frozen=True)
class Pass:
    """A forward pass that is planned.

    Attributes:
        rows: of it.
        layout: of the rows.
        budget: that they are planned by.
        history: what all rows begin with, where it is computed once for several passes.
    """

    rows: list[Row]
    layout: Layout
    budget: Budget
    history: History | None = None

    @property
    def records(self) -> list[int]:
        """Places of the records, in the order of the answers."""
        return [record for row in self.rows for record in row.records]


def passes_of(
    encoded: Sequence[EncodedRecord], plan: PassPlan, inner: "PreTrainedModel", history: History | None = None
) -> Iterator[Pass]:
    """Yield the forward passes of a plan; those of one history follow each other, and so only one is kept at a time.

    Args:
        encoded: records in any order.
        plan: layout and limits.
        inner: the model unwrapped.
        history: what all records begin with, where the caller keeps it.
    """
    others = list(range(len(encoded)))
    if history is not None:
        planned = plan_after_history(encoded, plan.budget, cost_of_a_pass(inner), history.tokens)
        yield from (Pass(rows, plan.layout, planned.budget, history) for rows in planned.batches)
        return
    if plan.keeps_history and plan.layout == "tree" and can_keep(inner):
        many, others = plan_many(encoded, plan.budget, cost_of_a_pass(inner))
        for planned in many:
            shared = History(planned.history)
            yield from (Pass(rows, plan.layout, planned.budget, shared) for rows in planned.batches)
    rest = [encoded[place] for place in others]
    for rows in plan_batches(rest, plan.layout, plan.budget):
        named = [replace(row, records=[others[place] for place in row.records]) for row in rows]
        yield Pass(named, plan.layout, plan.budget)


def compute(
    model: torch.nn.Module, inner: "PreTrainedModel", encoded: Sequence[EncodedRecord], one: Pass
) -> tuple[torch.Tensor, Batch]:
    """Return the logits that predict each token of each answer, [answers, vocabulary], and the batch they are of."""
    batch = collate(encoded, one.rows, one.layout, one.budget).to(device_of(model))
    cache = one.history.computed_by(model, inner) if one.history else None
    return answer_logits(model, batch, inner, cache), batch


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
