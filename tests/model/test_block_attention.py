"""Attention in blocks is the same attention: logits and adapter gradients are those of transformers' own `sdpa`."""

import json
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GPTNeoConfig, GPTNeoForCausalLM

from likely.encoding.batches import Budget, make_batches
from likely.encoding.prompt import EncodedRecord
from likely.model import block_attention
from likely.model.adapter import Lora, add_adapter, recompute_activations
from likely.model.base import Precision, load_base
from likely.model.block_attention import BLOCK, NAME, attend_in_blocks
from likely.model.forward import answer_logits
from zoo import LLAMA, Family

PLAIN = Precision("float32", False)


@pytest.fixture(scope="module", params=["tiny_base", "tiny_qwen"])
def folder(request):
    return request.getfixturevalue(request.param)


def adapted(folder, in_blocks, checkpointing=False):
    """The same weights every time, the adapter's included."""
    torch.manual_seed(0)
    base = load_base(str(folder), PLAIN, "sdpa", in_blocks=in_blocks)
    model = add_adapter(base, Lora(4, 8, 0.0, ["q_proj", "k_proj", "v_proj", "o_proj"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    if checkpointing:
        recompute_activations(model)
    return model.train()


def family(width, draw):
    """Three records that share a beginning and whose tree is `width` tokens wide."""
    tails = [width // 8, width // 5, width // 3]
    trunk = draw.integers(3, 200, width - sum(tails))
    prompts = [[*trunk, 200 + place, *draw.integers(3, 200, tail - 1)] for place, tail in enumerate(tails)]
    return [EncodedRecord(np.array(prompt, np.int32), (7,), liked=True) for prompt in prompts]


def logits_and_gradient(model, encoded, layout="tree"):
    """Every answer's logits, in the order of the passes, and the gradient of all adapter weights."""
    found = []
    for batch in make_batches(encoded, layout, Budget(1 << 20)):
        logits = answer_logits(model, batch, model.get_base_model())
        torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum").backward()
        found.append(logits.detach())
    return torch.cat(found), torch.cat([w.grad.flatten() for w in model.parameters() if w.requires_grad])


WIDTHS = [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 77]
CASES = [*product(WIDTHS, ["tree", "packed", "padded"], [False, True])]
QUICK = [(BLOCK, "tree", False), (BLOCK + 1, "padded", True), (2 * BLOCK, "packed", False), (WIDTHS[-1], "tree", True)]


@pytest.mark.parametrize(
    ("width", "layout", "checkpointing"),
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.minutes) for case in CASES],
)
def test_logits_and_gradients_are_those_of_sdpa(folder, width, layout, checkpointing):
    draw = np.random.default_rng(width)
    encoded = [*family(width, draw), *family(width - 40, draw)]  # the second row is padded
    expected, expected_gradient = logits_and_gradient(adapted(folder, in_blocks=False), encoded, layout)
    logits, gradient = logits_and_gradient(adapted(folder, True, checkpointing), encoded, layout)
    assert (logits - expected).norm() / expected.norm() < 1e-5
    assert (gradient - expected_gradient).norm() / expected_gradient.norm() < 1e-4


@pytest.mark.parametrize("width", [BLOCK, 2 * BLOCK + 77])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("added", [False, True])
def test_16_bits_attend_in_float32(width, dtype, added):
    draw = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, heads, width, 16, generator=draw).to(dtype) for heads in (4, 2, 2))
    seen = torch.ones(1, 1, width, width, dtype=torch.bool).tril()
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min) if added else seen
    layer = SimpleNamespace(num_key_value_groups=2, is_causal=True)
    found, _ = block_attention.block_attention(layer, query, key, value, mask, scaling=0.25)
    wide, _ = block_attention.block_attention(layer, query.float(), key.float(), value.float(), seen, scaling=0.25)
    assert found.dtype == dtype
    torch.testing.assert_close(found, wide.to(dtype), rtol=0, atol=0)


def test_no_score_after_a_block_is_computed(tiny_base, monkeypatch):
    """A row of one block goes the ordinary way; wider ones meet no key that comes after their block."""
    shapes = []

    def recording(query, key, value, **others):
        shapes.append((query.shape[2], key.shape[2]))
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, **others)

    monkeypatch.setattr(block_attention, "scaled_dot_product_attention", recording)
    model = adapted(tiny_base, in_blocks=True)
    draw = np.random.default_rng(0)
    logits_and_gradient(model, family(BLOCK, draw))
    assert not shapes
    logits_and_gradient(model, family(2 * BLOCK + 9, draw))
    layers = model.config.num_hidden_layers
    assert shapes == [(BLOCK, BLOCK), (BLOCK, 2 * BLOCK), (9, 2 * BLOCK + 9)] * layers


