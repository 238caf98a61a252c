"""What a model said of each row, without the model: the numbers that every metric is made of.

`scoring` fills it from logits, `metrics` and `report` read it; `training` adds what was known beforehand.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.special
from numpy.typing import NDArray

FloatRows = NDArray[np.float64]
BoolRows = NDArray[np.bool_]
Places = NDArray[np.int64]
Matrix = NDArray[np.float64]

SMALLEST = 1e-12
"""Of a probability whose log-odds are taken; logits in float32 give 0 and 1."""


@dataclass(frozen=True)
class Answers:
    """Answers to a list of records, one entry a record in every array.

    Attributes:
        liked: the truth, bool [rows].
        p_yes: softmax over the two labels' logits where the answer begins, float64 [rows].
        says_yes: the likeliest token of the whole vocabulary is the positive label, bool [rows].
        says_no: it is the negative label, bool [rows].
        label_mass: probability of the two labels together in the whole vocabulary, float64 [rows].
        loss: mean negative log-likelihood of the tokens of the right label, in nats, float64 [rows].
    """

    liked: BoolRows
    p_yes: FloatRows
    says_yes: BoolRows
    says_no: BoolRows
    label_mass: FloatRows
    loss: FloatRows

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.p_yes)


def with_offsets(answers: Answers, offsets: NDArray[np.floating]) -> Answers:
    """Return answers whose log-odds are the model's and an offset, added; what is said and the loss are theirs.

    Args:
        answers: of the model alone.
        offsets: log-odds of the positive label that were known beforehand, [rows].
    """
    log_odds = scipy.special.logit(answers.p_yes.clip(SMALLEST, 1 - SMALLEST)) + offsets
    p_yes = np.asarray(scipy.special.expit(log_odds))
    loss = np.logaddexp(0, np.where(answers.liked, -log_odds, log_odds))
    return replace(answers, p_yes=p_yes, says_yes=p_yes >= 0.5, says_no=p_yes < 0.5, loss=loss)
