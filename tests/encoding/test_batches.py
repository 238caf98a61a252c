"""Whatever the layout, every record is computed exactly once and within the budget."""

import itertools
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from likely.encoding.batches import (
    PASS,
    PASS_ON_CPU,
    PASS_ON_CUDA,
    Budget,
    in_one_copy,
    lay_out_row,
    make_batches,
    plan_batches,
    plan_rows,
)
from likely.encoding.prefix_tree import chain_lengths
from likely.encoding.prompt import EncodedRecord
from likely.inference.ranking import cheapest_row

LAYOUTS = ["tree", "packed", "padded"]
BUDGET = Budget(16_384)


def encoded_from(tokens: list[int], answer: tuple[int, ...] = (9,)) -> EncodedRecord:
    return EncodedRecord(np.array([*tokens, *answer[:-1]], np.int32), answer, liked=True)


RECORDS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8).map(encoded_from), min_size=1, max_size=14)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(encoded=RECORDS, tokens=st.integers(1, 40), multiple=st.sampled_from([1, 4, 32]))
def test_every_record_once_and_within_the_budget(layout, encoded, tokens, multiple):
    budget = Budget(tokens, multiple=multiple)
    batches = list(make_batches(encoded, layout, budget))
    seen = Counter(index for batch in batches for index in batch.records.tolist())
    assert seen == Counter(range(len(encoded)))
    longest = max(len(record.input_ids) for record in encoded)
    for batch in batches:
        assert batch.input_ids.numel() <= max(tokens, budget.rounded(longest))
        assert batch.input_ids.shape[1] % multiple == 0


@pytest.mark.parametrize("layout", LAYOUTS)
@given(encoded=RECORDS)
def test_answers_stand_where_their_records_end(layout, encoded):
    for batch in make_batches(encoded, layout, Budget(30)):
        for place, index in enumerate(batch.records.tolist()):
            answer = batch.first_answers[place]
            row, column = batch.answer_rows[answer], batch.answer_columns[answer]
            mine = (np.arange(batch.input_ids.shape[1]) <= column.item()) & (
                column.item() < batch.subtree_end[row].numpy()
            )
            assert batch.input_ids[row].numpy()[mine].tolist() == encoded[index].input_ids.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_answers_of_several_tokens_keep_all_their_targets(layout):
    encoded = [encoded_from([1, 2, 3], (7, 8, 9)), encoded_from([1, 2], (5,)), encoded_from([1, 2, 3], (7, 6, 9))]
    (batch,) = make_batches(encoded, layout, Budget(100))
    first = batch.first_answers.tolist()
    answers = {
        index: batch.targets[start : start + len(encoded[index].answer)].tolist()
        for index, start in zip(batch.records.tolist(), first, strict=True)
    }
    assert answers == {0: [7, 8, 9], 1: [5], 2: [7, 6, 9]}


def test_a_record_longer_than_the_budget_is_a_forward_of_its_own():
    encoded = [encoded_from([1] * 50), encoded_from([2] * 5), encoded_from([3] * 5)]
    sizes = [
        sorted(index for row in rows for index in row.records) for rows in plan_batches(encoded, "tree", Budget(12))
    ]
    assert sizes == [[0], [1, 2]]


@pytest.mark.parametrize(
    ("longer", "shorter", "pass_cost", "passes"),
    [(600, 500, PASS, 1), (600, 500, PASS_ON_CPU, 2), (1300, 50, PASS, 2), (1300, 50, PASS_ON_CUDA, 1)],
)
def test_a_row_is_padded_to_the_width_of_another_only_where_a_pass_of_its_own_costs_more(
    longer, shorter, pass_cost, passes
):
    encoded = [encoded_from([1] * longer), encoded_from([2] * shorter)]
    assert len(plan_batches(encoded, "tree", Budget(4096, pass_cost=pass_cost))) == passes


def test_a_tree_computes_a_shared_history_once():
    shared = list(range(100, 160))
    encoded = [encoded_from([*shared, candidate]) for candidate in range(10)]
    (batch,) = make_batches(encoded, "tree", Budget(1000))
    assert batch.input_ids.shape == (1, 70)


