"""An item's embedding is what transformers alone gives for its text, whatever is beside it, and is computed once."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from likely.encoding.batches import Budget
from likely.encoding.item_texts import MOST_TOKENS, encode_items
from likely.errors import LikelyError
from likely.model import item_embeddings
from likely.model.adapter import Lora
from likely.model.base import Precision, load_base, load_tokenizer
from likely.model.item_embeddings import FOLDER, Embedder, depth_of, embed_items, middle_states
from likely.model.scoring import PassPlan
from support import with_drawn_adapter
from zoo import FAMILIES, family_records

FLOAT32 = Precision("float32", False)
TEXTS = [
    "Heat (1995) | Action, Crime",
    "The Silent River (1961) | Drama",
    "The Silent River (1961) | Drama, War",
    "The Silent River (1961)",
    "Золотой телёнок (1968)",
    "7",
    "A title that goes on " + "and on " * 200,
]


@pytest.fixture
def keeps_all(monkeypatch):
    """However few texts are computed, they are kept."""
    monkeypatch.setattr(item_embeddings, "FEWEST", 1)


def plan(layout="tree", tokens=400):
    return PassPlan(layout, Budget(tokens), (0, 1))


def alone(model, record, depth):
    """The plain way: one text, transformers' own mask and its own list of hidden states."""
    with torch.no_grad():
        states = model(input_ids=torch.from_numpy(record.input_ids).long()[None], output_hidden_states=True)
    return states.hidden_states[depth][0, record.answer_positions].mean(dim=0).numpy()


@pytest.mark.parametrize("folder", ["tiny_base", "tiny_qwen"])
@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
def test_an_embedding_is_that_of_the_text_alone(folder, layout, request):
    path = str(request.getfixturevalue(folder))
    tokenizer = load_tokenizer(path)
    embedded = embed_items(Embedder(load_base(path, FLOAT32, "sdpa"), tokenizer, plan(layout)), TEXTS, "movie")
    plain = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    for text, record, vector in zip(TEXTS, encode_items(tokenizer, TEXTS, "movie"), embedded, strict=True):
        whole = tokenizer(f"Movie: {text}", add_special_tokens=False)["input_ids"]
        assert record.input_ids.tolist() == whole[:MOST_TOKENS]
        np.testing.assert_allclose(vector, alone(plain, record, depth_of(plain)), atol=1e-5)


SEVERAL_STREAMS = ("Gemma 3n, text",)
"""Between their layers, several states stand for a token."""


@pytest.mark.parametrize("family", [one for one in FAMILIES if one.chosen == "tree"], ids=lambda family: family.name)
def test_every_family_that_shares_rows_has_a_middle(family):
    model, records = family.build(), family_records()
    if family.name in SEVERAL_STREAMS:
        with pytest.raises(LikelyError, match="one hidden state a token"):
            middle_states(model, records, plan())
        return
    for record, vector in zip(records, middle_states(model, records, plan()), strict=True):
        np.testing.assert_allclose(vector, alone(model, record, depth_of(model)), atol=1e-5)


def test_own_tokens_leave_out_the_noun(tiny_base):
    tokenizer = load_tokenizer(str(tiny_base))
    (record,) = encode_items(tokenizer, ["Heat (1995)"], "board game")
    own = record.input_ids[record.answer_positions]
    assert tokenizer.decode(own).strip() == tokenizer.decode(tokenizer("Heat (1995)")["input_ids"]).strip()
    assert tokenizer.decode(record.input_ids[: -len(own)]) == "Board game:"


def test_layers_after_the_middle_are_not_computed(tiny_base):
    model = load_base(str(tiny_base), FLOAT32, "sdpa")
    computed = []
    layers = model.model.layers
    for place, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda module, inputs, place=place: computed.append(place))
    embed_items(Embedder(model, load_tokenizer(str(tiny_base)), plan()), TEXTS, "movie")
    assert set(computed) == set(range(depth_of(model)))
    assert depth_of(model) < len(layers)


def test_what_is_kept_is_not_computed_again_and_only_for_these_weights(tiny_base, tmp_path, monkeypatch, keeps_all):
    tokenizer = load_tokenizer(str(tiny_base))
    embedder = Embedder(load_base(str(tiny_base), FLOAT32, "sdpa"), tokenizer, plan())
    computed = []

    def counted(inner, encoded, plan):
        computed.append(len(encoded))
        return middle_states(inner, encoded, plan)

    monkeypatch.setattr(item_embeddings, "middle_states", counted)
    first = embed_items(embedder, TEXTS[:4], "movie", tmp_path)
    again = embed_items(embedder, TEXTS[::-1], "movie", tmp_path)
    assert computed == [4, len(TEXTS) - 4]
    np.testing.assert_array_equal(again[::-1][:4], first)
    embed_items(embedder, TEXTS[:4], "book", tmp_path)
    with torch.no_grad():
        embedder.inner.get_input_embeddings().weight[0, 0] += 1
    embed_items(embedder, TEXTS[:4], "movie", tmp_path)
    embedder.inner.config.rms_norm_eps *= 2
    embed_items(embedder, TEXTS[:4], "movie", tmp_path)
    assert computed[2:] == [4, 4, 4]


def test_an_adapter_that_is_switched_off_changes_nothing(tiny_base, tmp_path):
    tokenizer = load_tokenizer(str(tiny_base))
    base = Embedder(load_base(str(tiny_base), FLOAT32, "sdpa"), tokenizer, plan())
    adapted = with_drawn_adapter(
        load_base(str(tiny_base), FLOAT32, "sdpa"), Lora(4, 8, 0.0, ["q_proj", "up_proj"]), 0.3
    )
    with adapted.disable_adapter():
        own = Embedder(adapted.get_base_model(), tokenizer, plan())
        np.testing.assert_allclose(embed_items(own, TEXTS, "movie"), embed_items(base, TEXTS, "movie"), atol=1e-6)
    assert own.made_with("movie") == base.made_with("movie")


def test_a_damaged_file_or_a_folder_that_cannot_be_written_costs_time_only(tiny_base, tmp_path, keeps_all):
    embedder = Embedder(load_base(str(tiny_base), FLOAT32, "sdpa"), load_tokenizer(str(tiny_base)), plan())
    first = embed_items(embedder, TEXTS, "movie", tmp_path)
    (kept,) = (tmp_path / FOLDER).glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(embed_items(embedder, TEXTS, "movie", tmp_path), first)
    (tmp_path / "file").write_text("no folder")
    np.testing.assert_array_equal(embed_items(embedder, TEXTS, "movie", tmp_path / "file"), first)


def test_a_few_texts_leave_no_file(tiny_base, tmp_path):
    embedder = Embedder(load_base(str(tiny_base), FLOAT32, "sdpa"), load_tokenizer(str(tiny_base)), plan())
    embed_items(embedder, TEXTS, "movie", tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_a_stopped_command_goes_on_from_what_is_kept(tiny_base, tmp_path, monkeypatch, keeps_all):
    embedder = Embedder(load_base(str(tiny_base), FLOAT32, "sdpa"), load_tokenizer(str(tiny_base)), plan())
    monkeypatch.setattr(item_embeddings, "CHUNK", 3)
    seen = []

    def stop_late(done, total):
        seen.append((done, total))
        if done and len(seen) < 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_items(embedder, TEXTS, "movie", tmp_path, stop_late)
    embed_items(embedder, TEXTS, "movie", tmp_path, lambda *now: seen.append(now))
    assert seen == [(0, 7), (3, 7), (3, 7), (6, 7), (7, 7)]
