"""What is known of records before the model answers, as log-odds: the model then learns only what that does not know.

Whoever knows something (counting, say) gives it beside the configuration, one number a record. `trainer` adds it to the
log-odds of the model's answer, in the loss and in evaluations. This is boosting from a base margin (Friedman, Greedy
function approximation, 2001) with one learner: where an offset is right already, nothing is left to learn.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from likely.encoding.batches import Batch
from likely.errors import LikelyError

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Offsets:
    """Log-odds of the positive answer. Of a training record, they should come from what was not fitted to that record.

    Attributes:
        train: one for each record of the training file, in its order, float32 [records].
        eval: one for each record that the run evaluates on (`data.run_data.evaluation_records`), float32 [records];
            none without evaluation.
    """

    train: Numbers
    eval: Numbers = field(default_factory=lambda: np.zeros(0, np.float32))

    def chosen(self, rows: Sequence[int], records: int, evaluated: int) -> "Offsets":
        """Return the offsets of the training records that a run takes.

        Args:
            rows: of the training file.
            records: of the training file.
            evaluated: records that the run evaluates on.

        Raises:
            LikelyError: there is not one finite number for each record.
        """
        for name, numbers, wanted in (("training", self.train, records), ("evaluation", self.eval, evaluated)):
            if numbers.shape != (wanted,):
                raise LikelyError(
                    f"There are {len(numbers):,} offsets for {wanted:,} {name} records; give one for each."
                )
            if not np.isfinite(numbers).all():
                row = int(np.flatnonzero(~np.isfinite(numbers))[0])
                raise LikelyError(f"The offset of {name} record {row + 1} is not a finite number; give log-odds.")
        return Offsets(self.train[list(rows)].astype(np.float32), self.eval.astype(np.float32))

    def fingerprint(self) -> str:
        """Return what tells these numbers from others."""
        return hashlib.sha256(self.train.tobytes() + b"|" + self.eval.tobytes()).hexdigest()[:16]


def offset_loss(
    logits: torch.Tensor, batch: Batch, first_tokens: tuple[int, int], offsets: torch.Tensor
) -> torch.Tensor:
    """Return the log-loss of sigmoid(offset + logit(positive) - logit(negative)), summed over records, in nats.

    Only the two labels' logits where the answer begins count, as for `answers.Answers.p_yes`: an offset says nothing of
    the other tokens of the vocabulary, or of an answer's later ones.

    Args:
        logits: [answers, vocabulary].
        batch: where they come from.
        first_tokens: first token of the positive and of the negative label.
        offsets: float32 [records of the batch].
    """
    positive, negative = first_tokens
    first = logits[batch.first_answers].float()
    liked = batch.targets[batch.first_answers] == positive
    return torch.nn.functional.binary_cross_entropy_with_logits(
        first[:, positive] - first[:, negative] + offsets, liked.float(), reduction="sum"
    )
