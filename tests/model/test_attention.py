"""`flash_attn` is resolved once, by a table anyone can check, and its masks say what the tree says."""

import pytest
import torch

from likely.encoding.batches import Budget, make_batches
from likely.errors import LikelyError
from likely.model.attention import FLASH_ATTENTIONS, Surroundings, attention_mask, resolve_attention, tree_mask

FA2, FA3, FA4 = FLASH_ATTENTIONS
AMPERE, HOPPER, TURING = (8, 0), (9, 0), (7, 5)


def around(gpu=None, installed=(), layout="padded", half=True):
    return Surroundings(gpu, frozenset(installed), layout, half)


@pytest.mark.parametrize(
    ("requested", "surroundings", "chosen"),
    [
        ("auto", around(), "sdpa"),
        ("auto", around(AMPERE), "sdpa"),
        ("auto", around(AMPERE, [FA2]), FA2),
        ("auto", around(TURING, [FA2]), "sdpa"),
        ("auto", around(None, [FA2]), "sdpa"),
        ("auto", around(AMPERE, [FA2], "packed"), FA2),
        ("auto", around(AMPERE, [FA2], "tree"), "sdpa"),
        ("auto", around(AMPERE, [FA2], half=False), "sdpa"),
        ("auto", around(AMPERE, [FA2, FA3]), FA2),
        ("auto", around(HOPPER, [FA2, FA3]), FA3),
        ("false", around(AMPERE, [FA2]), "sdpa"),
        ("sdpa", around(AMPERE, [FA2]), "sdpa"),
        ("eager", around(), "eager"),
        (FA2, around(AMPERE, [FA2]), FA2),
        (FA3, around(HOPPER, [FA3]), FA3),
        (FA4, around(HOPPER, [FA4]), FA4),
        ("flex_attention", around(AMPERE, layout="tree"), "flex_attention"),
    ],
)
def test_choice(requested, surroundings, chosen):
    assert resolve_attention(requested, surroundings).implementation == chosen


@pytest.mark.parametrize(
    ("requested", "surroundings", "reason"),
    [
        (FA2, around(None, [FA2]), "needs a CUDA GPU"),
        (FA2, around(TURING, [FA2]), "older than Ampere"),
        (FA2, around(AMPERE), "not installed"),
        (FA2, around(AMPERE, [FA2], "tree"), "no tree masks"),
        (FA2, around(AMPERE, [FA2], half=False), "bfloat16"),
        (FA3, around(AMPERE, [FA3]), "older than Hopper"),
        (FA4, around(HOPPER), "not installed"),
        ("flex_attention", around(), "only on a CUDA GPU"),
    ],
)
def test_a_forced_choice_that_cannot_work_is_an_error(requested, surroundings, reason):
    with pytest.raises(LikelyError, match=reason):
        resolve_attention(requested, surroundings)


@pytest.fixture
def batch(builder, records):
    (first, *_) = make_batches(builder.encode_all(records[:6]), "tree", Budget(4000))
    return first


def test_eager_adds_what_sdpa_selects(batch):
    selected = attention_mask(batch, "sdpa", torch.float32)
    added = attention_mask(batch, "eager", torch.float32)
    assert torch.equal(added == 0, selected)
    assert torch.equal(selected, tree_mask(batch.subtree_end))


def test_flash_attention_gets_the_padding_and_nothing_else(builder, records):
    encoded = builder.encode_all(records[:5])
    (batch,) = make_batches(encoded, "padded", Budget(10_000))
    mask = attention_mask(batch, FA2, torch.bfloat16)
    lengths = sorted((len(record.input_ids) for record in encoded), reverse=True)
    assert mask.sum(dim=1).tolist() == lengths


def test_flash_attention_reads_packed_rows_from_their_positions(builder, records):
    (batch,) = make_batches(builder.encode_all(records[:5]), "packed", Budget(10_000))
    assert len(batch.input_ids) == 1
    assert attention_mask(batch, FA2, torch.bfloat16) is None
