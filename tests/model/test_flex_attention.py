"""FlexAttention under a tree's block mask gives the whole model the gradient of one record at a time.

torch computes it on a CPU too, by plain arithmetic in place of its kernels; only its check of devices is left out.
"""

import pytest
import torch
from torch.nn.attention import flex_attention as torch_flex
from transformers.integrations import flex_attention as transformers_flex

from likely.encoding.batches import Budget, make_batches
from likely.model.adapter import Lora, base_model
from likely.model.base import Precision, load_base
from likely.model.compiled import PIECES
from likely.model.forward import answer_logits
from support import with_drawn_adapter


@pytest.fixture
def on_a_cpu(monkeypatch):
    """Let torch differentiate FlexAttention here, and transformers not compile it for a GPU."""
    monkeypatch.setattr(torch_flex, "_validate_device", lambda query, key, value: None)
    monkeypatch.setattr(transformers_flex, "is_torchdynamo_compiling", lambda: True)


def adapted(folder, implementation):
    base = load_base(str(folder), Precision("float32", False), implementation)
    return with_drawn_adapter(base, Lora(4, 8, 0.0, ["q_proj", "v_proj", "down_proj"]), spread=0.1)


def logits_and_gradient(model, batches):
    """Logits in the order of the records, and the gradient of the summed loss."""
    logits, order = [], []
    for batch in batches:
        found = answer_logits(model, batch, base_model(model))
        torch.nn.functional.cross_entropy(found, batch.targets, reduction="sum").backward()
        logits.append(found.detach())
        order.append(batch.records)
    gradient = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])
    return torch.cat(logits)[torch.cat(order).argsort()], gradient


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_the_whole_model_is_exact(tiny_qwen, on_a_cpu, builder, records, layout):
    encoded = builder.encode_all(records[:6])
    alone = [batch for record in encoded for batch in make_batches([record], "padded", Budget(1))]
    for place, batch in enumerate(alone):
        batch.records[:] = place
    own_logits, own = logits_and_gradient(adapted(tiny_qwen, "sdpa"), alone)
    together = list(make_batches(encoded, layout, Budget(2048, attention_share=0.0, multiple=128)))
    assert len(together) < len(encoded)
    logits, gradient = logits_and_gradient(adapted(tiny_qwen, "flex_attention"), together)
    assert (logits - own_logits).norm() / own_logits.norm() < 1e-5
    assert (gradient - own).norm() / own.norm() < 1e-5


def test_torch_compiles_a_piece_for_every_kind_of_shape_and_mask(tiny_qwen):
    """It would go on with plain attention after eight, which writes down the scores of all pairs."""
    with torch._dynamo.config.patch(recompile_limit=8):
        load_base(str(tiny_qwen), Precision("float32", False), "sdpa")
        assert torch._dynamo.config.recompile_limit == 8
        load_base(str(tiny_qwen), Precision("float32", False), "flex_attention")
        assert torch._dynamo.config.recompile_limit == PIECES
