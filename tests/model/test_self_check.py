"""A model that a layout makes say something else is refused before a run; one that is exact never notices the check."""

import time

import numpy as np
import pytest
import torch

from likely.encoding.prompt import EncodedRecord
from likely.errors import LikelyError
from likely.model import masks, self_check
from likely.model.base import Precision, load_base
from likely.model.block_attention import NAME, attend_in_blocks
from likely.model.masks import Reach
from likely.model.self_check import TOLERANCE, check_exactness, choose_sample
from zoo import FAMILIES, POSITIONS, VOCABULARY, Family, family_records

ENCODED = family_records()
FIRST = (7, 8)


def family_of(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)


def record_of(*ids):
    return EncodedRecord(np.array(ids, np.int32), (7,), liked=True)


def test_the_sample_is_the_longest_its_sibling_and_the_shortest():
    longest = record_of(1, 2, 3, 4, 5, 6)
    twin = record_of(1, 2, 3, 4, 5, 6)
    sibling, cousin, stranger = record_of(1, 2, 3, 4, 9), record_of(1, 2, 8, 8, 8), record_of(5, 5)
    assert choose_sample([cousin, longest, twin, stranger, sibling]) == [longest, sibling, stranger]
    assert choose_sample([longest]) == [longest]
    assert choose_sample([longest, twin]) == [longest]


def test_where_the_longest_fits_beside_none_another_fits_beside_the_shortest():
    longest, sibling = record_of(1, 2, 3, 4, 5, 6), record_of(1, 2, 3, 4, 9)
    cousin, shortest = record_of(1, 2, 8, 8), record_of(1, 7)
    everything = [longest, sibling, cousin, shortest]
    assert choose_sample(everything, 7) == [longest, sibling, shortest]
    assert choose_sample(everything, 7, "packed") == [longest, shortest, sibling]
    assert choose_sample(everything, 6) == [longest, shortest, sibling]
    assert choose_sample(everything, 5, "packed") == [longest, shortest]


@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
def test_no_pass_is_larger_than_those_of_the_run_and_records_still_meet(layout, monkeypatch):
    """Of 8,000 tokens, say, three records in one row would take nine times the memory of a row of the run."""
    model, seen = family_of("Llama").build(), []
    compute = self_check.answer_logits
    monkeypatch.setattr(self_check, "answer_logits", lambda *words: (seen.append(words[1]), compute(*words))[1])
    lengths = sorted(len(record.input_ids) for record in ENCODED)
    tokens = lengths[-1] + (7 if layout == "tree" else lengths[0])  # 7: what the second one has of its own
    check_exactness(model, ENCODED, layout, FIRST, tokens)
    assert all(batch.input_ids.numel() <= tokens for batch in seen)
    assert len(seen) > 1 or layout == "packed"
    assert any(len(batch.records) > len(batch.input_ids) for batch in seen) == (layout != "padded")
    monkeypatch.setattr(masks, "mask_rule", lambda *_: lambda row, head, query, key: (key <= query) & (row >= 0))
    if layout != "padded":
        with pytest.raises(LikelyError, match="not exact"):
            check_exactness(model, ENCODED, layout, FIRST, tokens)


@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
def test_an_exact_model_passes_and_is_left_as_it_was(layout):
    model = family_of("Gemma 3, text").build().train()
    attend_in_blocks(model)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert check_exactness(model, ENCODED, layout, FIRST) is None
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert model.config._attn_implementation == NAME
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_history_can_be_kept_beside_records_that_share_none():
    """Some templates begin otherwise where a record has a system prompt."""
    others = [record_of(*[4, *record.input_ids[1:]]) for record in ENCODED[:2]]
    model = family_of("Llama").build()
    assert check_exactness(model, [*ENCODED, *others, record_of(4, 5)], "tree", FIRST, keeps_history=True) is None
    assert check_exactness(model, [record_of(4)], "tree", FIRST, keeps_history=True) is None


