"""A model of 16 bits answers as with a head of float32, forth and back; one of float32 answers as before."""

import copy
import itertools

import numpy as np
import pytest
import torch

from likely.encoding.batches import Budget, make_batches
from likely.model import float32_head, forward
from likely.model.base import Precision, load_base
from likely.model.float32_head import logits_in_float32, rounds_logits
from likely.model.forward import answer_logits
from likely.model.scoring import PassPlan, score
from zoo import family_of, family_records

LAYOUTS = ("tree", "packed", "padded")
SIXTEEN_BITS = ("bfloat16", "float16")


class OwnLinear(torch.nn.Linear):
    """A head that is no plain linear layer, and so computes by itself, as one of 4 bits does."""


def with_head(model, kind, dtype):
    """The same model with another head of the same weights."""
    other = copy.deepcopy(model)
    old = other.get_output_embeddings()
    head = kind(old.in_features, old.out_features, bias=old.bias is not None, dtype=dtype)
    head.load_state_dict(old.state_dict())
    head.register_forward_pre_hook(lambda module, inputs: inputs[0].to(dtype))
    other.set_output_embeddings(head)
    return other


@pytest.fixture(scope="module")
def models(tiny_base, builder):
    """One bfloat16 body under three heads, of which logits of both labels lie near 24 and half a nat apart."""
    model = load_base(str(tiny_base), Precision("bfloat16", False), "sdpa").eval()
    torch.manual_seed(0)
    for module in model.get_decoder().modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.2)  # so large that layouts round to other hidden states
    yes, no = builder.first_tokens
    old = model.get_output_embeddings()
    head = torch.nn.Linear(old.in_features, old.out_features, bias=False, dtype=torch.bfloat16)
    with torch.no_grad():
        head.weight.copy_(old.weight)
        head.weight *= 24 / (head.weight[yes].norm() * old.in_features**0.5) * 4
        head.weight[no] = head.weight[yes] * 1.02
    model.set_output_embeddings(head)
    return {
        "ours": model,
        "precise": with_head(model, torch.nn.Linear, torch.float32),
        "coarse": with_head(model, OwnLinear, torch.bfloat16),
    }


