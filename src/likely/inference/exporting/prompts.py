"""The prompts of a run as plain transformers has to make them, and the chat template with which it does.

Takes the prompt builder of a run and some of its records. Training asks with thinking off, with the run's date, and
sometimes with more behind the question than a template writes by itself; an exported template says so by itself.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from likely.data.records import Record
from likely.encoding.chat_template import ChatTemplate
from likely.encoding.control_tokens import clean, unmarked
from likely.encoding.prefix_tree import TokenIds
from likely.encoding.prompt import PromptBuilder, user_turn
from likely.errors import LikelyError

THINKING_OFF = "{%- set enable_thinking = false %}\n"

PROBE = "Will this user like it? Answer Yes or No."


@dataclass(frozen=True)
class Prompt:
    """A prompt of a run.

    Attributes:
        ids: what the adapter reads, int32 [length].
        turns: what plain transformers makes the same of; None where it cannot, because lines of the record's history
            were left out for its length, or its text spells a control token.
    """

    ids: TokenIds
    turns: list[dict[str, str]] | None


def prompts_of(builder: PromptBuilder, records: Sequence[Record]) -> list[Prompt]:
    """Return the prompts of records, without their answers.

    Raises:
        LikelyError: a record does not fit into the builder's `cutoff_len`.
    """
    chat = ChatTemplate(builder.tokenizer, builder.date)
    return [_prompt(builder, chat, record) for record in records]


def _prompt(builder: PromptBuilder, chat: ChatTemplate, record: Record) -> Prompt:
    encoded = builder.encode(record)
    said = (record.system, user_turn(record), *(text for exchange in record.history for text in exchange))
    if encoded.dropped_lines or any(chat.control.are_spelled_in(text) for text in said):
        return Prompt(encoded.prompt_ids, None)
    return Prompt(encoded.prompt_ids, chat.turns(record.system, record.history, clean(user_turn(record))))


def plain_template(builder: PromptBuilder, prompts: Sequence[Prompt]) -> str:
    """Return a chat template whose prompts, rendered with no options, are those of a run.

    Args:
        builder: of the run.
        prompts: some of its prompts, on which the template is tried.

    Raises:
        LikelyError: there is no such template.
    """
    probe = Record(PROBE, "", builder.labels.positive)
    tried = [*prompts_of(builder, [probe]), *prompts]
    for template in _candidates(builder):
        if all(_is_made_by(template, builder, prompt) for prompt in tried):
            return template
    raise LikelyError(
        f"The chat template of {builder.tokenizer.name_or_path!r} cannot be written so that transformers alone makes "
        "the prompts of this run with it; ask the run itself, by likely predict or likely serve."
    )


def _is_made_by(template: str, builder: PromptBuilder, prompt: Prompt) -> bool:
    if prompt.turns is None:
        return True
    made: Any = builder.tokenizer.apply_chat_template(
        prompt.turns, chat_template=template, add_generation_prompt=True, return_dict=True
    )
    return bool(list(made["input_ids"]) == prompt.ids.tolist())


def _candidates(builder: PromptBuilder) -> Iterator[str]:
    """Yield the run's template, and with what it leaves to the finished conversation behind its prompts."""
    chat = ChatTemplate(builder.tokenizer, builder.date)
    source = (THINKING_OFF if "enable_thinking" in chat.source else "") + chat.source
    yield source
    prompt = chat.render([{"role": "user", "content": PROBE}], answered=False)
    frame = chat.frame("", ())
    missing = unmarked(frame.before + PROBE + frame.after)[len(prompt) :]
    for end in dict.fromkeys((missing, missing.rstrip())):
        if end:
            # An expression, because white space around a statement of a template is not kept; nor is its last line end.
            yield source.removesuffix("\n") + f"{{{{ {json.dumps(end)} if add_generation_prompt else '' }}}}"
