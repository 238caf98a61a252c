"""The adapter's product inside one matrix product gives what peft's own layer gives, and is saved as peft saves it."""

import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear

from likely.encoding.batches import Budget, make_batches
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import Lora, add_adapter, load_adapter, recompute_activations
from likely.model.base import Precision, load_base
from likely.model.forward import answer_logits
from likely.model.lora_linear import LoraLinear

FLOAT32 = Precision("float32", False)
TARGETS = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
ENCODED = [
    EncodedRecord(np.array([5, 6, 7, *range(20, 20 + length)], np.int32), (9,), liked=True) for length in (4, 9, 30)
]


def randomise(model):
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model


def ours(folder, dropout=0.0, precision=FLOAT32):
    base = load_base(str(folder), precision, "sdpa")
    return randomise(add_adapter(base, Lora(4, 8, dropout, TARGETS)))


def pefts(folder, dropout=0.0, precision=FLOAT32, **settings):
    base = load_base(str(folder), precision, "sdpa")
    return randomise(get_peft_model(base, lora_config(dropout, **settings)))


def lora_config(dropout=0.0, **settings):
    return LoraConfig(
        r=4, lora_alpha=8, lora_dropout=dropout, target_modules=TARGETS, task_type="CAUSAL_LM", **settings
    )


def layers(model, kind):
    return [module for module in model.modules() if type(module) is kind]


def logits(model):
    (batch,) = make_batches(ENCODED, "tree", Budget(1000))
    with torch.no_grad():
        return answer_logits(model.eval(), batch, model.get_base_model())


def gradient(model):
    (batch,) = make_batches(ENCODED, "tree", Budget(1000))
    torch.manual_seed(7)  # the same weights are dropped
    found = answer_logits(model.train(), batch, model.get_base_model())
    torch.nn.functional.cross_entropy(found.float(), batch.targets).backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


def loss(model):
    (batch,) = make_batches(ENCODED, "tree", Budget(1000))
    return torch.nn.functional.cross_entropy(logits(model).float(), batch.targets).item()


def same(found, expected, limit=1e-6):
    return (found - expected).norm() <= limit * expected.norm()


@pytest.fixture(params=["tiny_base", "tiny_qwen"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_every_adapted_layer_is_ours(folder):
    model = ours(folder)
    assert len(layers(model, LoraLinear)) == len(TARGETS) * model.config.num_hidden_layers
    assert not layers(model, Linear)


@pytest.mark.parametrize("shape", [(11, 24), (3, 11, 24), (24,)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_gives_what_pefts_layer_gives(shape, bias):
    torch.manual_seed(0)
    base = torch.nn.Linear(24, 40, bias=bias)
    mine, theirs = (
        kind(copy.deepcopy(base), "default", config=lora_config(), r=4, lora_alpha=8) for kind in (LoraLinear, Linear)
    )
    for layer in (mine, theirs):
        randomise(layer)
    x = torch.randn(shape)
    assert same(mine(x), theirs(x))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_pefts(folder, dropout, checkpointing):
    model = ours(folder, dropout)
    if checkpointing:
        recompute_activations(model)
    assert same(gradient(model), gradient(pefts(folder, dropout)), 1e-5)


def test_logits_are_pefts_on_disabled_and_merged(folder):
    mine, theirs = ours(folder), pefts(folder)
    with_adapter = logits(theirs)
    assert same(logits(mine), with_adapter)
    with mine.disable_adapter(), theirs.disable_adapter():
        assert torch.equal(logits(mine), logits(theirs))
    mine.merge_adapter()
    assert same(logits(mine), with_adapter, 1e-5)
    mine.unmerge_adapter()
    assert same(logits(mine), with_adapter, 1e-5)


def test_an_adapter_moves_to_plain_peft_and_back(folder, tmp_path):
    model = ours(folder)
    model.save_pretrained(tmp_path)
    plain = PeftModel.from_pretrained(load_base(str(folder), FLOAT32, "sdpa"), tmp_path)
    loaded = load_adapter(load_base(str(folder), FLOAT32, "sdpa"), tmp_path)
    assert layers(plain, Linear)
    assert not layers(plain, LoraLinear)
    assert layers(loaded, LoraLinear)
    assert same(logits(plain), logits(model))
    assert torch.equal(logits(loaded), logits(model))


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"lora_bias": True}])
def test_kinds_of_adapter_that_are_not_plain_stay_pefts(tiny_base, tmp_path, settings):
    other = pefts(tiny_base, **settings)
    other.save_pretrained(tmp_path)
    assert torch.equal(logits(load_adapter(load_base(str(tiny_base), FLOAT32, "sdpa"), tmp_path)), logits(other))


def test_two_adapters_at_once_are_pefts(tiny_base):
    """Their sum is not one product."""
    found = []
    for model in (ours(tiny_base), pefts(tiny_base)):
        model.add_adapter("second", lora_config())
        model.base_model.set_adapter(["default", "second"])
        found.append(logits(randomise(model)))
    assert torch.equal(*found)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_differs_from_pefts_by_rounding(folder, dtype, autocast):
    """The adapter is float32 beside a base of 16 bits; peft computes it in float32 and rounds the sum."""
    half = Precision(dtype, False)
    with torch.autocast("cpu", getattr(torch, dtype), enabled=autocast):
        mine, theirs = ours(folder, precision=half), pefts(folder, precision=half)
        assert {weight.dtype for weight in mine.parameters() if weight.requires_grad} == {torch.float32}
        assert same(logits(mine), logits(theirs), 0.02)
        assert same(gradient(mine), gradient(theirs), 0.05)


def test_bfloat16_trains_as_float32_does_but_for_rounding(folder):
    """As on a CPU that is fast in it: base weights and arithmetic of 16 bits, the adapter's weights of 32."""
    exact, rounded = (ours(folder, precision=Precision(dtype, False)) for dtype in ("float32", "bfloat16"))
    found = gradient(rounded)
    assert found.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(found, gradient(exact), dim=0) > 0.999
    losses = [loss(model) for model in (exact, rounded)]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_an_adapter_is_computed_in_the_dtype_of_its_base(tiny_base):
    """Nothing that is as wide as the hidden states becomes float32."""
    base = torch.nn.Linear(24, 40, dtype=torch.bfloat16)
    layer = LoraLinear(base, "default", config=lora_config(), r=4, lora_alpha=8)
    layer.lora_A.float(), layer.lora_B.float()
    seen = []
    x = torch.randn(3, 24, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t):
        assert layer(x).dtype == torch.bfloat16
    assert {tensor.dtype for tensor in seen} == {torch.bfloat16}


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_four_bit_layers_are_ours_and_give_what_pefts_give(folder, dropout):
    pytest.importorskip("bitsandbytes")
    from likely.model.lora_linear_4bit import LoraLinear4bit

    four_bit = Precision("float32", True)
    mine, theirs = ours(folder, dropout, precision=four_bit), pefts(folder, dropout, precision=four_bit)
    assert len(layers(mine, LoraLinear4bit)) == len(TARGETS) * mine.config.num_hidden_layers
    assert same(logits(mine), logits(theirs))
    assert same(gradient(mine), gradient(theirs), 1e-5)
    with mine.disable_adapter(), theirs.disable_adapter():
        assert torch.equal(logits(mine), logits(theirs))
