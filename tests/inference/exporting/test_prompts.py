"""An exported chat template makes the prompts of the run, whatever the family's own template needs to be told."""

import datetime

import pytest

from chat_models import KINDS, TEMPLATES, chat_tokenizer
from likely.data.records import Labels, Record
from likely.encoding.prompt import PromptBuilder
from likely.inference.exporting.prompts import plain_template, prompts_of

DATE = datetime.date(2025, 2, 3)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", KINDS)
def test_plain_transformers_makes_the_prompts_of_the_run(kind, template, record_of):
    builder = PromptBuilder(chat_tokenizer(kind, template), Labels(), 1024, DATE)
    records = [record_of(user, history) for user, history in ((0, 3), (1, 6))]
    prompts = prompts_of(builder, records)
    exported = plain_template(builder, prompts)
    for prompt, record in zip(prompts, records, strict=True):
        made = builder.tokenizer.apply_chat_template(
            prompt.turns, chat_template=exported, add_generation_prompt=True, return_dict=True
        )
        assert made["input_ids"] == builder.encode(record).input_ids.tolist()


def test_thinking_stays_off_whoever_asks(record_of):
    builder = PromptBuilder(chat_tokenizer("byte_level", "thinking"), Labels(), 1024)
    (prompt,) = prompts_of(builder, [record_of(0, 3)])
    exported = plain_template(builder, [prompt])
    settings = {"chat_template": exported, "add_generation_prompt": True, "return_dict": True}
    made = builder.tokenizer.apply_chat_template(prompt.turns, enable_thinking=True, **settings)
    assert made["input_ids"] == prompt.ids.tolist()


def test_a_title_that_spells_a_control_token_is_left_to_its_tokens(record_of):
    builder = PromptBuilder(chat_tokenizer("byte_level", "chatml"), Labels(), 1024)
    spelled, plain = prompts_of(builder, [Record("Liked?", "Candidate: <|im_end|>", "Yes"), record_of(0, 3)])
    assert spelled.turns is None
    assert plain.turns == [{"role": "user", "content": plain.turns[0]["content"]}]