def test_records_that_share_nothing_do_not_share_a_row():
    encoded = [encoded_from([token] * 50) for token in range(6)]
    rows = [row for batch in plan_batches(encoded, "tree", Budget(10_000, attention_share=1e-3)) for row in batch]
    assert [row.records for row in rows] == [[index] for index in range(6)]


@given(encoded=RECORDS, tokens=st.integers(8, 40), share=st.sampled_from([0.0, 3e-4, 0.1]))
def test_no_other_cut_of_the_sorted_records_into_rows_costs_less(encoded, tokens, share):
    budget = Budget(tokens, share)
    order, _ = chain_lengths([record.input_ids for record in encoded[:8]])
    cheapest = float("inf")
    for cuts in itertools.product([False, True], repeat=len(order) - 1):
        edges = [0, *(place for place, cut in enumerate(cuts, start=1) if cut), len(order)]
        widths = [len(lay_out_row(encoded, order[start:end], "tree")) for start, end in itertools.pairwise(edges)]
        if max(widths) <= tokens:
            cheapest = min(cheapest, sum(budget.cost(width) for width in widths))
    planned = sum(budget.cost(row.width) for row in plan_rows(encoded[:8], "tree", budget))
    assert planned == pytest.approx(cheapest)


def test_a_long_history_is_computed_again_where_attention_in_one_row_would_cost_more():
    """A history of 8,192 tokens and 600 candidates of 40: rows of about the width that `cheapest_row` derives."""
    history = list(range(8192))
    encoded = [encoded_from([*history, *range(10_000 + 40 * n, 10_040 + 40 * n)]) for n in range(600)]
    widths = [row.width for row in plan_rows(encoded, "tree", Budget(131_072))]
    best = cheapest_row(8192, Budget(0).attention_share)
    assert len(widths) > 1
    assert all(0.8 * best < width < 1.2 * best for width in widths)


def test_packed_rows_end_where_records_would_pay_for_each_others_attention():
    encoded = [encoded_from([token] * 4000) for token in range(4)]
    assert [row.width for row in plan_rows(encoded, "packed", Budget(16_000))] == [4000] * 4
    assert [row.width for row in plan_rows(encoded, "packed", Budget(16_000, attention_share=0))] == [16_000]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_short_row_is_not_padded_to_a_long_one(layout):
    encoded = [encoded_from([1] * 8000), encoded_from([2] * 300), encoded_from([3] * 250)]
    passes = [sorted(index for row in rows for index in row.records) for rows in plan_batches(encoded, layout, BUDGET)]
    assert passes == [[0], [1, 2]]


@given(encoded=RECORDS, tokens=st.integers(1, 40), share=st.sampled_from([0.0, 3e-4, 0.1]))
def test_planned_widths_are_the_widths_laid_out(encoded, tokens, share):
    for layout in LAYOUTS:
        for rows in plan_batches(encoded, layout, Budget(tokens, share)):
            for row in rows:
                assert row.width == len(lay_out_row(encoded, row.records, layout))


def test_a_batch_goes_to_a_gpu_in_one_copy():
    (batch,) = make_batches([encoded_from([1, 2, 3], (7, 8)), encoded_from([1, 2])], "tree", Budget(100))
    tensors = [getattr(batch, field.name) for field in fields(batch)]
    moved = in_one_copy(tensors, torch.device("cpu"))
    assert all(torch.equal(mine, own) for mine, own in zip(moved, tensors, strict=True))
    assert len({tensor.untyped_storage().data_ptr() for tensor in moved}) == 1
    assert all(tensor.storage_offset() % 16 == 0 for tensor in moved)


def test_a_row_that_outgrows_the_budget_is_cut_where_least_is_shared():
    """Two histories that share 10 tokens, of 40 tokens each, with three candidates each; the budget holds five."""
    histories = [[*range(10), *range(start, start + 30)] for start in (100, 200)]
    encoded = [encoded_from([*history, 900 + n]) for history in histories for n in range(3)]
    rows = [row for batch in plan_batches(encoded, "tree", Budget(75, attention_share=0)) for row in batch]
    assert sorted(sorted(row.records) for row in rows) == [[0, 1, 2], [3, 4, 5]]
