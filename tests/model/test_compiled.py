"""Compiled layers compute the very same bits: a step of any shapes, and an evaluation after it."""

import logging

import pytest
import torch
from torch._dynamo.utils import counters

from likely.encoding.batches import Budget, make_batches
from likely.model.adapter import Lora, base_model
from likely.model.base import Precision, load_base
from likely.model.compiled import PIECES, compile_layers, is_compiled
from likely.model.forward import answer_logits
from support import with_drawn_adapter
from zoo import FAMILIES


@pytest.fixture(autouse=True)
def fresh_compiler(monkeypatch):
    """A compiler that remembers nothing, and does not write down for pytest all that it does."""
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "propagate", False)
    settings = {name: getattr(torch._dynamo.config, name) for name in ("recompile_limit", "specialize_float")}
    torch._dynamo.reset()
    counters.clear()
    with torch._dynamo.config.patch(settings):  # restored afterwards
        yield
    torch._dynamo.reset()


def adapted(folder):
    """A model as on a GPU, which attends by `sdpa` itself."""
    base = load_base(str(folder), Precision("float32", False), "sdpa", in_blocks=False)
    return with_drawn_adapter(base, Lora(4, 8, 0.0, ["q_proj", "v_proj", "down_proj"]), spread=0.1)


def computed(model, encoded):
    """Gradients of steps of several shapes, and logits of an evaluation after each."""
    found = []
    for first, last in ((0, 3), (3, 9), (9, 11)):
        batches = list(make_batches(encoded[first:last], "tree", Budget(1200)))
        model.train().zero_grad()
        for batch in batches:
            logits = answer_logits(model, batch, base_model(model))
            torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum").backward()
        found += [weight.grad.clone() for weight in model.parameters() if weight.requires_grad]
        with torch.inference_mode():
            found += [answer_logits(model.eval(), batch, base_model(model)).clone() for batch in batches]
    return found


@pytest.mark.minutes
def test_every_bit_is_that_of_layers_as_they_were(tiny_qwen, builder, records):
    """`aot_eager` traces, differentiates ahead and runs torch's own kernels: all of compiling but the fused kernels."""
    encoded = builder.encode_all(records[:11])
    model = adapted(tiny_qwen)
    plain = computed(model, encoded)
    assert compile_layers(base_model(model), backend="aot_eager") == 2
    compiled = computed(model, encoded)
    assert all(torch.equal(mine, own) for mine, own in zip(compiled, plain, strict=True))
    assert not counters["graph_break"]
    assert 0 < counters["stats"]["unique_graphs"] <= 12 < PIECES


def test_the_numbers_of_a_configuration_are_constants_of_the_code(tiny_qwen, builder, records):
    """As inputs, they would be read from memory at every use, and kernels that need them as constants fail."""
    taken: list[torch.Tensor] = []

    def backend(graph, inputs):
        taken.extend(value for value in inputs if isinstance(value, torch.Tensor))
        return graph.forward

    model = adapted(tiny_qwen).train()
    compile_layers(base_model(model), backend=backend)
    for batch in make_batches(builder.encode_all(records[:2]), "tree", Budget(1200)):
        answer_logits(model, batch, base_model(model))
    assert taken
    assert all(value.dim() for value in taken)


@pytest.mark.parametrize(
    ("requested", "device", "triton", "compiler", "expected"),
    [
        ("auto", "cuda", True, "gcc", True),
        ("auto", "cuda", True, None, False),
        ("auto", "cuda", False, "gcc", False),
        ("auto", "cpu", True, "gcc", False),
        ("false", "cuda", True, "gcc", False),
        ("true", "cpu", False, None, True),
    ],
)
def test_auto_is_cuda_with_triton_and_a_c_compiler(monkeypatch, requested, device, triton, compiler, expected):
    monkeypatch.setattr("likely.model.compiled.find_spec", lambda name: triton or None)
    monkeypatch.setattr("likely.model.compiled.which", lambda name: name if name == compiler else None)
    assert is_compiled(requested, device) == expected


@pytest.mark.parametrize("name", ["Llama", "GPT-2", "Gemma 3", "Qwen3-MoE"])
def test_the_layers_of_a_family_are_found_whatever_they_are_called(name):
    model = next(family for family in FAMILIES if family.name == name).build()
    assert compile_layers(model) == model.config.get_text_config().num_hidden_layers
