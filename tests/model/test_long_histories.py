"""Exact where histories have thousands of tokens: P(Yes) of records that share one is that of each record alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from likely.encoding.batches import Budget, Layout, plan_batches
from likely.encoding.prompt import EncodedRecord
from likely.model.base import Precision, load_base
from likely.model.scoring import PassPlan, score

YES, NO = 5, 6
SHARED = 8192


@pytest.fixture(scope="module", params=["Llama", "Qwen3"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    """One layer would not tell histories apart that are mixed below; two do. Large weights make answers differ."""
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    shape = {
        "vocab_size": 500, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 16_384, "initializer_range": 0.3,
    }  # fmt: skip
    kinds = {"Llama": (LlamaForCausalLM, LlamaConfig), "Qwen3": (Qwen3ForCausalLM, Qwen3Config)}
    made, config = kinds[request.param]
    folder = tmp_path_factory.mktemp("long")
    made(config(**shape)).save_pretrained(folder)
    return load_base(str(folder), Precision("float32", False), "sdpa").eval()


def records_of(shared: int, count: int, seed: int) -> list[EncodedRecord]:
    """Records with a history in common, each with another end, some of which branch off earlier than others."""
    random = np.random.default_rng(seed)
    history = random.integers(10, 500, shared + 24 * count, dtype=np.int32)
    ends = [random.integers(10, 500, 30, dtype=np.int32) for _ in range(count)]
    return [
        EncodedRecord(np.concatenate([history[: shared + 24 * place], end]), (YES,), liked=True)
        for place, end in enumerate(ends)
    ]


def p_yes(model: torch.nn.Module, encoded: list[EncodedRecord], layout: Layout, budget: Budget) -> np.ndarray:
    return score(model, model, encoded, PassPlan(layout, budget, (YES, NO))).p_yes


def alone(model: torch.nn.Module, encoded: list[EncodedRecord]) -> np.ndarray:
    """Nothing of ours: one record at a time under transformers' own causal mask."""
    found = []
    with torch.inference_mode():
        for record in encoded:
            logits = model(torch.from_numpy(record.input_ids).long()[None], logits_to_keep=1).logits[0, -1]
            found.append(float(logits[[YES, NO]].softmax(0)[0]))
    return np.array(found)


def test_records_of_one_long_history_get_together_what_they_get_alone(model: torch.nn.Module) -> None:
    encoded = records_of(SHARED, 3, seed=1)
    expected = alone(model, encoded)
    assert np.ptp(expected) > 1e-3
    assert (len(plan_batches(encoded, "tree", Budget(2 * SHARED)))) == 1
    assert np.abs(p_yes(model, encoded, "tree", Budget(2 * SHARED)) - expected).max() < 1e-5


def test_packed_records_of_8k_do_not_see_each_other(model: torch.nn.Module) -> None:
    encoded = records_of(SHARED, 2, seed=2)
    one_row = Budget(3 * SHARED, attention_share=0.0)
    assert [len(rows) for rows in plan_batches(encoded, "packed", one_row)] == [1]
    assert np.abs(p_yes(model, encoded, "packed", one_row) - alone(model, encoded)).max() < 1e-5


@pytest.mark.minutes
@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
def test_two_users_of_many_long_records_in_every_layout(model: torch.nn.Module, layout: Layout) -> None:
    encoded = [*records_of(SHARED, 12, seed=3), *records_of(SHARED // 2, 12, seed=4)]
    expected = alone(model, encoded)
    for budget in (Budget(2 * SHARED), replace(Budget(2 * SHARED), multiple=128)):
        assert np.abs(p_yes(model, encoded, layout, budget) - expected).max() < 1e-5
