"""What a tokenizer's chat template writes around a question and its answer.

Takes a tokenizer and the turns before a question and gives the text around it as a :class:`Frame`, which `prompt`
fills in. A frame is cut out of the template's rendering of a whole conversation, so that training and inference
read what the model was taught to write, and is compared with the template's own prompt.
"""

import datetime
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from likely.encoding.control_tokens import ANSWER, USER_TURN, ControlTokens, unmarked
from likely.errors import LikelyError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Exchanges = tuple[tuple[str, str], ...]
"""Earlier questions and answers."""

KEPT_FRAMES, KEPT_CHARACTERS = 10_000, 20_000_000
"""Frames that are kept, and characters of them together; conversations may all have different ones, of any length."""

_DATE_FIELDS = "aAbBcdFGHIjmMpSuUVwWxXyY"
"""Of strftime's fields those that a template may ask for."""


@dataclass(frozen=True)
class Frame:
    """The text of a prompt around the user's last turn, its control tokens marked.

    Attributes:
        before: what stands before the turn.
        after: what stands between the turn and the answer.
    """

    before: str
    after: str


@dataclass
class ChatTemplate:
    """A tokenizer's chat template with thinking switched off.

    Args:
        tokenizer: a tokenizer with a chat template.
        date: what the template takes for today; None leaves it the machine's date.

    Raises:
        LikelyError: the tokenizer has no chat template.
    """

    tokenizer: "PreTrainedTokenizerBase"
    date: datetime.date | None = None
    source: str = field(init=False)
    control: ControlTokens = field(init=False)
    _frames: dict[tuple[str, Exchanges, str, str], Frame] = field(init=False, default_factory=dict)
    _characters: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Find the template's text and what counts as a control token in it."""
        try:
            source = self.tokenizer.get_chat_template()
        except ValueError:
            raise LikelyError(
                f"The tokenizer of {self.tokenizer.name_or_path!r} has no chat template; "
                "choose a chat or instruct model."
            ) from None
        self.control = ControlTokens.of(self.tokenizer, source)
        self.source = source if self.date is None else _with_date(source, self.date)

    def frame(self, system: str, history: Exchanges, lead: str = "", trail: str = "") -> Frame:
        """Return what stands around the user's last turn, rendered once for each combination of arguments.

        Args:
            system: the system prompt; empty for the template's own.
            history: earlier exchanges.
            lead: white space that the turn begins with; the frame has what the template keeps of it.
            trail: white space that it ends with.

        Raises:
            LikelyError: the template refuses the conversation, changes the user's text, or writes a prompt that is
                not the beginning of the finished conversation.
        """
        key = (system, history, lead, trail)
        if key not in self._frames:
            found = self._cut_out(self.turns(system, history, f"{lead}{USER_TURN}{trail}"))
            size = len(found.before) + len(found.after)
            self._characters += size
            if len(self._frames) >= KEPT_FRAMES or self._characters > KEPT_CHARACTERS:
                self._frames.clear()
                self._characters = size
            self._frames[key] = found
        return self._frames[key]

    def render(self, turns: list[dict[str, str]], answered: bool) -> str:
        """Return the template's rendering of a conversation, with what invites an answer if none is the last turn."""
        try:
            rendered = self.tokenizer.apply_chat_template(
                turns,
                chat_template=self.source,
                tokenize=False,
                add_generation_prompt=not answered,
                enable_thinking=False,
            )
        except TemplateError as error:
            roles = ", ".join(turn["role"] for turn in turns)
            raise self._refusal(f"refuses the turns {roles} ({error})") from error
        assert isinstance(rendered, str)
        return rendered

    def turns(self, system: str, history: Exchanges, question: str) -> list[dict[str, str]]:
        """Return a conversation up to a question; the system prompt goes before the user's text if it has to."""
        said = [text for exchange in history for text in exchange]
        texts = [*map(self.control.hide, said), question]
        turns = [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]
        if system and self._takes_system:
            return [{"role": "system", "content": self.control.hide(system)}, *turns]
        if system:
            turns[0]["content"] = f"{self.control.hide(system)}\n\n{turns[0]['content']}"
        return turns

    @cached_property
    def _takes_system(self) -> bool:
        """Whether the template writes a system prompt; some raise an error instead, and some leave it out."""
        turns = [{"role": "system", "content": ANSWER}, {"role": "user", "content": USER_TURN}]
        try:
            return ANSWER in self.render(turns, answered=False)
        except LikelyError:
            return False

    def _cut_out(self, turns: list[dict[str, str]]) -> Frame:
        finished = self.render([*turns, {"role": "assistant", "content": ANSWER}], answered=True)
        if finished.count(USER_TURN) != 1 or finished.count(ANSWER) != 1:
            raise self._refusal("changes the user's text or the answer")
        prompt = self.render(turns, answered=False)
        up_to_answer = finished.partition(ANSWER)[0]
        if not up_to_answer.startswith(prompt):
            tails = [text.partition(USER_TURN)[2][-80:] for text in (prompt, up_to_answer)]
            raise self._refusal(
                f"goes on differently after a question in a prompt ({tails[0]!r}) and in a finished conversation "
                f"({tails[1]!r}), so training and inference would not agree"
            )
        before, _, after = self.control.mark(up_to_answer).partition(USER_TURN)
        return Frame(before, after)

    def check_answer(self, question: str, answer: str) -> str:
        """Return the rendering of a question with its answer after checking that it is made of the frame.

        Raises:
            LikelyError: the template changes one of the texts.
        """
        frame = self.frame("", ())
        turns = [*self.turns("", (), question), {"role": "assistant", "content": answer}]
        finished = self.render(turns, answered=True)
        if not finished.startswith(unmarked(frame.before + question)):
            raise self._refusal("changes the user's text")
        if not finished.startswith(unmarked(frame.before + question + frame.after) + answer):
            raise self._refusal(f"changes the answer {answer!r}")
        return finished

    def _refusal(self, fault: str) -> LikelyError:
        return LikelyError(
            f"The chat template of {self.tokenizer.name_or_path!r} {fault}; choose another chat or instruct model."
        )


def template_depends_on_date(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether a tokenizer's chat template writes today's date into a prompt.

    Raises:
        LikelyError: the tokenizer has no chat template, or one that cannot be used.
    """
    if "strftime_now" not in ChatTemplate(tokenizer).source:
        return False
    days = (datetime.date(2001, 2, 3), datetime.date(2012, 11, 22))  # nothing in common, not even the weekday
    one, other = (ChatTemplate(tokenizer, day) for day in days)
    return any(one.frame(system, ()) != other.frame(system, ()) for system in ("", "Be brief."))


def _with_date(source: str, date: datetime.date) -> str:
    """Return a template whose `strftime_now`, a function that transformers lends to templates, knows one day only."""
    midnight = datetime.datetime.combine(date, datetime.time())
    fields = {f"%{name}": midnight.strftime(f"%{name}") for name in _DATE_FIELDS}
    fields |= {"%-d": str(date.day), "%e": f"{date.day:2}", "%-m": str(date.month)}
    filled = "".join(f"|replace({name!r}, {value!r})" for name, value in fields.items())
    return f"{{%- macro strftime_now(format) -%}}{{{{- format{filled} -}}}}{{%- endmacro %}}\n{source}"
