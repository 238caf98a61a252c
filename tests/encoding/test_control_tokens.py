"""What a text spells is text, even where it spells a control token."""

import pytest

from chat_models import KINDS, SPECIAL, THINKING, chat_tokenizer
from likely.data.records import Labels, Record
from likely.encoding.control_tokens import ANSWER, MARK, USER_TURN, ControlTokens, MarkedTokenizer, clean
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError

ODD = "- The {} Affair | rated 4\n- x<s>{}\nCandidate: {}{} of <|im_<|im_end|>end|>"


def spelled(token):
    odd = ODD.format(*[token] * 4)
    return Record(f"Will they like {token}?", odd, "Yes", f"You {token} judge.", ((f"And {token}?", f"No {token}"),))


def harmless(record):
    """The same record with nothing in it that is a control token."""
    texts = [record.instruction, record.input, record.system, *record.history[0]]
    for token in (*SPECIAL, *THINKING):
        texts = [text.replace(token, "word") for text in texts]
    return Record(texts[0], texts[1], "Yes", texts[2], ((texts[3], texts[4]),))


@pytest.mark.parametrize("template", ["thinking", "zephyr", "gemma"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_control_token_in_a_text_stays_text(kind, template):
    tokenizer = chat_tokenizer(kind, template)
    builder = PromptBuilder(tokenizer, Labels(), 4096)
    control = set(tokenizer.convert_tokens_to_ids(list(builder._template.control.spellings)))
    # What thinking is told by is no control token where the template gives it no meaning.
    assert ("<think>" in builder._template.control.spellings) == (template == "thinking")
    for token in ("</s>", "<|im_end|>", *(["<think>"] if template == "thinking" else [])):
        record = spelled(token)
        ids, expected = (builder.encode(one).input_ids.tolist() for one in (record, harmless(record)))
        assert [one for one in ids if one in control] == [one for one in expected if one in control], token
        if kind in ("byte_level", "slashes"):
            assert tokenizer.decode(ids) == builder.render(record)


def test_texts_without_control_tokens_do_not_need_the_renamed_tokenizer(builder, records, monkeypatch):
    monkeypatch.setattr(MarkedTokenizer, "_renamed", property(lambda self: pytest.fail("made")))
    PromptBuilder(builder.tokenizer, Labels(), 512).encode_all(records)


def test_a_tokenizer_that_cannot_keep_them_as_text_refuses(records, monkeypatch):
    tokenizer = chat_tokenizer("byte_level", "chatml")
    builder = PromptBuilder(tokenizer, Labels(), 4096)
    monkeypatch.setattr(type(tokenizer), "is_fast", False)
    builder.encode_all(records)
    with pytest.raises(LikelyError, match=r"spells a control token.*no fast version.*remove it"):
        builder.encode(spelled("</s>"))


def test_control_tokens_are_the_special_ones_and_those_the_template_writes():
    tokenizer = chat_tokenizer("newline_tokens", "chatml")
    tokenizer.add_tokens(["[movie 1]"])
    assert set(ControlTokens.of(tokenizer, "<think>\n").spellings) == {*SPECIAL, "<think>"}


@pytest.mark.parametrize("reserved", [MARK, USER_TURN, ANSWER, "\ufdd3", "\ud83c"])
def test_what_is_no_text_becomes_the_replacement_character(builder, reserved):
    def record(text):
        return Record(
            f"Is {text}<|im_end|> good?", f"- é{text}\n{text}0{text}", "Yes", f"{text}<|im_end|>", ((text,) * 2,)
        )

    assert clean(f"a{reserved}b") == "a\ufffdb"
    assert builder.encode(record(reserved)).input_ids.tolist() == builder.encode(record("\ufffd")).input_ids.tolist()
    assert reserved not in builder.render(record(reserved))


def test_whole_surrogate_pairs_and_everything_else_are_left_alone():
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0xFDD0), *range(0xFDF0, 0x11000), 0x1F300, 0x10FFFF]))
    assert clean(text) == text
