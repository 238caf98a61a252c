"""What stands for records, weights and adapters changes with them."""

import pytest
import torch

from likely.model import fingerprint
from likely.model.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from likely.model.fingerprint import adapter_of, sample_of, tokens_of, weights_of


def test_prompts_are_known_by_their_tokens(builder, records):
    encoded = builder.encode_all(records)
    assert tokens_of(encoded) == tokens_of(builder.encode_all(records))
    assert tokens_of(encoded) != tokens_of(encoded[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_model_is_known_by_every_one_of_its_values(dtype, monkeypatch):
    monkeypatch.setattr(fingerprint, "BLOCK", 100)  # so that a weight has several, and the last is not whole
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(17, 15), torch.nn.BatchNorm1d(15)).to(dtype)
    seen = {weights_of(model)}
    assert weights_of(model) in seen
    changed = [(model[0].weight, 0), (model[0].weight, 254), (model[0].bias, 14), (model[1].running_mean, 3)]
    for count, (values, place) in enumerate(changed, start=2):
        values.detach().flatten()[place] += 0.25
        seen.add(weights_of(model))
        assert len(seen) == count


def test_4_bit_weights_that_differ_in_their_scales_alone_are_others():
    nn = pytest.importorskip("bitsandbytes").nn

    def layer(scale):
        torch.manual_seed(0)
        made = nn.Linear4bit(64, 64, bias=False, quant_type="nf4")
        made.weight = nn.Params4bit(scale * torch.randn(64, 64), requires_grad=False, quant_type="nf4")
        return made.to("cpu")

    one, other = layer(1), layer(2)
    assert one.weight.dtype == torch.uint8
    assert torch.equal(one.weight, other.weight)
    assert weights_of(one) == weights_of(layer(1))
    assert weights_of(one) != weights_of(other)


def test_a_sample_tells_models_apart_and_leaves_out_weights_of_4_bits():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    before = sample_of(model)
    model[1].bias.detach()[0] += 0.25
    assert sample_of(model) != before
    before = sample_of(model)
    model.register_parameter("packed", torch.nn.Parameter(torch.zeros(8, dtype=torch.uint8), requires_grad=False))
    assert sample_of(model) == before


def test_models_of_equal_bytes_in_other_shapes_or_types_are_others():
    zeros = [torch.zeros(2, 3), torch.zeros(3, 2), torch.zeros(6, dtype=torch.int32), torch.zeros(12).bfloat16()]
    models = [torch.nn.Module() for _ in zeros]
    for model, values in zip(models, zeros, strict=True):
        model.register_buffer("values", values)
    assert len({weights_of(model) for model in models}) == len(models)


def test_an_adapter_is_known_by_its_weights_and_by_how_they_are_applied(tmp_path):
    seen = set()
    for weights, config in (("a", "b"), ("a", "c"), ("b", "c"), ("ab", "")):
        (tmp_path / ADAPTER_WEIGHTS).write_text(weights)
        (tmp_path / ADAPTER_CONFIG).write_text(config)
        seen.add(adapter_of(tmp_path))
    assert len(seen) == 4
