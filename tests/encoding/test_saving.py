"""What a layout is said to save is what its batches save."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.encoding.batches import Budget, make_batches
from likely.encoding.order import shuffled, steps_of
from likely.encoding.prompt import EncodedRecord
from likely.encoding.saving import epoch_saving


def encoded_from(tokens: list[int]) -> EncodedRecord:
    return EncodedRecord(np.array(tokens, np.int32), (9,), liked=True)


RECORDS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8).map(encoded_from), min_size=1, max_size=14)


def test_the_saving_counts_what_every_step_computes():
    shared = list(range(100, 160))
    encoded = [encoded_from([*shared, candidate]) for candidate in range(10)]
    saving = epoch_saving(encoded, lambda epoch: range(10), 5, "tree", Budget(1000))
    assert (saving.records, saving.tokens_alone, saving.tokens, saving.passes) == (10, 610, 130, 2)
    assert saving.describe("tree", 2) == (
        "10 records, 610 tokens alone, 130 in the tree (4.7x); 2 forward passes instead of 5 an epoch"
    )


@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
@given(encoded=RECORDS, step_size=st.integers(1, 6), tokens=st.integers(1, 40))
def test_the_passes_are_those_of_training_and_only_a_tree_saves_tokens(layout, encoded, step_size, tokens):
    order, budget = shuffled(len(encoded), seed=3), Budget(tokens)
    saving = epoch_saving(encoded, order, step_size, layout, budget)
    steps = [[encoded[index] for index in step] for step in steps_of(order(0), step_size)]
    assert saving.passes == sum(len(list(make_batches(step, layout, budget))) for step in steps)
    assert saving.tokens_alone == sum(len(record.input_ids) for record in encoded)
    assert saving.tokens <= saving.tokens_alone
    assert layout == "tree" or saving.tokens == saving.tokens_alone


def test_millions_of_tokens_are_said_as_a_person_would():
    saving = epoch_saving([encoded_from([1] * 1_500_000)], lambda epoch: range(1), 1, "packed", Budget(2_000_000))
    assert "1 records, 1.5M tokens alone, 1.5M packed (1.0x)" in saving.describe("packed", 1)
