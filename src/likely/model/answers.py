"""What a model said of each row, without the model: the numbers that every metric is made of.

`scoring` fills it from logits, `metrics` and `report` read it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatRows = NDArray[np.float64]
BoolRows = NDArray[np.bool_]
Places = NDArray[np.int64]
Matrix = NDArray[np.float64]


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
