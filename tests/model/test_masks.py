"""The masks say what the rule says: every token sees the tokens it would see alone, in each kind of layer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import create_mask
from transformers import AutoConfig
from transformers.masking_utils import create_chunked_causal_mask, create_sliding_window_causal_mask

from likely.encoding.batches import Budget, make_batches
from likely.encoding.prompt import EncodedRecord
from likely.model.masks import Reach, attention_mask, dense_mask, mask_rule, reaches
from zoo import FAMILIES, LLAMA

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=8)
REACHES = st.one_of(
    st.just(Reach()), st.integers(1, 6).map(lambda n: Reach(window=n)), st.integers(1, 6).map(lambda n: Reach(chunk=n))
)


def laid_out(sequences, layout="tree"):
    """Sequences in one pass, and each one's tokens in it: the batch and int64 [length] a sequence."""
    encoded = [EncodedRecord(np.array(ids, np.int32), tuple(ids), liked=True) for ids in sequences]
    (batch,) = make_batches(encoded, layout, Budget(10_000, attention_share=0.0))
    columns = batch.answer_columns.split([len(encoded[index].input_ids) for index in batch.records.tolist()])
    return batch, [columns[place] for place in batch.records.argsort().tolist()]


def seen_alone(reach, length):
    """Transformers' own mask of one sequence: bool [length, length]."""
    config = AutoConfig.for_model("llama", **LLAMA)
    config.sliding_window, config.attention_chunk_size = reach.window or length, reach.chunk
    config._attn_implementation = "eager"
    create = create_chunked_causal_mask if reach.chunk else create_sliding_window_causal_mask
    mask = create(config, torch.zeros(1, length, 1), None, None, position_ids=torch.arange(length)[None])
    return mask[0, 0] == 0


@given(SEQUENCES, REACHES, st.sampled_from(["tree", "packed"]))
def test_a_token_sees_the_keys_that_it_sees_alone(sequences, reach, layout):
    batch, nodes = laid_out(sequences, layout)
    rule = mask_rule(batch.subtree_end, batch.position_ids, reach)
    mask = dense_mask(rule, *batch.input_ids.shape)[0, 0]
    for own in nodes:
        alone = seen_alone(reach, len(own))
        for depth, query in enumerate(own.tolist()):
            assert mask[query].nonzero().flatten().tolist() == own[alone[depth]].tolist()


@settings(max_examples=20)
@given(SEQUENCES, REACHES)
def test_flex_attention_reads_the_same_rule(sequences, reach):
    batch, _ = laid_out(sequences)
    rule = mask_rule(batch.subtree_end, batch.position_ids, reach)
    rows, width = batch.input_ids.shape
    assert torch.equal(create_mask(rule, rows, 1, width, width, device="cpu"), dense_mask(rule, rows, width))


def windowed(layer_types, implementation="sdpa"):
    config = AutoConfig.for_model("qwen3", **{**LLAMA, "layer_types": layer_types, "use_sliding_window": True})
    config.sliding_window, config._attn_implementation = 3, implementation
    return config


def test_kinds_of_layers_that_differ_get_a_mask_each():
    batch, _ = laid_out([[0, 1, 2, 3, 4], [0, 1, 2, 5]])
    by_kind = attention_mask(batch, windowed(["sliding_attention", "full_attention"]), torch.float32)
    assert sorted(by_kind) == ["full_attention", "sliding_attention"]
    assert by_kind["full_attention"][0, 0, 4].tolist() == [True] * 5 + [False]
    assert by_kind["sliding_attention"][0, 0, 4].tolist() == [False, False, True, True, True, False]
    assert by_kind["sliding_attention"][0, 0, 5].tolist() == [False, True, True, False, False, True]


def test_kinds_of_layers_that_are_alike_share_one():
    batch, _ = laid_out([[0, 1, 2, 3, 4], [0, 1, 2, 5]])
    for kinds in (["full_attention"] * 2, ["sliding_attention"] * 2):
        assert attention_mask(batch, windowed(kinds), torch.float32).shape == (1, 1, 6, 6)


def test_eager_adds_what_sdpa_selects():
    batch, _ = laid_out([[0, 1, 2, 3, 4], [0, 1, 2, 5]])
    kinds = ["sliding_attention"] * 2
    selected = attention_mask(batch, windowed(kinds), torch.float32)
    added = attention_mask(batch, windowed(kinds, "eager"), torch.bfloat16)
    assert added.dtype == torch.bfloat16
    assert torch.equal(added == 0, selected)
    assert (added[~selected] == torch.finfo(torch.bfloat16).min).all()


def test_flex_attention_gets_a_block_mask_of_each_kind():
    batch, _ = laid_out([[0, 1, 2, 3, 4], [0, 1, 2, 5]])
    by_kind = attention_mask(batch, windowed(["sliding_attention", "full_attention"], "flex_attention"), torch.float32)
    assert {kind: mask.shape for kind, mask in by_kind.items()} == dict.fromkeys(by_kind, (1, 1, 6, 6))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Llama", {"full_attention": Reach()}),
        ("Mistral", {"sliding_attention": Reach(window=8)}),
        ("Qwen2", {"full_attention": Reach()}),
        ("Gemma 3", {"full_attention": Reach(), "sliding_attention": Reach(window=8)}),
        ("Llama 4", {"full_attention": Reach(), "chunked_attention": Reach(chunk=8)}),
    ],
)
def test_how_far_layers_see_is_read_from_the_configuration(name, expected):
    family = next(family for family in FAMILIES if family.name == name)
    assert reaches(AutoConfig.for_model(family.model_type, **family.settings)) == expected
