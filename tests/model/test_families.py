"""Every family is exact in the layouts that docs/models.md says, and a run gets one of those or a refusal.

The oracle is transformers, one record at a time, without any mask or position of ours.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, PreTrainedModel

from likely.encoding.batches import Budget, make_batches
from likely.errors import LikelyError
from likely.model import masks
from likely.model.adapter import Lora, add_adapter
from likely.model.base import attention_share
from likely.model.families import check_fit, choose_layout, position_limit, width_multiple
from likely.model.forward import answer_logits
from likely.model.masks import Reach
from likely.model.memory import kept_of
from likely.model.self_check import REFUSALS, check_exactness
from zoo import ALL, FAMILIES, POSITIONS, VOCABULARY, WINDOW, Family, family_of, family_records

ENCODED = family_records()
ONE_PASS = Budget(10_000, attention_share=0.0)
TABLE = Path(__file__).parents[2] / "docs" / "models.md"

SAMPLE = {"Qwen3", "Gemma 2", "Gemma 3", *{(f.layers, f.exact, f.chosen): f.name for f in FAMILIES[::-1]}.values()}
"""The first family of every kind, and a few that many use; the others take minutes."""


pytestmark = pytest.mark.usefixtures("one_thread")


def each_of(families):
    marked = [pytest.param(f, marks=() if f.name in SAMPLE else pytest.mark.minutes, id=f.name) for f in families]
    return pytest.mark.parametrize("family", marked)


each_family = each_of(FAMILIES)
each_windowed = each_of([f for f in FAMILIES if f.exact == ALL and ("windows" in f.layers or "chunks" in f.layers)])


@torch.no_grad()
def logits_alone(model):
    """[records, answer tokens, vocabulary]."""
    ids = [torch.from_numpy(record.input_ids).long()[None] for record in ENCODED]
    return torch.stack(
        [
            model(input_ids=one, use_cache=False).logits[0, record.answer_positions]
            for one, record in zip(ids, ENCODED, strict=True)
        ]
    )


@torch.no_grad()
def logits_together(model, layout, budget=ONE_PASS):
    (batch,) = make_batches(ENCODED, layout, budget)
    logits = answer_logits(model, batch, model)
    return logits.view(len(ENCODED), -1, logits.shape[1])[batch.records.argsort()]


def difference(together, alone):
    spread = (alone - alone.mean(dim=-1, keepdim=True)).norm(dim=-1)
    return float(((together - alone).norm(dim=-1) / spread).max())


def is_exact(model, layout, alone):
    try:
        return difference(logits_together(model, layout), alone) < 1e-5
    except REFUSALS:
        return False


def passes_the_self_check(model, layout):
    try:
        check_exactness(model, ENCODED, layout, (7, 8))
    except LikelyError:
        return False
    return True


@each_family
def test_a_family_is_exact_where_the_table_says(family):
    model = family.build()
    alone = logits_alone(model)
    exact = tuple(layout for layout in ALL if is_exact(model, layout, alone))
    assert exact == family.exact
    assert tuple(layout for layout in ALL if passes_the_self_check(model, layout)) == exact
    layout, note = choose_layout(model.config, "tree")
    assert (note is None) == (layout == "tree")
    assert (layout if layout in exact else "refused") == family.chosen
    assert choose_layout(model.config, "padded") == ("padded", None)
    assert 0 <= attention_share(model) < 1
    assert kept_of(model, Lora(4, 8, 0.05, ["all"]), gradient_checkpointing=False).token > 0  # asked on CUDA alone


@each_family
def test_rows_as_wide_as_on_a_gpu_change_no_answer(family, monkeypatch):
    model = family.build()
    assert width_multiple(model) == 1
    alone = logits_alone(model)
    with monkeypatch.context() as faked:
        faked.setattr(PreTrainedModel, "device", torch.device("cuda"))
        budget = replace(ONE_PASS, multiple=width_multiple(model))
    for layout in family.exact:
        assert difference(logits_together(model, layout, budget), alone) < 1e-5


@pytest.mark.parametrize(
    ("name", "attention", "multiple"),
    [("Qwen3", "sdpa", 32), ("Qwen3", "flex_attention", 128), ("GPT-2", "sdpa", 1), ("Mistral", "eager", 32)],
)
def test_widths_on_a_gpu_are_of_few_kinds(name, attention, multiple, monkeypatch):
    model = family_of(name).build()
    model.config._attn_implementation = attention
    monkeypatch.setattr(PreTrainedModel, "device", torch.device("cuda"))
    assert width_multiple(model) == multiple


@each_windowed
def test_a_window_that_is_left_out_would_be_noticed(family, monkeypatch):
    model = family.build()
    alone = logits_alone(model)
    monkeypatch.setattr(masks, "reaches", lambda config: {"full_attention": Reach()})
    assert difference(logits_together(model, "tree"), alone) > 1e-2
    with pytest.raises(LikelyError, match="set batching=padded, where it is"):
        check_exactness(model, ENCODED, "tree", (7, 8))


def test_the_documented_table_is_this_one():
    text = TABLE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    types = len({family.model_type for family in FAMILIES})
    assert rows == [family.row for family in FAMILIES]
    assert f"{len(FAMILIES)} tiny random models of {types} of transformers' model types" in " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "reason"), [("LFM2", "conv"), ("BLOOM", "no positions"), ("Falcon RW", "alibi"), ("GPT-Neo", "windows")]
)
def test_the_reason_for_padded_rows_is_said(name, reason):
    family = family_of(name)
    layout, note = choose_layout(AutoConfig.for_model(family.model_type, **family.settings), "packed")
    assert layout == "padded"
    assert note.startswith("padded instead of packed, because ")
    assert reason in note
    assert "\n" not in note


def test_a_model_that_writes_no_text_is_refused():
    with pytest.raises(LikelyError, match="of the type clip"):
        choose_layout(AutoConfig.for_model("clip"), "tree")


@pytest.mark.parametrize("name", ["Phi-3", "GPT-2", "Mixtral", "gpt-oss", "Gemma 3"])
def test_an_adapter_changes_nothing_about_exactness(name):
    """With every linear module adapted, a record's logits in a tree are those it has alone."""
    adapted = add_adapter(family_of(name).build(), Lora(2, 4, 0.0, ["all"])).eval()
    for weight_name, weight in adapted.named_parameters():
        if "lora_B" in weight_name:
            torch.nn.init.normal_(weight, std=0.1)
    model = adapted.get_base_model()
    assert difference(logits_together(model, "tree"), logits_alone(model)) < 1e-5


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("GPT-2", POSITIONS),
        ("OPT", POSITIONS),
        ("GPT-J", POSITIONS),
        ("GPT-Neo", POSITIONS),
        ("Llama", None),
        ("BLOOM", None),
    ],
)
def test_a_table_of_positions_limits_the_records(name, limit):
    model = family_of(name).build()
    assert position_limit(model) == limit
    if limit:
        assert check_fit(model, limit, 0) is None
        with pytest.raises(
            LikelyError, match=f"{limit + 1} tokens, .* table of {limit} positions .* set cutoff_len={limit}"
        ):
            check_fit(model, limit + 1, 0)


