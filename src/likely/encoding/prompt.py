"""The only place where a record becomes token ids.

Takes records (`records`) and a tokenizer; training, evaluation, inference and the audit all go
through :class:`PromptBuilder`, so that they cannot disagree about what the model reads. What it
returns goes to `batching`.

A prompt is the tokenizer's own chat template with thinking switched off, the record's instruction
and input as the user's turn. The answer is the first thing the assistant says.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from likely.data.records import Labels, Record
from likely.encoding.prefix_tree import TokenIds
from likely.errors import LikelyError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HISTORY_LINE = re.compile(r"^\s*[-*•] ")
"""What a line of a record's input looks like if it may be left out of an over-long prompt."""

_LINE_END = re.compile(r"(?<=\S\n)(?=\S)")  # a run of white space is one token to some tokenizers
_USER_TURN = "\x00the user's turn\x00"
_PROBE = (
    "Rated so far:\n- Heat (1995) | Action, Crime | rated 4.5\n- Élisa (1995) | Drama | rated 2\n\nCandidate: Se7en"
)


@dataclass(frozen=True)
class EncodedRecord:
    """One record as the model sees it.

    Attributes:
        input_ids: the prompt and all but the last token of the answer, int32 [length].
        answer: token ids of the right label; they are predicted at the last `len(answer)`
            positions of `input_ids`, the first of them by the last token of the prompt.
        liked: whether the right label is the positive one.
        dropped_lines: history lines left out because of `cutoff_len`.
    """

    input_ids: TokenIds
    answer: tuple[int, ...]
    liked: bool
    dropped_lines: int = 0

    @property
    def answer_positions(self) -> TokenIds:
        """Positions of `input_ids` that predict the tokens of the answer, int32 [len(answer)]."""
        length = len(self.input_ids)
        return np.arange(length - len(self.answer), length, dtype=np.int32)