@pytest.mark.parametrize("layout", ["tree", "packed"])
@pytest.mark.parametrize("window", [40, BLOCK, 2 * BLOCK + 50])
def test_windows_are_those_of_sdpa(window, layout):
    """One layer of each kind; the window is shorter than a block, as long as one, and longer than two."""
    settings = {**LLAMA, "sliding_window": window, "layer_types": ["sliding_attention", "full_attention"]}
    encoded = family(3 * BLOCK + 77, np.random.default_rng(window))
    found = []
    for in_blocks in (False, True):
        model = Family("", "", "olmo3", {**settings, "max_position_embeddings": 4096}).build()
        if in_blocks:
            attend_in_blocks(model)
            assert model.config._attn_implementation == NAME
        (batch,) = make_batches(encoded, layout, Budget(1 << 20))
        logits = answer_logits(model, batch, model)
        logits.square().sum().backward()
        found.append((logits.detach(), torch.cat([weight.grad.flatten() for weight in model.parameters()])))
    (expected, expected_gradient), (logits, gradient) = found
    assert (logits - expected).norm() / expected.norm() < 1e-5
    assert (gradient - expected_gradient).norm() / expected_gradient.norm() < 1e-4


def test_no_score_before_the_first_key_that_a_block_sees_is_computed(monkeypatch):
    """Neither of a record before it in a packed row nor of what has left its window."""
    shapes = []

    def recording(query, key, value, **others):
        shapes.append((query.shape[2], key.shape[2]))
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, **others)

    monkeypatch.setattr(block_attention, "scaled_dot_product_attention", recording)
    draw = np.random.default_rng(0)
    records = [EncodedRecord(draw.integers(3, 200, BLOCK).astype(np.int32), (7,), liked=True) for _ in range(3)]
    full, windowed = [Family("", "", "mistral", {**LLAMA, "sliding_window": window}).build() for window in (None, 40)]
    wide = family(3 * BLOCK, draw)[-1:]
    for model, encoded, layout in ((full, records, "packed"), (windowed, [*wide, *records], "packed")):
        attend_in_blocks(model)
        (batch,) = make_batches(encoded, layout, Budget(1 << 20))
        answer_logits(model, batch, model)
    assert shapes[:6] == [(BLOCK, BLOCK)] * 6
    assert max(keys for _, keys in shapes[6:]) == BLOCK + 39


def test_a_wide_prompt_is_continued_as_by_sdpa(folder):
    """transformers' own masks: none, padding alone, and a cache that is longer than the query."""
    ids = torch.from_numpy(np.random.default_rng(1).integers(3, 200, (2, 2 * BLOCK + 30)))
    padding = torch.ones_like(ids)
    padding[0, :50] = 0
    written = []
    for in_blocks in (False, True):
        model = adapted(folder, in_blocks).eval()
        for mask in (torch.ones_like(ids), padding):
            written.append(model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=4, do_sample=False))
    assert torch.equal(written[0], written[2])
    assert torch.equal(written[1], written[3])


def test_a_saved_model_does_not_know_the_name(tiny_base, tmp_path):
    base = load_base(str(tiny_base), PLAIN, "sdpa")
    assert base.config._attn_implementation == NAME
    base.save_pretrained(tmp_path / "base")
    add_adapter(base, Lora(4, 8, 0.0, ["q_proj"])).save_pretrained(tmp_path / "adapter")
    for path in (tmp_path / "base" / "config.json", tmp_path / "adapter" / "adapter_config.json"):
        assert NAME not in json.dumps(json.loads(path.read_text()))
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "base").config._attn_implementation == "sdpa"


def test_other_attentions_stay_as_they_were_asked_for(tiny_base):
    base = load_base(str(tiny_base), PLAIN, "eager")
    assert base.config._attn_implementation == "eager"


def test_a_model_with_attention_of_its_own_keeps_it():
    """GPT-Neo chooses its attention class itself, by a name that it knows."""
    config = GPTNeoConfig(
        vocab_size=50, hidden_size=16, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]]
    )
    model = GPTNeoForCausalLM(config)
    before = model.config._attn_implementation
    attend_in_blocks(model)
    assert model.config._attn_implementation == before
