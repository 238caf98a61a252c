"""A history that is computed once for several passes leaves every answer as it is, in whatever family can keep it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.encoding.batches import Budget
from likely.encoding.prompt import EncodedRecord
from likely.model.block_attention import BLOCK
from likely.model.kept_history import Histories, can_keep, plan_many
from likely.model.scoring import PassPlan, passes_of, score
from zoo import FAMILIES, LLAMA, VOCABULARY, Family, family_of

pytestmark = pytest.mark.usefixtures("one_thread")

USUAL = {"Llama", "Qwen2", "Qwen3", "Gemma", "Gemma 3", "Mistral"}
each_family = pytest.mark.parametrize(
    "family",
    [
        pytest.param(one, marks=() if one.name in USUAL else pytest.mark.minutes, id=one.name)
        for one in FAMILIES
        if one.chosen == "tree"
    ],
)


def candidates(history, lengths, seed=0):
    """Records of one history that go on with so many tokens each."""
    draw = np.random.default_rng(seed)
    trunk = draw.integers(3, VOCABULARY, history)
    prompts = [[*trunk, *draw.integers(3, VOCABULARY, length), 7] for length in lengths]
    return [EncodedRecord(np.array(prompt, np.int32), (7, 9), liked=True) for prompt in prompts]


def few_a_row(*records, tokens, keeps=True):
    return PassPlan("tree", Budget(tokens, 0.01), (7, 8), keeps)


def computed_tokens(model, encoded, plan):
    counted = []
    embedding = model.get_input_embeddings()
    hook = embedding.register_forward_hook(lambda module, asked, found: counted.append(asked[0].shape))
    score(model, model, encoded, plan)
    hook.remove()
    return [rows * width for rows, width in counted]


@each_family
def test_answers_are_those_of_each_record_alone(family):
    model = family.build()
    encoded = [*candidates(34, [6, 3, 5, 6, 4, 6]), *candidates(20, [9], seed=1)]
    plan = few_a_row(tokens=60)
    assert can_keep(model)
    assert sum(one.history is not None for one in passes_of(encoded, plan, model)) > 1
    found = score(model, model, encoded, plan)
    alone = score(model, model, encoded, PassPlan("padded", Budget(1), (7, 8)))
    np.testing.assert_allclose(found.p_yes, alone.p_yes, atol=1e-5)
    np.testing.assert_allclose(found.loss, alone.loss, rtol=1e-4)


def test_rows_of_many_blocks_and_of_one_go_on_from_a_history():
    """The attention in blocks meets the keys of the history and those up to the end of its block."""
    from likely.model.block_attention import attend_in_blocks

    model = Family("Llama", "", "llama", {**LLAMA, "max_position_embeddings": 4096}).build()
    attend_in_blocks(model)
    encoded = candidates(300, [30] * 60)
    plan = replace(few_a_row(tokens=3000), budget=Budget(300 + 2 * BLOCK + 100, 3e-4))
    widths = [row.width - 300 for one in passes_of(encoded, plan, model) for row in one.rows]
    assert max(widths) > 2 * BLOCK
    found = score(model, model, encoded, plan)
    alone = score(model, model, encoded, PassPlan("padded", Budget(1), (7, 8)))
    np.testing.assert_allclose(found.p_yes, alone.p_yes, atol=1e-5)


def test_the_history_is_computed_in_a_pass_of_its_own_and_never_again():
    model = family_of("Qwen3").build()
    encoded = candidates(34, [6] * 9)
    own = 9 * 7
    kept = computed_tokens(model, encoded, few_a_row(tokens=60))
    assert kept[0] == 34
    assert sum(kept) == 34 + own
    present = computed_tokens(model, encoded, few_a_row(tokens=60, keeps=False))
    assert sum(present) == len(present) * 34 + own
    assert len(present) > 1


def test_the_last_histories_are_kept_and_those_of_an_adapter_apart():
    histories = Histories(most=2)
    first, second, third = (np.array([place], np.int32) for place in range(3))
    kept = histories.of(first, adapter=True)
    assert histories.of(first, adapter=False) is not kept
    assert histories.of(first, adapter=True) is kept
    histories.of(second, adapter=True)
    assert histories.of(first, adapter=True) is kept
    histories.of(second, adapter=True)
    histories.of(third, adapter=True)
    assert histories.of(first, adapter=True) is not kept


def test_what_fits_into_one_row_is_computed_in_one():
    model = family_of("Qwen3").build()
    assert computed_tokens(model, candidates(34, [6, 6]), few_a_row(tokens=60)) == [34 + 2 * 7]


def test_a_model_that_cannot_keep_is_computed_as_ever():
    """Here the attention takes no mask of fewer queries, or layers look up keys and values of others."""
    model, encoded = family_of("Qwen3").build(), candidates(34, [6] * 9)
    model.config._attn_implementation = "flex_attention"
    assert not can_keep(model)
    assert all(one.history is None for one in passes_of(encoded, few_a_row(tokens=60), model))
    shares = family_of("Gemma 3n, text").build()
    shares.config.num_kv_shared_layers = 1
    assert not can_keep(shares)


@given(
    st.lists(st.tuples(st.integers(4, 60), st.lists(st.integers(1, 9), min_size=1, max_size=12)), max_size=4),
    st.integers(20, 120),
    st.sampled_from([0.0, 0.001, 0.03]),
)
def test_every_record_is_planned_once_and_no_plan_costs_more(users, tokens, share):
    encoded = [one for seed, (history, own) in enumerate(users) for one in candidates(history, own, seed)]
    many, others = plan_many(encoded, Budget(tokens, share))
    places = [place for one in many for batch in one.batches for row in batch for place in row.records]
    assert sorted([*places, *others]) == list(range(len(encoded)))
    for one in many:
        history = one.history.tolist()
        for row in (row for batch in one.batches for row in batch):
            assert row.width <= max(tokens, *(len(encoded[place].input_ids) for place in places))
            for place in row.records:
                record = encoded[place]
                assert record.input_ids[: len(history)].tolist() == history
                assert record.answer_positions[0] >= len(history)


def test_equal_records_share_no_token_that_predicts_an_answer():
    model = family_of("Llama").build()
    (record,) = candidates(34, [6])
    encoded = [replace(record)] * 4 + candidates(34, [6] * 6)
    found = score(model, model, encoded, few_a_row(tokens=60))
    alone = score(model, model, encoded, PassPlan("padded", Budget(1), (7, 8)))
    np.testing.assert_allclose(found.p_yes, alone.p_yes, atol=1e-5)
