"""The only place where a record becomes token ids.

Takes records (`data.records`) and a tokenizer; training, evaluation, inference and the audit all go
through :class:`PromptBuilder`, so that they cannot disagree about what the model reads. What it
returns goes to `batches`.

A prompt is what the tokenizer's own chat template (`chat_template`) writes before an answer, with thinking switched
off and the record's instruction and input as the user's turn. The answer is the first thing the assistant says.
"""

import datetime
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from likely.data.records import Labels, Record
from likely.encoding.chat_template import ChatTemplate, template_depends_on_date
from likely.encoding.control_tokens import MarkedTokenizer, clean, unmarked
from likely.encoding.prefix_tree import TokenIds, shared_length
from likely.encoding.prompt_lines import PROBE, prompt_lines
from likely.encoding.shortening import HISTORY_LINE, droppable_items, last_run, lines_to_drop, without_items
from likely.errors import LikelyError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LINES_KEPT, CHARACTERS_KEPT = 500_000, 50_000_000
"""Lines whose ids a builder keeps, and characters of them together: there may be any number, and of any length."""


@dataclass(frozen=True)
class EncodedRecord:
    """One record as the model sees it.

    Attributes:
        input_ids: the prompt and all but the last token of the answer, int32 [length].
        answer: token ids of the right label; they are predicted at the last `len(answer)`
            positions of `input_ids`, the first of them by the last token of the prompt.
        liked: whether the right label is the positive one.
        dropped_lines: lines of history, earlier turns and items of lists left out because of `cutoff_len`.
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

    @property
    def prompt_ids(self) -> TokenIds:
        """The prompt alone, int32."""
        return self.input_ids[: len(self.input_ids) - len(self.answer) + 1]


class _Text(NamedTuple):
    """A prompt in three pieces, control tokens of the template marked: before the user's turn, the turn, after it."""

    before: str
    turn: str
    after: str