def test_dropout_is_off_while_it_checks():
    """With attention dropout no two passes would agree."""
    family = family_of("Llama")
    model = Family("", "", "llama", {**family.settings, "attention_dropout": 0.5}).build().train()
    assert check_exactness(model, ENCODED, "tree", FIRST) is None


def test_a_layout_that_changes_answers_is_refused_by_both_probabilities(monkeypatch):
    model = family_of("Mistral").build()
    model.config.name_or_path = "some/mistral"
    monkeypatch.setattr(masks, "reaches", lambda config: {"full_attention": Reach()})
    with pytest.raises(LikelyError) as refusal:
        check_exactness(model, ENCODED, "tree", FIRST)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("some/mistral is not exact with batching: tree (P(Yes) of a record is 0.")
    assert str(refusal.value).endswith("when it is computed alone); set batching=padded, where it is.")
    assert check_exactness(model, ENCODED, "padded", FIRST) is None


def test_code_that_stops_in_a_layout_is_refused_with_its_reason():
    with pytest.raises(LikelyError, match=r"its code stops: RuntimeError: .*; set batching=padded, where it is"):
        check_exactness(family_of("GPT").build(), ENCODED, "tree", FIRST)


def test_a_model_that_no_layout_suits_is_refused_for_good():
    with pytest.raises(LikelyError, match="set model_name_or_path to another model"):
        check_exactness(family_of("BERT").build(), ENCODED, "tree", FIRST)


def test_a_model_whose_own_answers_are_no_numbers_is_refused():
    model = family_of("Llama").build()
    torch.nn.init.constant_(model.get_output_embeddings().weight, torch.inf)
    with pytest.raises(LikelyError, match=r"not finite in torch.float32; set dtype=float32"):
        check_exactness(model, ENCODED, "tree", FIRST)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("name", ["Llama", "Mistral", "Gemma 2", "Mixtral"])
def test_rounding_passes_in_every_dtype_and_a_lost_window_in_none(name, dtype, monkeypatch):
    model = family_of(name).build().to(dtype)
    assert check_exactness(model, ENCODED, "tree", FIRST) is None
    if "windows" in family_of(name).layers and dtype == torch.float32:
        monkeypatch.setattr(masks, "reaches", lambda config: {"full_attention": Reach()})
        with pytest.raises(LikelyError, match="not exact"):
            check_exactness(model, ENCODED, "tree", FIRST)


def test_records_that_do_not_fit_the_model_are_refused_before_it_runs():
    with pytest.raises(LikelyError, match="resize_token_embeddings"):
        check_exactness(family_of("Llama").build(), [*ENCODED, record_of(3, VOCABULARY)], "tree", FIRST)
    with pytest.raises(LikelyError, match=f"set cutoff_len={POSITIONS}"):
        check_exactness(family_of("GPT-2").build(), [*ENCODED, record_of(*[5] * 65)], "tree", FIRST)
    with pytest.raises(
        LikelyError, match=r"MptForCausalLM cannot read a record of 65 tokens \(RuntimeError: .*cutoff_len"
    ):
        check_exactness(family_of("MPT").build(), [*ENCODED, record_of(*[5] * 65)], "padded", FIRST)
    note = check_exactness(family_of("Llama").build(), [*ENCODED, record_of(*[5] * 65)], "tree", FIRST)
    assert f"65 tokens, more than the {POSITIONS} positions" in note


def test_no_records_are_nothing_to_check():
    assert check_exactness(family_of("BERT").build(), [], "tree", FIRST) is None


def test_it_costs_a_small_model_less_than_a_second(tiny_base, builder, records):
    model = load_base(str(tiny_base), Precision("float32", False), "sdpa")
    encoded = builder.encode_all(records)
    check_exactness(model, encoded, "tree", FIRST)
    started = time.process_time()
    check_exactness(model, encoded, "tree", FIRST)
    assert time.process_time() - started < 1
