"""A control for runs with hints: what the words of a hint say by themselves, without any model that can read.

A hint is the last line of a record and says shares of likes in words. If an adapter does no better than a logistic
regression on those few words, it has learnt to read them and nothing more. `baselines` enters it.
"""

import math
from collections.abc import Sequence

import numpy as np

from likely.data.records import Record
from likely.data.wording import opinion
from likely.evaluation.features import share_matrix
from likely.model.answers import BoolRows, FloatRows

UNKNOWN = "no word"


def hint_words(record: Record) -> list[str]:
    """Return the word that a record's hint has for each of `features.SHARES`, `UNKNOWN` where it has none."""
    return [UNKNOWN if math.isnan(share) else opinion(share) for share in share_matrix([record])[0].tolist()]


def hint_regression(train: Sequence[Record], liked: BoolRows, rows: Sequence[Record]) -> FloatRows:
    """Fit a logistic regression on one column for each word at each place in the hint, 0 or 1.

    Args:
        train: records with `shares`, to fit on.
        liked: their truth, bool [training records], with both labels.
        rows: records with `shares`.

    Returns:
        float64 [rows].
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=1000))
    model.fit(np.array([hint_words(record) for record in train]), liked)
    return np.asarray(model.predict_proba(np.array([hint_words(row) for row in rows]))[:, 1])
