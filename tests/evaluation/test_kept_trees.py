"""A table of nodes says what scikit-learn's trees say, also of what is unknown and where a column was left out."""

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from likely.evaluation.kept_trees import SCHEMA, KeptTrees


def test_the_table_answers_as_the_model_does():
    random = np.random.default_rng(0)
    columns = random.normal(size=(2000, 5))
    columns[random.random(columns.shape) < 0.1] = np.nan
    columns[:, 2] = np.nan
    liked = np.nan_to_num(columns[:, 0] - columns[:, 3]) + random.normal(size=2000) > 0
    known = np.array([True, True, False, True, True])
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(columns[:, known], liked)
    kept = KeptTrees.of(model, known)
    assert kept.nodes.schema == pl.Schema(SCHEMA)
    asked = np.vstack([columns, random.normal(size=(100, 5)), np.full((1, 5), np.nan)])
    np.testing.assert_allclose(kept.log_odds(asked), model.decision_function(asked[:, known]), rtol=1e-12)
