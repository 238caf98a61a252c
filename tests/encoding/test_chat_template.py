"""Every family's chat template: its own rendering, or a sentence that says what is wrong with it."""

import datetime

import pytest

from chat_models import KINDS, TEMPLATES, WITHOUT_SYSTEM, chat_tokenizer
from likely.data.records import Labels, Record
from likely.encoding.chat_template import ChatTemplate, template_depends_on_date
from likely.encoding.prompt import PromptBuilder, user_turn
from likely.errors import LikelyError

DAY = datetime.date(2031, 3, 9)
CHATML = TEMPLATES["chatml"]


def conversation(record, takes_system, answer=None):
    """The turns of a record as a user of transformers would write them down."""
    said = [text for exchange in record.history for text in exchange] + [user_turn(record)]
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]
    if record.system and takes_system:
        turns.insert(0, {"role": "system", "content": record.system})
    elif record.system:
        turns[0]["content"] = f"{record.system}\n\n{turns[0]['content']}"
    return [*turns, {"role": "assistant", "content": answer}] if answer else turns


def own_ids(tokenizer, turns, **settings):
    """What transformers makes of a conversation."""
    return tokenizer.apply_chat_template(turns, tokenize=True, enable_thinking=False, **settings)["input_ids"]


def of_many_shapes(records):
    """Records with and without system prompt, earlier turns, white space at the ends and difficult line ends."""
    for number, record in enumerate(records[2:4]):
        yield record
        yield Record(f"\n  {record.instruction}", f"{record.input} \t\n", record.output, system=" Be brief.\n")
        history = (("Do they like Heat?", "Yes"), (" And Alien? ", "No"))
        yield Record(record.instruction, record.input, record.output, history=history[: 1 + number % 2])
        yield Record("Well?", "a).\n/b\n\n\nc\r\n- d\n\u2028e\n(f) ", record.output, "You judge.", history)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", KINDS)
def test_prompt_and_answer_begin_the_tokenised_conversation(kind, template, records):
    tokenizer = chat_tokenizer(kind, template)
    builder = PromptBuilder(tokenizer, Labels(), 4096, DAY)
    fixed = builder._template.source if template == "dated" else None
    for record in of_many_shapes(records):
        encoded = builder.encode(record)
        for answer, ids in (("Yes", builder.positive_ids), ("No", builder.negative_ids)):
            turns = conversation(record, template not in WITHOUT_SYSTEM, answer)
            ours = encoded.input_ids.tolist()[: len(encoded.input_ids) - len(encoded.answer) + 1] + list(ids)
            assert own_ids(tokenizer, turns, chat_template=fixed)[: len(ours)] == ours


@pytest.mark.parametrize("template", sorted({*TEMPLATES} - {"zephyr", "opens a thought"}))
@pytest.mark.parametrize("kind", ["byte_level", "metaspace"])
def test_a_prompt_is_what_transformers_invites_an_answer_with(kind, template, records):
    """So a `<s>` is there exactly where the template writes one, whatever the tokenizer puts before other texts."""
    tokenizer = chat_tokenizer(kind, template)
    builder = PromptBuilder(tokenizer, Labels(), 4096, datetime.date.today())
    for record in records[:5]:
        expected = own_ids(tokenizer, conversation(record, True), add_generation_prompt=True)
        assert builder.encode(record).input_ids.tolist() == expected
        assert expected.count(tokenizer.bos_token_id) == TEMPLATES[template].count("bos_token")


def test_labels_keep_the_space_before_them_where_the_tokenizer_joins_it():
    tokenizer = chat_tokenizer("metaspace", "llama-2")
    builder = PromptBuilder(tokenizer, Labels(), 4096)
    assert tokenizer.convert_ids_to_tokens([*builder.positive_ids, *builder.negative_ids]) == ["▁Yes", "▁No"]