@pytest.fixture(scope="module")
def p_yes(models, builder, records):
    """P(Yes) of the records by head and layout."""
    encoded = builder.encode_all(records)
    plans = {layout: PassPlan(layout, Budget(3000), builder.first_tokens) for layout in LAYOUTS}
    return {
        (name, layout): score(model, model, encoded, plan).p_yes
        for name, model in models.items()
        for layout, plan in plans.items()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_answers_are_those_of_a_float32_head(p_yes, layout):
    assert np.abs(p_yes["ours", layout] - p_yes["precise", layout]).max() < 1e-6
    assert np.abs(p_yes["coarse", layout] - p_yes["precise", layout]).max() > 1e-3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_different_records_seldom_tie(p_yes, records, layout):
    different = {name: len(set(p_yes[name, layout])) for name in ("ours", "coarse")}
    assert different["ours"] > 0.9 * len(records)
    assert different["coarse"] < 0.7 * len(records)


def test_layouts_agree_better_than_with_a_rounded_head(models, p_yes, builder):
    """A layout rounds hidden states otherwise in a last bit here and there, which a CPU seldom does and a GPU often."""
    for one, other in itertools.combinations(LAYOUTS, 2):
        assert np.abs(p_yes["ours", one] - p_yes["ours", other]).max() < 1e-3

    torch.manual_seed(0)
    width = models["ours"].get_output_embeddings().in_features
    states = torch.nn.functional.normalize(torch.randn(200, width)) * width**0.5
    last_bit = 1 + 2**-8 * (torch.rand_like(states) < 0.1)
    layouts = [states.bfloat16(), (states.bfloat16() * last_bit).bfloat16()]

    def spread(kind):
        head = models[kind].get_output_embeddings()
        compute = logits_in_float32 if kind == "ours" else torch.nn.Module.__call__
        with torch.no_grad():
            one, other = (compute(head, hidden)[:, list(builder.first_tokens)].float() for hidden in layouts)
        return (one.softmax(1) - other.softmax(1)).abs().mean()

    assert spread("ours") < 0.2 * spread("coarse")


@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
@pytest.mark.parametrize("name", ["Llama", "Gemma 2", "Granite", "Command R", "GPT-J", "Phi"])
def test_scales_soft_caps_and_biases_of_families_count(name, dtype):
    model = family_of(name).build().to(getattr(torch, dtype))
    head = model.get_output_embeddings()
    assert rounds_logits(head)
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    precise = with_head(model, torch.nn.Linear, torch.float32)
    (batch,) = make_batches(family_records(), "tree", Budget(10_000, attention_share=0.0))
    with torch.no_grad():
        found, right = answer_logits(model, batch, model), answer_logits(precise, batch, precise)
    assert found.dtype == torch.float32
    assert (found - right).norm() / right.norm() < 1e-6


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
def test_gradients_are_those_of_a_float32_product_and_no_block_is_kept(monkeypatch, dtype, autocast):
    monkeypatch.setattr(float32_head, "BLOCK", 7 * 16)
    torch.manual_seed(0)
    head = torch.nn.Linear(16, 50).to(getattr(torch, dtype))
    hidden = torch.randn(5, 16, requires_grad=True)
    targets, saved = torch.randint(0, 50, (5,)), []
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=autocast),
        torch.autograd.graph.saved_tensors_hooks(lambda tensor: (saved.append(tensor), tensor)[1], lambda one: one),
    ):
        logits = logits_in_float32(head, hidden)
    assert {tensor.data_ptr() for tensor in saved} <= {hidden.data_ptr(), head.weight.data_ptr()}

    weights = [hidden, head.weight, head.bias]
    wide = [weight.detach().float().requires_grad_() for weight in weights]
    right = torch.nn.functional.linear(*wide)
    assert torch.allclose(logits, right, atol=1e-6)
    pairs = [
        torch.autograd.grad(torch.nn.functional.cross_entropy(out, targets), inputs)
        for out, inputs in ((logits, weights), (right, wide))
    ]
    for weight, found, expected in zip(weights, *pairs, strict=True):
        assert found.dtype == weight.dtype
        assert torch.allclose(found.float(), expected, rtol=torch.finfo(weight.dtype).eps, atol=1e-6)


def test_training_through_a_whole_model_has_the_gradients_of_a_float32_head(models, builder, records):
    (batch,) = make_batches(builder.encode_all(records[:8]), "tree", Budget(10_000, attention_share=0.0))

    def gradient(name):
        weight = models[name].get_decoder().layers[0].mlp.down_proj.weight
        loss = torch.nn.functional.cross_entropy(answer_logits(models[name], batch, models[name]), batch.targets)
        return torch.autograd.grad(loss, weight)[0].float()

    right = gradient("precise")
    assert (gradient("ours") - right).norm() / right.norm() < 1e-2


def test_a_float32_model_makes_the_very_call_it_made(tiny_base, builder, records, monkeypatch):
    monkeypatch.setattr(forward, "logits_in_float32", None)
    model = load_base(str(tiny_base), Precision("float32", False), "sdpa").eval()
    (batch,) = make_batches(builder.encode_all(records[:5]), "padded", Budget(10_000))
    with torch.no_grad():
        states = model.get_decoder()(input_ids=batch.input_ids, use_cache=False).last_hidden_state
        picked = states[batch.answer_rows, batch.answer_columns]
        assert torch.equal(answer_logits(model, batch, model), model.get_output_embeddings()(picked))


def test_a_head_that_computes_by_itself_is_left_alone(models):
    assert not rounds_logits(models["coarse"].get_output_embeddings())
    assert not rounds_logits(models["precise"].get_output_embeddings())
