"""The page of an adapter says what is known and nothing that is not, and its code gives the scores that we give."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from chat_models import chat_tokenizer
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels
from likely.data.task import RecordsTask, ratings_task
from likely.encoding.batches import Budget
from likely.encoding.prompt import PromptBuilder
from likely.model.adapter import Lora
from likely.model.base import Precision
from likely.model.scoring import PassPlan, score
from likely.training.model_card import (
    CardFacts,
    Question,
    is_made_by_transformers,
    loading_code,
    model_card,
    question_of,
)
from tiny_trainer import fresh_model

FACTS = CardFacts(
    base="somebody/model",
    location="somebody/model",
    revision=None,
    precision=Precision("float32", False),
    lora=Lora(4, 8, 0.1, ["q_proj", "v_proj"]),
    labels=Labels("Liked it", "Hated it"),
    question=Question("Will they like it?\nAnswer.", None),
    training_file=Path("somewhere/train.json"),
    records=1234,
    task=RecordsTask(),
    first_tokens=(3, 4),
    is_plain=True,
)
FIGURES = {
    "best_step": 7,
    "eval": {"eval_auc": 0.75, "eval_uauc": math.nan, "eval_runtime": 3.25},
    "train": {"steps": 9, "records": 1234, "seconds": 2.0},
    "versions": {"torch": "2.13.0"},
}


def test_what_records_have_in_common_is_their_question(records, record_of):
    assert question_of(records).instruction == records[0].instruction
    assert question_of(records).system is None
    assert question_of([replace(record, system="Be brief.") for record in records]).system == "Be brief."
    assert question_of([records[0], replace(records[1], instruction="Liked?")]).instruction is None


def test_records_with_more_than_a_question_get_no_code(builder, records):
    """The code of the page knows one system prompt and no earlier turns."""
    alone = question_of(records)
    assert is_made_by_transformers(builder, alone)
    turned = replace(records[1], history=(("Liked Heat?", "Yes"),))
    for other in (turned, replace(records[1], system="Be brief.")):
        question = question_of([records[0], other])
        assert question.instruction == alone.instruction
        is_plain = is_made_by_transformers(builder, question)
        assert not is_plain
        text = model_card(replace(FACTS, question=question, is_plain=is_plain), FIGURES)
        assert "```python" not in text
        assert "which take whole records" in text


def test_the_page_says_what_was_asked_trained_and_measured():
    _, front, text = model_card(FACTS, FIGURES).split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == "somebody/model"
    for words in ("`Liked it`, `Hated it`", "> Will they like it?\n> Answer.", "1,234 of `train.json`", "torch 2.13.0"):
        assert words in text
    assert "| auc | 0.7500 |" in text
    assert not {"nan", "runtime", "3.25", "somewhere", "None"} & set(text.split())


def test_what_is_unknown_is_left_out():
    text = model_card(replace(FACTS, question=Question(None, None)), {**FIGURES, "eval": {}})
    assert "Records differ in their instruction." in text
    assert "not evaluated" in text
    assert "preparation" not in text


@pytest.mark.parametrize(
    ("steps", "left", "said"), [(40, 0.87, True), (40, 0.03, False), (40, None, False), (50, 0.0, False)]
)
def test_a_schedule_that_never_came_down_is_said(steps, left, said):
    trained = {"steps": steps, "planned_steps": 50, "rate_left": left}
    text = model_card(FACTS, {**FIGURES, "train": trained})
    assert ("down from 87% of its peak" in text) == said
    assert ("step 40 of 50" in text) == said


def test_ratings_say_how_they_were_prepared():
    task = ratings_task(SplitProtocol(like_threshold=3.5, window="sliding"), "ml-tiny")
    text = model_card(replace(FACTS, task=task), FIGURES)
    for words in ("ratings: ml-tiny", "like_threshold 3.5", "window sliding"):
        assert words in text


@pytest.mark.parametrize("revision", [None, "main"])
@pytest.mark.parametrize("four_bit", [False, True])
def test_the_code_loads_the_base_as_it_was_trained_on(revision, four_bit):
    code = loading_code(replace(FACTS, revision=revision, precision=Precision("bfloat16", four_bit)))
    compile(code, "README.md", "exec")
    assert "dtype=torch.bfloat16" in code
    assert ("revision='main'" in code) == (revision is not None)
    assert ("load_in_4bit=True" in code) == four_bit


@pytest.mark.parametrize(
    ("template", "system", "is_plain"),
    [
        ("thinking", None, True),
        ("mistral", None, True),
        ("mistral", "Be brief.", False),  # which the template refuses
        ("leaves the system out", "Be brief.", False),
        ("opens a thought", None, False),
        ("dated", None, False),  # tomorrow
    ],
)
def test_code_that_would_ask_other_prompts_is_not_shown(template, system, is_plain):
    builder = PromptBuilder(chat_tokenizer("metaspace", template), Labels("Liked it", "Hated it"), 512)
    question = Question("Will they like it?", system)
    assert is_made_by_transformers(builder, question) == is_plain
    text = model_card(replace(FACTS, question=question, is_plain=is_plain), FIGURES)
    assert ("```python" in text) == is_plain
    assert ("likely predict" in text) != is_plain


@pytest.fixture(scope="module")
def saved(tiny_base, builder, tmp_path_factory):
    """An adapter with random weights, and the folder of a run that holds it."""
    folder, model = tmp_path_factory.mktemp("run"), fresh_model(tiny_base)
    model.save_pretrained(folder)
    builder.tokenizer.save_pretrained(folder)
    return model, folder


@pytest.mark.parametrize("system", [None, 'Say "Yes" or {no}.'])
@pytest.mark.parametrize("has_instruction", [True, False])
def test_the_code_of_the_page_gives_our_scores(
    tiny_base, builder, saved, records, monkeypatch, system, has_instruction
):
    model, folder = saved
    record = replace(records[0], system=system or "")
    plan = PassPlan("padded", Budget(1000), builder.first_tokens)
    (expected,) = score(model.eval(), model.get_base_model(), builder.encode_all([record]), plan).p_yes
    question = Question(record.instruction if has_instruction else None, system)
    facts = replace(FACTS, location=str(tiny_base), question=question, first_tokens=builder.first_tokens)
    assert is_made_by_transformers(builder, question)
    monkeypatch.chdir(folder)
    names = {}
    exec(loading_code(facts), names)
    text = record.input if has_instruction else f"{record.instruction}\n{record.input}"
    assert names["p_yes"](text) == pytest.approx(expected, rel=1e-4)
    assert expected != pytest.approx(float(torch.tensor(0.0).sigmoid()))