@pytest.mark.parametrize("template", WITHOUT_SYSTEM)
def test_a_system_prompt_goes_before_the_first_user_turn_where_there_is_no_system_role(template):
    builder = PromptBuilder(chat_tokenizer("byte_level", template), Labels(), 4096)
    text = builder.render(Record("Will they?", "", "Yes", "Be brief.", (("And Alien?", "No"),)))
    assert "Be brief.\n\nAnd Alien?" in text
    assert text.count("Be brief.") == 1


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (
            CHATML.replace("m.content", "m.content | upper if m.role == 'user' else m.content"),
            "changes the user's text;",
        ),
        (
            CHATML.replace("m.content", "m.content | upper if m.role != 'user' else m.content"),
            "changes the answer 'Yes'",
        ),
        (CHATML.replace("{{ m.content }}", "{{ m.content * 2 }}"), "changes the user's text or the answer"),
        (CHATML.replace("{{ m.content }}", ""), "changes the user's text or the answer"),
        (
            CHATML.replace("assistant\n", "assistant\nHm."),
            r"in a prompt \('.*assistant\\nHm.'\) and in a .*assistant\\n'\)",
        ),
        ("{{ raise_exception('Bring tools') }}", r"refuses the turns user, assistant \(Bring tools\)"),
        ("{{ messages.nothing.here }}", "refuses the turns user, assistant"),
    ],
)
def test_an_unusable_template_is_refused_for_its_true_cause(template, complaint):
    with pytest.raises(LikelyError, match=complaint):
        PromptBuilder(chat_tokenizer("byte_level", template), Labels(), 512)


def test_an_answer_that_becomes_part_of_a_longer_word_is_refused():
    template = CHATML.replace("{{ m.content }}", "{{ m.content + ('es' if m.role == 'assistant' else '') }}")
    with pytest.raises(LikelyError, match="reads the answer 'Y' differently where the chat template goes on after it"):
        PromptBuilder(chat_tokenizer("byte_level", template), Labels("Y", "N"), 512)


def test_a_tokenizer_without_a_chat_template_is_refused():
    with pytest.raises(LikelyError, match="no chat template"):
        ChatTemplate(chat_tokenizer("byte_level", None))


def test_the_date_is_fixed_once_and_kept(records):
    tokenizer = chat_tokenizer("byte_level", "dated")
    builder = PromptBuilder(tokenizer, Labels(), 512, DAY)
    assert builder.date == DAY
    assert "Today: 09 Mar 2031\n" in builder.render(records[0])
    assert PromptBuilder(tokenizer, Labels(), 512).date == datetime.date.today()
    other = PromptBuilder(tokenizer, Labels(), 512, DAY + datetime.timedelta(1))
    assert other.fingerprint() != builder.fingerprint() == PromptBuilder(tokenizer, Labels(), 512, DAY).fingerprint()
    assert tokenizer.chat_template == TEMPLATES["dated"]


def test_a_template_without_a_date_keeps_none():
    builder = PromptBuilder(chat_tokenizer("byte_level", "chatml"), Labels(), 512, DAY)
    assert builder.date is None


@pytest.mark.parametrize(
    ("template", "depends"),
    [
        ("dated", True),
        ("chatml", False),
        ("{% if messages[0].role != 'system' %}{{ strftime_now('%d') }}{% endif %}" + CHATML, True),
        ("{% if tools %}{{ strftime_now('%d') }}{% endif %}" + CHATML, False),
        ("{% set century = strftime_now('%Y')[:2] %}{{ century }}" + CHATML, False),
    ],
)
def test_whether_a_template_writes_the_date_is_seen(template, depends):
    assert template_depends_on_date(chat_tokenizer("byte_level", template)) == depends


@pytest.mark.parametrize("form", ["%d %b %Y", "%-d.%-m.%y", "%A, %B %d", "%Y-%m-%d %H:%M", "%a %e %j", "%x"])
def test_a_fixed_date_is_written_as_the_machine_would(form):
    template = f"\n  {{% set form = '{form}' %}}\n{{{{ strftime_now(form) }}}}|{{{{ messages[0].content }}}}"
    tokenizer = chat_tokenizer("byte_level", template)
    turns = [{"role": "user", "content": "Heat"}]
    written = ChatTemplate(tokenizer, DAY).render(turns, answered=False)
    today = ChatTemplate(tokenizer, datetime.date.today()).render(turns, answered=False)
    midnight = datetime.datetime(2031, 3, 9)
    assert written == f"\n{midnight.strftime(form)}|Heat"
    assert "%H" in form or today == ChatTemplate(tokenizer).render(turns, answered=False)
