"""What stands for records, weights and adapters changes with them."""

import torch

from likely.model.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from likely.model.fingerprint import adapter_of, tokens_of, weights_of


def test_prompts_are_known_by_their_tokens(builder, records):
    encoded = builder.encode_all(records)
    assert tokens_of(encoded) == tokens_of(builder.encode_all(records))
    assert tokens_of(encoded) != tokens_of(encoded[1:])


def test_a_model_is_known_by_its_weights():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    before = weights_of(model)
    assert weights_of(model) == before
    with torch.no_grad():
        model.weight[0, 0] += 1e-3
    assert weights_of(model) != before


def test_an_adapter_is_known_by_its_weights_and_by_how_they_are_applied(tmp_path):
    seen = set()
    for weights, config in (("a", "b"), ("a", "c"), ("b", "c"), ("ab", "")):
        (tmp_path / ADAPTER_WEIGHTS).write_text(weights)
        (tmp_path / ADAPTER_CONFIG).write_text(config)
        seen.add(adapter_of(tmp_path))
    assert len(seen) == 4
