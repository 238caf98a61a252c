"""What stands for a tokenizer and its template differs where prompts do, and nowhere else."""

import copy
import datetime

import pytest

from likely.data.records import Labels
from likely.encoding.prompt import PromptBuilder
from likely.encoding.reading import reading_of

DAY, USUAL = datetime.date(2025, 3, 1), Labels("Yes", "No")


@pytest.fixture
def tokenizer(builder):
    return copy.deepcopy(builder.tokenizer)


def reading(tokenizer, labels=USUAL, cutoff_len=512, date=None):
    return reading_of(PromptBuilder(tokenizer, labels, cutoff_len, date))


def test_it_is_the_same_for_other_answers_lengths_and_days(tokenizer):
    usual = reading(tokenizer)
    assert usual == reading(tokenizer, Labels("No", "Yes"), 64, DAY)
    tokenizer.chat_template = "{# other words that nobody reads #}" + tokenizer.chat_template
    assert reading(tokenizer) == usual


def test_a_template_that_writes_the_date_reads_the_same_on_every_day(tokenizer):
    tokenizer.chat_template = "{{ strftime_now('%d %b %Y') }}\n" + tokenizer.chat_template
    assert reading(tokenizer, date=DAY) == reading(tokenizer, date=DAY.replace(year=2026))


def test_a_tokenizer_that_was_written_and_read_again_is_the_same(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    assert reading(AutoTokenizer.from_pretrained(tmp_path)) == reading(tokenizer)


@pytest.mark.parametrize(
    "template",
    [
        "Be brief.\n{template}",
        "{{% if messages[0].role == 'system' %}}Mind: {{% endif %}}{template}",
        "{{% if messages | length > 2 %}}Once more: {{% endif %}}{template}",
    ],
)
def test_another_template_reads_otherwise_in_whatever_form_of_record(tokenizer, template):
    usual = reading(tokenizer)
    tokenizer.chat_template = template.format(template=tokenizer.chat_template)
    assert reading(tokenizer) != usual


def test_a_tokenizer_that_folds_letters_reads_otherwise(tokenizer):
    from tokenizers import normalizers

    usual = reading(tokenizer)
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert reading(tokenizer) != usual