@dataclass
class PromptBuilder:
    """Renders records with one tokenizer, one pair of labels and one length limit.

    History lines are tokenised once each and joined, which for byte-level tokenizers gives the very
    ids of the whole text; where it does not (checked at the start), whole texts are tokenised.

    Args:
        tokenizer: a tokenizer with a chat template.
        labels: what the model is to answer.
        cutoff_len: the most tokens of prompt and answer together.

    Raises:
        LikelyError: the tokenizer has no chat template, the labels begin with the same token, or
            the template writes a finished conversation differently from a prompt with an answer.
    """

    tokenizer: "PreTrainedTokenizerBase"
    labels: Labels
    cutoff_len: int
    positive_ids: tuple[int, ...] = field(init=False)
    negative_ids: tuple[int, ...] = field(init=False)
    _joins_lines: bool = field(init=False)
    _line_ids: dict[str, TokenIds] = field(init=False, default_factory=dict)
    _frames: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[str, str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check what every later call relies on."""
        if not self.tokenizer.chat_template:
            raise LikelyError(
                f"The tokenizer of {self.tokenizer.name_or_path!r} has no chat template; "
                "choose a chat or instruct model."
            )
        self.positive_ids = tuple(self._tokenize(self.labels.positive).tolist())
        self.negative_ids = tuple(self._tokenize(self.labels.negative).tolist())
        if self.positive_ids[0] == self.negative_ids[0]:
            raise LikelyError(
                f"The labels {self.labels.positive!r} and {self.labels.negative!r} begin with the same token in the "
                f"tokenizer of {self.tokenizer.name_or_path!r}; choose two that differ in their first token."
            )
        whole = self._tokenize(_PROBE)
        self._joins_lines = np.array_equal(np.concatenate([self._tokenize(line) for line in lines(_PROBE)]), whole)
        self._check_template()

    @property
    def first_tokens(self) -> tuple[int, int]:
        """First token of the positive and of the negative label; they differ."""
        return self.positive_ids[0], self.negative_ids[0]

    def encode(self, record: Record) -> EncodedRecord:
        """Return the token ids of a record, without its oldest history lines where it is too long.

        Raises:
            LikelyError: the record is longer than `cutoff_len` even without its history.
        """
        answer = self.positive_ids if record.output == self.labels.positive else self.negative_ids
        room = self.cutoff_len - len(answer)
        pieces = self._pieces(record)
        prompt = self._join(pieces)
        history = self._history_places(record, pieces) if len(prompt) > room else []
        dropped = 0
        while len(prompt) > room:
            count = self._lines_to_drop([pieces[place] for place in history], len(prompt) - room, record)
            left_out = set(history[:count])
            pieces = [piece for place, piece in enumerate(pieces) if place not in left_out]
            history = [place - count for place in history[count:]]
            dropped += count
            prompt = self._join(pieces)
        input_ids = np.concatenate([prompt, np.array(answer[:-1], np.int32)])
        return EncodedRecord(input_ids, answer, record.output == self.labels.positive, dropped)

    def encode_all(self, records: Iterable[Record]) -> list[EncodedRecord]:
        """Return :meth:`encode` of every record, in order."""
        return [self.encode(record) for record in records]

    def render(self, record: Record) -> str:
        """Return the whole prompt as text, before anything is left out for length."""
        before, after = self._frame(record)
        return before + user_turn(record) + after

    def fingerprint(self) -> str | None:
        """Return all that decides what a record is encoded to, besides the record and this code.

        None for tokenizers that cannot be written down as a text.
        """
        if not self.tokenizer.is_fast:
            return None
        template = (self.tokenizer.chat_template, self.tokenizer.special_tokens_map)
        rules: str = self.tokenizer.backend_tokenizer.to_str()
        return repr((self.labels, self.cutoff_len, template)) + rules

    def _pieces(self, record: Record) -> list[str]:
        before, after = self._frame(record)
        return lines(before + user_turn(record) + after)

    def _history_places(self, record: Record, pieces: Sequence[str]) -> list[int]:
        """Return which lines of a prompt are history, oldest first.

        Only lines of the input can be history, and never its last one, which asks the question.
        """
        before, _ = self._frame(record)
        starts = np.cumsum([0] + [len(piece) for piece in pieces[:-1]])
        first, last = len(before) + len(record.instruction), len(before) + len(user_turn(record))
        inside = np.flatnonzero((starts > first) & (starts < last))
        return [int(place) for place in inside[:-1] if HISTORY_LINE.match(pieces[place])]

    def _frame(self, record: Record) -> tuple[str, str]:
        """Return what the chat template writes before and after the user's last turn, rendered once a context."""
        key = (record.system, record.history)
        if key not in self._frames:
            rendered = self._apply_template([*context(record), {"role": "user", "content": _USER_TURN}])
            before, found, after = rendered.partition(_USER_TURN)
            if not found:
                raise LikelyError(
                    f"The chat template of {self.tokenizer.name_or_path!r} changes the user's text; "
                    "choose another model."
                )
            self._frames[key] = (before, after)
        return self._frames[key]

    def _apply_template(self, conversation: Sequence[dict[str, str]], answered: bool = False) -> str:
        rendered = self.tokenizer.apply_chat_template(
            list(conversation), tokenize=False, add_generation_prompt=not answered, enable_thinking=False
        )
        assert isinstance(rendered, str)
        return rendered

    def _tokenize(self, text: str) -> TokenIds:
        return np.array(self.tokenizer(text, add_special_tokens=False)["input_ids"], np.int32)

    def _tokenize_line(self, line: str) -> TokenIds:
        if line not in self._line_ids:
            self._line_ids[line] = self._tokenize(line)
        return self._line_ids[line]

    def _join(self, pieces: Sequence[str]) -> TokenIds:
        if self._joins_lines:
            return np.concatenate([self._tokenize_line(piece) for piece in pieces])
        return self._tokenize("".join(pieces))

    def _lines_to_drop(self, history: Sequence[str], excess: int, record: Record) -> int:
        """Return how many of the oldest history lines hold `excess` tokens."""
        for count, line in enumerate(history, start=1):
            excess -= len(self._tokenize_line(line))
            if excess <= 0:
                return count
        raise LikelyError(
            f"cutoff_len {self.cutoff_len} is too small: without any history line the record that ends "
            f"{user_turn(record)[-60:]!r} still needs {self.cutoff_len + excess} tokens; "
            f"set cutoff_len to at least {self.cutoff_len + excess}."
        )

    def _check_template(self) -> None:
        """Check that a prompt followed by an answer is what the template makes of the whole conversation."""
        record = Record(instruction="Will they like it?", input="", output=self.labels.positive)
        prompt = self.render(record)
        direct = self._apply_template([{"role": "user", "content": user_turn(record)}])
        conversation = [
            {"role": "user", "content": user_turn(record)},
            {"role": "assistant", "content": record.output},
        ]
        whole = self._apply_template(conversation, answered=True)
        joined = np.concatenate([self._tokenize(prompt), np.array(self.positive_ids, np.int32)])
        if (
            prompt != direct
            or not whole.startswith(prompt + record.output)
            or not np.array_equal(joined, self._tokenize(prompt + record.output))
        ):
            raise LikelyError(
                f"The chat template of {self.tokenizer.name_or_path!r} writes a finished conversation differently from "
                "its prompt and the answer, so training and inference would not agree; choose another model."
            )


def lines(text: str) -> list[str]:
    """Split a text after its single line ends, where byte-level tokenizers split too; joined, they are the text."""
    return _LINE_END.split(text)


def user_turn(record: Record) -> str:
    """Return what the user says last: the instruction and below it the input."""
    return f"{record.instruction}\n{record.input}" if record.input else record.instruction


def context(record: Record) -> list[dict[str, str]]:
    """Return the turns before the user's last one: the system prompt, if any, and earlier exchanges."""
    turns = [{"role": "system", "content": record.system}] if record.system else []
    for question, answer in record.history:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return turns