@dataclass
class PromptBuilder:
    """Renders records with one tokenizer, one pair of labels and one length limit.

    Lines are tokenised once each and joined, which gives the very ids of the whole text for byte-level tokenizers,
    and for most others if each line is read after a line end. Where neither does (checked at the start), whole texts
    are tokenised.

    The ids of a label are found in the tokenised conversation, because some tokenizers join the white space before an
    answer to it. A prompt is what comes before them.

    Args:
        tokenizer: a tokenizer with a chat template.
        labels: what the model is to answer.
        cutoff_len: the most tokens of prompt and answer together.
        date: what the chat template takes for today, if it writes the date; by default the machine's date. Kept in
            the builder: None afterwards if the template does not write it.

    Raises:
        LikelyError: the tokenizer has no chat template or one that cannot be used, the labels begin with the same
            token, or a prompt with an answer is not the beginning of the finished conversation.
    """

    tokenizer: "PreTrainedTokenizerBase"
    labels: Labels
    cutoff_len: int
    date: datetime.date | None = None
    positive_ids: tuple[int, ...] = field(init=False)
    negative_ids: tuple[int, ...] = field(init=False)
    _template: ChatTemplate = field(init=False)
    _tokenize: MarkedTokenizer = field(init=False)
    _line_start: str | None = field(init=False)
    _line_ids: dict[tuple[str, str], TokenIds] = field(init=False, default_factory=dict)
    _characters: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Find the ids of the labels, and check what every later call relies on."""
        dated = template_depends_on_date(self.tokenizer)
        self.date = (self.date or datetime.date.today()) if dated else None
        self._template = ChatTemplate(self.tokenizer, self.date)
        self._tokenize = MarkedTokenizer(self.tokenizer, self._template.control)
        probe = self._text(Record(PROBE, "", self.labels.positive))
        self.positive_ids, self.negative_ids = self._find_answers("".join(probe))
        self._line_start = self._choose_line_start("".join(probe))
        self._check_conversation(probe)

    @property
    def first_tokens(self) -> tuple[int, int]:
        """First token of the positive and of the negative label; they differ."""
        return self.positive_ids[0], self.negative_ids[0]

    @property
    def longest_answer(self) -> int:
        """Tokens of the longer label, for which every prompt leaves room, so that none depends on its answer."""
        return max(len(self.positive_ids), len(self.negative_ids))

    def encode(self, record: Record) -> EncodedRecord:
        """Return the token ids of a record, without the oldest of its history where it is too long; see `shortening`.

        Raises:
            LikelyError: the record is longer than `cutoff_len` even without its history; names file and row.
        """
        answer = self.positive_ids if record.output == self.labels.positive else self.negative_ids
        prompt, dropped = self._fit(record, self.cutoff_len - self.longest_answer)
        input_ids = np.concatenate([prompt, np.array(answer[:-1], np.int32)])
        return EncodedRecord(input_ids, answer, record.output == self.labels.positive, dropped)

    def encode_all(self, records: Iterable[Record]) -> list[EncodedRecord]:
        """Return :meth:`encode` of every record, in order."""
        return [self.encode(record) for record in records]

    def render(self, record: Record) -> str:
        """Return the whole prompt as text, up to the answer, before anything is left out for length."""
        return unmarked("".join(self._text(record)))

    def closing(self, record: Record) -> str:
        """Return what stands between a question and its answer."""
        return unmarked(self._text(record).after)

    def fingerprint(self) -> str | None:
        """Return all that decides what a record is encoded to, besides the record and this code.

        None for tokenizers that cannot be written down as a text.
        """
        if not self.tokenizer.is_fast:
            return None
        template = (self._template.source, self.tokenizer.special_tokens_map)
        rules: str = self.tokenizer.backend_tokenizer.to_str()
        return repr((self.labels, self.cutoff_len, template)) + rules

    def _text(self, record: Record) -> _Text:
        whole = clean(user_turn(record))
        turn = whole.strip()  # a template may strip it too, and the frame knows what it keeps
        lead = whole[: len(whole) - len(whole.lstrip())]
        frame = self._template.frame(record.system, record.history, lead, whole[len(lead) + len(turn) :])
        return _Text(frame.before, turn, frame.after)

    def _pieces(self, text: _Text) -> list[str]:
        """Return the lines of a prompt and the positive label; :meth:`_prompt_ids` takes the label off again."""
        return prompt_lines(f"{text.before}{text.turn}{text.after}{self.labels.positive}")

    def _fit(self, record: Record, room: int) -> tuple[TokenIds, int]:
        """Return the ids of a prompt that has at most `room` tokens, and how much of its history that took."""
        turns = 0
        while record.history and len(self._prompt_ids(self._pieces(self._text(record)))) > room:
            record, turns = replace(record, history=record.history[1:]), turns + 1
        prompt, dropped = self._without_lines(record, room)
        items = droppable_items(record) if len(prompt) > room else 0
        if items:
            shorter = [partial(without_items, record, count) for count in range(1, items + 1)]
            fits = bisect_left(shorter[:-1], True, key=lambda cut: len(self._without_lines(cut(), room)[0]) <= room)
            prompt, dropped = self._without_lines(shorter[fits](), room)
            items = fits + 1
        if len(prompt) > room:
            raise self._too_long(record, len(prompt) + self.cutoff_len - room)
        return prompt, turns + dropped + items

    def _without_lines(self, record: Record, room: int) -> tuple[TokenIds, int]:
        """Return the ids of a prompt without its oldest history lines, and how many; without all if it is too long."""
        text = self._text(record)
        pieces = self._pieces(text)
        prompt = self._prompt_ids(pieces)
        history = self._history_places(record, text, pieces) if len(prompt) > room else []
        dropped = 0
        while history and len(prompt) > room:
            lengths = [len(self._line(pieces[place], self._line_start or "")) for place in history]
            count = lines_to_drop(lengths, len(prompt) - room, self.cutoff_len if record.is_cut_at_anchors else None)
            left_out = set(history[:count])
            pieces = [piece for place, piece in enumerate(pieces) if place not in left_out]
            history = [place - count for place in history[count:]]
            dropped += count
            prompt = self._prompt_ids(pieces)
        return prompt, dropped

    def _history_places(self, record: Record, text: _Text, pieces: Sequence[str]) -> list[int]:
        """Return which lines of a prompt are history, oldest first.

        Lines of the input can be history, or where there is none the last list of the instruction; the last line never
        is, which asks the question.
        """
        starts = np.cumsum([0] + [len(piece) for piece in pieces[:-1]])
        lead = len(user_turn(record)) - len(user_turn(record).lstrip())
        first = len(text.before) + (max(len(record.instruction) - lead, -1) if record.input else -1)
        inside = np.flatnonzero((starts > first) & (starts < len(text.before) + len(text.turn)))
        places = [int(place) for place in inside[:-1] if HISTORY_LINE.match(pieces[place])]
        return places if record.input else last_run(places)

    def _prompt_ids(self, pieces: Sequence[str]) -> TokenIds:
        """Return the ids of the lines of a prompt, without those of the positive label that ends them."""
        ids = self._join(pieces, self._line_start)
        count = len(self.positive_ids)
        if tuple(ids[-count:].tolist()) != self.positive_ids:
            raise LikelyError(
                f"The tokenizer of {self.tokenizer.name_or_path!r} reads the answer {self.labels.positive!r} "
                f"differently after {unmarked(pieces[-1])[-60:]!r}; choose another chat or instruct model."
            )
        return ids[:-count]

    def _join(self, pieces: Sequence[str], start: str | None) -> TokenIds:
        """Return the ids of lines, each tokenised after `start`; of the whole text if that is None."""
        if start is None:
            return self._tokenize("".join(pieces))
        return np.concatenate([self._line(pieces[0], ""), *(self._line(piece, start) for piece in pieces[1:])])

    def _line(self, line: str, start: str) -> TokenIds:
        """Return the ids of a line that stands after `start`, tokenised once."""
        key = (start, line)
        if key not in self._line_ids:
            self._characters += len(line)
            if len(self._line_ids) >= LINES_KEPT or self._characters > CHARACTERS_KEPT:
                self._line_ids.clear()
                self._characters = len(line)
            skipped = len(self._tokenize(start)) if start else 0
            self._line_ids[key] = self._tokenize(start + line)[skipped:]
        return self._line_ids[key]

    def _too_long(self, record: Record, needed: int) -> LikelyError:
        which = f"{record.place}, which" if record.place else "the record that"
        return LikelyError(
            f"cutoff_len {self.cutoff_len} is too small: without any history {which} ends {user_turn(record)[-60:]!r} "
            f"still needs {needed} tokens; set cutoff_len to at least {needed}."
        )

    def _find_answers(self, prompt: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the ids of both labels after a prompt: from where these and any other answer begin to differ."""
        positive, negative = self.labels.positive, self.labels.negative
        others = [self._tokenize(prompt + end) for end in "QZX07" if end not in (positive[0], negative[0])]
        positive_text, negative_text = self._tokenize(prompt + positive), self._tokenize(prompt + negative)
        start = shared_length(positive_text, negative_text)
        start = min(start, max(shared_length(positive_text, other) for other in others))
        positive_ids, negative_ids = tuple(positive_text[start:].tolist()), tuple(negative_text[start:].tolist())
        if positive_ids[0] == negative_ids[0]:
            raise LikelyError(
                f"The labels {positive!r} and {negative!r} begin with the same token in the tokenizer of "
                f"{self.tokenizer.name_or_path!r}; choose two that differ in their first token."
            )
        return positive_ids, negative_ids

    def _choose_line_start(self, prompt: str) -> str | None:
        """Return after what each line is to be tokenised so that all together are the prompt; None if nothing helps."""
        whole = self._tokenize(prompt)
        starts = (start for start in ("", "\n") if np.array_equal(self._join(prompt_lines(prompt), start), whole))
        return next(starts, None)

    def _check_conversation(self, probe: _Text) -> None:
        """Check that a prompt and an answer are the ids with which the finished conversation begins."""
        prompt = self._prompt_ids(self._pieces(probe)).tolist()
        for label, ids in ((self.labels.positive, self.positive_ids), (self.labels.negative, self.negative_ids)):
            finished = self._template.check_answer(probe.turn, label)
            whole = self.tokenizer(finished, add_special_tokens=False)["input_ids"]
            if whole[: len(prompt) + len(ids)] != [*prompt, *ids]:
                raise LikelyError(
                    f"The tokenizer of {self.tokenizer.name_or_path!r} reads the answer {label!r} differently where "
                    "the chat template goes on after it; choose another chat or instruct model."
                )


def user_turn(record: Record) -> str:
    """Return what the user says last: the instruction and below it the input."""
    return f"{record.instruction}\n{record.input}" if record.input else record.instruction
