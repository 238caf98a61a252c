"""The adapter's own records are those that its training chose."""

import numpy as np

from likely.data.records import Labels
from likely.evaluation.contest import System
from likely.evaluation.same_records import with_own_records
from support import records_of


def test_the_best_baseline_comes_again_with_fewer_records_and_before_the_models():
    rows, own = records_of([True, False, True, False]), records_of([True, False])
    always = System.from_probabilities("always Yes", "baseline", np.ones(4))
    text = System.from_probabilities("TF-IDF of the text", "baseline", np.array([0.9, 0.1, 0.9, 0.2]))
    adapter = System.from_probabilities("with the adapter", "adapter", np.ones(4))
    systems = with_own_records([always, text, adapter], own, rows, Labels())
    assert [system.name for system in systems] == [
        *["always Yes", "TF-IDF of the text", "TF-IDF of the text, 2 records", "with the adapter"]
    ]
