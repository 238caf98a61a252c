"""One forward pass of many records gives each the logits it has alone: any tree, two architectures, two attentions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likely.encoding.batches import Budget, make_batches
from likely.encoding.prompt import EncodedRecord
from likely.model.base import Precision, load_base
from likely.model.forward import answer_logits

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


def logits_together(model, encoded, layout, tokens=100_000):
    """The logits of every record out of common forward passes, in order."""
    found = {}
    with torch.no_grad():
        for batch in make_batches(encoded, layout, Budget(tokens)):
            logits = answer_logits(model, batch, model)
            for place, index in enumerate(batch.records.tolist()):
                first = int(batch.first_answers[place])
                found[index] = logits[first : first + len(encoded[index].answer)]
    return [found[index] for index in range(len(encoded))]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@settings(max_examples=25)
@given(tree=TREES, layout=st.sampled_from(["tree", "packed", "padded"]), tokens=st.sampled_from([8, 30, 100_000]))
def test_any_tree_gives_every_record_its_own_logits(models, attention, tree, layout, tokens):
    encoded = [encoded_from(*record) for record in tree]
    model = models[attention]
    for record, together in zip(encoded, logits_together(model, encoded, layout, tokens), strict=True):
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
