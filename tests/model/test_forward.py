"""One forward pass of many records gives each the logits it has alone: any tree, two architectures, two attentions."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import flash_attention_mask

from likely.encoding.batches import Budget, make_batches
from likely.encoding.prompt import EncodedRecord
from likely.model import forward
from likely.model.base import Precision, load_base
from likely.model.forward import answer_logits, placement
from zoo import FAMILIES, family_records

FLOAT32 = Precision("float32", False)
# Few different tokens, so that sequences share beginnings, repeat and contain each other.
TREES = st.lists(
    st.tuples(
        st.lists(st.integers(3, 5), min_size=1, max_size=12), st.lists(st.integers(6, 9), min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module", params=["tiny_base", "tiny_qwen"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def models(folder):
    """The same weights under both attentions that know dense masks."""
    return {name: load_base(str(folder), FLOAT32, name).eval() for name in ("sdpa", "eager")}


def encoded_from(prompt, answer):
    return EncodedRecord(np.array([*prompt, *answer[:-1]], np.int32), tuple(answer), liked=True)


def logits_alone(model, record):
    """The plain way: one record, transformers' own causal mask; [answer tokens, vocabulary]."""
    with torch.no_grad():
        return model(input_ids=torch.from_numpy(record.input_ids).long()[None]).logits[0, record.answer_positions]


def logits_together(model, encoded, layout, tokens=100_000, multiple=1):
    """The logits of every record out of common forward passes, in order."""
    found = {}
    with torch.no_grad():
        for batch in make_batches(encoded, layout, Budget(tokens, multiple=multiple)):
            logits = answer_logits(model, batch, model)
            for place, index in enumerate(batch.records.tolist()):
                first = int(batch.first_answers[place])
                found[index] = logits[first : first + len(encoded[index].answer)]
    return [found[index] for index in range(len(encoded))]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@settings(max_examples=25)
@given(
    tree=TREES,
    layout=st.sampled_from(["tree", "packed", "padded"]),
    tokens=st.sampled_from([8, 30, 100_000]),
    multiple=st.sampled_from([1, 32, 128]),
)
def test_any_tree_gives_every_record_its_own_logits(models, attention, tree, layout, tokens, multiple):
    encoded = [encoded_from(*record) for record in tree]
    model = models[attention]
    for record, together in zip(encoded, logits_together(model, encoded, layout, tokens, multiple), strict=True):
        alone = logits_alone(model, record)
        assert (together - alone).norm() / alone.norm() < 1e-5


def test_real_prompts_in_a_tree_have_their_own_logits(models, builder, records):
    encoded = builder.encode_all(records)
    for record, together in zip(encoded, logits_together(models["sdpa"], encoded, "tree"), strict=True):
        alone = logits_alone(models["sdpa"], record)
        assert (together - alone).norm() / alone.norm() < 1e-5


@settings(max_examples=25)
@given(tree=TREES, other=st.lists(st.integers(10, 200), min_size=1, max_size=12))
def test_no_record_sees_another(models, tree, other):
    """Two trees of one shape that differ in the tokens of one record: all other logits are the very same bits."""
    mine = [encoded_from(*record) for record in tree]
    first = logits_together(models["sdpa"], [*mine, encoded_from([250, *other], [6])], "tree")
    second = logits_together(models["sdpa"], [*mine, encoded_from([251, *reversed(other)], [6])], "tree")
    assert all(torch.equal(a, b) for a, b in zip(first[:-1], second[:-1], strict=True))


def test_only_the_rows_and_columns_of_answers_reach_the_head(models, builder, records):
    shapes = []
    head = models["sdpa"].get_output_embeddings()
    hook = head.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(inputs[0].shape)))
    encoded = builder.encode_all(records[:6])
    logits_together(models["sdpa"], encoded, "tree")
    hook.remove()
    assert sum(rows for rows, _ in shapes) == 6
    assert not head._forward_pre_hooks


def varlen_attention(module, query, key, value, attention_mask, scaling=None, sliding_window=None, **others):
    """What FlashAttention computes of packed records, written out: each its own, and the layer's window."""
    assert attention_mask is None
    positions = others["position_ids"]
    owner = (positions == 0).cumsum(1)
    edges = others["cu_seq_lens_q"]
    assert edges.dtype == torch.int32
    assert edges.tolist() == [*(positions[0] == 0).nonzero()[:, 0].tolist(), query.shape[2]]
    assert others["max_length_q"] == int(edges.diff().max())
    sees = (owner[:, :, None] == owner[:, None, :]) & (positions[:, :, None] >= positions[:, None, :])
    if sliding_window is not None:
        sees &= positions[:, :, None] - positions[:, None, :] < sliding_window
    together = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, sees[:, None], scale=scaling, enable_gqa=True
    )
    return together.transpose(1, 2), None


@pytest.mark.parametrize("name", ["Llama", "Mistral", "Phi-3", "Qwen3 with windows", "Gemma 3, text", "OLMo 3"])
def test_flash_attention_tells_packed_records_apart_and_keeps_the_window(name, monkeypatch):
    """It gets positions and no mask, and the window is the one that the model's layers ask for."""
    AttentionInterface.register("varlen", varlen_attention)
    AttentionMaskInterface.register("varlen", flash_attention_mask)
    monkeypatch.setattr(forward, "FLASH_ATTENTIONS", ("varlen",))
    model = next(family for family in FAMILIES if family.name == name).build()
    encoded = family_records()
    alone = [logits_alone(model, record) for record in encoded]
    model.set_attn_implementation("varlen")
    for multiple in (1, 128):
        for mine, own in zip(logits_together(model, encoded, "packed", multiple=multiple), alone, strict=True):
            assert (mine - own).norm() / own.norm() < 1e-5


def test_rows_of_one_record_are_left_to_the_model(builder, records):
    encoded = builder.encode_all(records[:5])
    (batch,) = make_batches(encoded, "padded", Budget(10_000))
    assert len(batch.input_ids) == 5
    assert placement(batch, None) == {}


@pytest.mark.parametrize(
    "name", ["Mistral", "Gemma 3", "gpt-oss", "Llama 4, unscaled", "Qwen3-MoE", "DeepSeek-V3", "GPT-2", "Command R7B"]
)
def test_gradients_of_other_families_are_those_of_records_alone(name):
    model = next(family for family in FAMILIES if family.name == name).build().train()
    encoded = family_records()

    def gradient(batches):
        model.zero_grad()
        for batch in batches:
            logits = answer_logits(model, batch, model)
            torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum").backward()
        return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])

    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    alone = gradient(make_batches(encoded, "padded", Budget(1)))
    for layout, multiple in itertools.product(("tree", "packed"), (1, 64)):
        together = gradient(make_batches(encoded, layout, Budget(10_000, attention_share=0.0, multiple=multiple)))
        assert (together - alone).norm() / alone.norm() < 1e-4