def test_positions_past_those_trained_on_are_said():
    model = family_of("Llama").build()
    assert check_fit(model, POSITIONS, 0) is None
    assert f"more than the {POSITIONS} positions" in check_fit(model, POSITIONS + 1, 0)
    assert check_fit(family_of("BLOOM").build(), 10**6, 0) is None


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "dynamic", "factor": 2.0},
        {
            "rope_type": "longrope",
            "original_max_position_embeddings": POSITIONS,
            "short_factor": [1.0] * 4,
            "long_factor": [2.0] * 4,
            "factor": 2.0,
        },
    ],
)
def test_rotary_positions_that_go_by_the_longest_record_of_a_batch_are_refused(rope):
    family = family_of("Llama")
    largest = 2 * POSITIONS if rope["rope_type"] == "longrope" else POSITIONS
    settings = {**family.settings, "rope_parameters": {"rope_theta": 1e4, **rope}, "max_position_embeddings": largest}
    model = Family("", "", "llama", settings).build()
    assert check_fit(model, POSITIONS, 0) is None
    with pytest.raises(LikelyError, match=f"set cutoff_len={POSITIONS}"):
        check_fit(model, POSITIONS + 1, 0)


def test_tokens_without_an_embedding_are_refused():
    model = family_of("Llama").build()
    assert check_fit(model, 10, VOCABULARY - 1) is None
    with pytest.raises(LikelyError, match=f"token id {VOCABULARY}, .* resize_token_embeddings"):
        check_fit(model, 10, VOCABULARY)
    assert min(len(record.input_ids) for record in ENCODED) > WINDOW
