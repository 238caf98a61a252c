"""Tokens of a pass follow from free memory by arithmetic, and what they are said to keep is what autograd keeps."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from likely.encoding.batches import Budget, make_batches
from likely.model.adapter import Lora, add_adapter, base_model
from likely.model.base import Precision, load_base
from likely.model.forward import answer_logits
from likely.model.memory import MOST_TOKENS, SHARE, Kept, free_bytes, kept_of, tokens_that_fit
from zoo import family_of

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
GIB = 2**30


@given(st.floats(1, 1e7), st.floats(0, 1e3), st.floats(1e6, 1e12))
def test_so_many_tokens_keep_what_is_available_and_one_more_would_not(token, pair, available):
    kept = Kept(token, pair)
    tokens = kept.tokens_within(available)
    needed = [count * (token + pair * count) for count in (tokens, tokens + 1)]
    assert needed[0] <= available * (1 + 1e-6)
    assert needed[1] >= available * (1 - 1e-6)


@given(st.integers(16, 40_000), st.floats(1e3, 1e7), st.floats(0, 1e3), st.integers(0, 200 * GIB))
def test_a_pass_is_what_is_asked_for_doubled_while_it_fits(asked, token, pair, free):
    kept = Kept(token, pair)
    tokens = tokens_that_fit(asked, kept, free)
    assert (tokens // asked).bit_count() == 1
    assert tokens % asked == 0
    if tokens > asked:
        assert tokens <= MOST_TOKENS
        assert tokens * (token + pair * tokens) <= SHARE * free * (1 + 1e-6)
    if 2 * tokens <= MOST_TOKENS:
        assert 2 * tokens * (token + 2 * pair * tokens) > SHARE * free * (1 - 1e-2)


def kept_by_autograd(model, batch):
    """Bytes of all that a forward pass saves for its backward pass, without weights."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = answer_logits(model.train(), batch, base_model(model))
    assert logits.requires_grad
    return sum(size for size, _ in saved.values())


@pytest.mark.parametrize("dropout", [0.0, 0.05])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("folder", "upper_layers"), [("tiny_base", None), ("tiny_qwen", None), ("tiny_qwen", 1)])
def test_what_is_said_to_be_kept_is_what_autograd_keeps(
    request, builder, records, folder, upper_layers, dtype, dropout
):
    path = str(request.getfixturevalue(folder))
    lora = Lora(4, 8, dropout, ALL, upper_layers)
    base = load_base(path, Precision(dtype, False), "sdpa", in_blocks=False)
    kept = kept_of(base, lora, gradient_checkpointing=False)
    model = add_adapter(base, lora)
    (batch,) = make_batches(builder.encode_all(records), "tree", Budget(100_000, attention_share=0.0))
    tokens = batch.input_ids.shape[1]
    said = tokens * (kept.token + kept.pair * tokens)
    assert 0.6 * said < kept_by_autograd(model, batch) < 1.05 * said


def test_qwen3_takes_two_to_three_mebibytes_a_token():
    """Measured with its real shapes, without what is upcast no more: 2.36 MiB."""
    settings = {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "head_dim": 128}
    heads = {"num_attention_heads": 16, "num_key_value_heads": 8, "vocab_size": 8}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            AutoConfig.for_model("qwen3", **settings, **heads), dtype=torch.bfloat16
        )
    plain = kept_of(model, Lora(16, 64, 0.05, ALL), gradient_checkpointing=False)
    assert 2.0 < plain.token / 2**20 < 3.0
    assert tokens_that_fit(2048, plain, 78 * GIB) == 8192  # a whole step of 16 records
    assert tokens_that_fit(2048, plain, 6 * GIB) == 2048
    recomputed = kept_of(model, Lora(16, 64, 0.05, ALL), gradient_checkpointing=True)
    assert recomputed.token < plain.token / 5


def test_of_layers_of_several_widths_the_widest_counts():
    """Gemma 3n has a width for each layer."""
    lora, family = Lora(4, 8, 0.05, ALL), family_of("Gemma 3n, text")
    widths = ([48, 48], [16, 48], [16, 16])
    models = [replace(family, settings={**family.settings, "intermediate_size": each}).build() for each in widths]
    alike, wide, narrow = (kept_of(model, lora, gradient_checkpointing=False) for model in models)
    assert alike == wide
    assert narrow.token < wide.token


def test_flex_attention_keeps_no_mask(tiny_base):
    base = load_base(str(tiny_base), Precision("float32", False), "sdpa")
    base.config._attn_implementation = "flex_attention"
    assert kept_of(base, Lora(4, 8, 0.0, ALL), gradient_checkpointing=False).pair == 0


@pytest.mark.parametrize(("fraction", "expected"), [(1.0, 6), (0.5, 3)])
def test_what_torch_holds_for_reuse_is_free_and_what_it_may_not_take_is_not(monkeypatch, fraction, expected):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 * GIB, 8 * GIB))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: fraction)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: GIB)
    assert free_bytes(torch.device("cuda")) == expected * GIB
