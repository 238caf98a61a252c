"""Text that spells a control token stays text: `<|im_end|>` in a title does not end the user's turn.

`chat_template` sets a mark before every control token that the template itself writes; `prompt` tokenises texts
with such marks through :class:`MarkedTokenizer`. Control tokens are the tokenizer's special tokens, and of its
other added tokens (`<think>`, `<tool_call>`) those that the template writes.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from likely.encoding.prefix_tree import TokenIds
from likely.errors import LikelyError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

# Unicode sets U+FDD0 to U+FDEF aside for a program's own use; no text has them.
MARK = "\ufdd0"
"""Stands before a control token that the template has written."""
USER_TURN = "\ufdd1"
"""Stands for what the user says last, while a template is rendered."""
ANSWER = "\ufdd2"
"""Stands for what the assistant answers."""
_HIDDEN = "\ufdd3"

_NOT_TEXT = re.compile(f"[{MARK}-{_HIDDEN}\ud800-\udfff]")


def clean(text: str) -> str:
    """Replace what is no text by U+FFFD: lone surrogates, and the four characters that this package reserves."""
    return text if text.isascii() else _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def unmarked(text: str) -> str:
    """Return a text without marks, as the template has written it."""
    return text.replace(MARK, "")


@dataclass(frozen=True)
class ControlTokens:
    """The control tokens of a tokenizer, longest first, so that none is mistaken for one that it contains."""

    spellings: tuple[str, ...]

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerBase", template: str) -> "ControlTokens":
        """Return the control tokens of a tokenizer with a template; white space is text whatever it is declared as."""
        added = [token for token in tokenizer.added_tokens_decoder.values() if not token.content.isspace()]
        spellings = {token.content for token in added if token.special or token.content in template}
        return cls(tuple(sorted(spellings, key=lambda spelling: (-len(spelling), spelling))))

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.spellings)) or "(?!)")

    def are_spelled_in(self, text: str) -> bool:
        """Return whether a control token stands in a text without a mark, so that it is part of the text."""
        return any(text[found.start() - 1 : found.start()] != MARK for found in self._any.finditer(text))

    def hide(self, text: str) -> str:
        """Replace control tokens by something that no template and no tokenizer takes for one."""
        return self._any.sub(lambda found: f"{_HIDDEN}{self.spellings.index(found[0])}{_HIDDEN}", clean(text))

    def mark(self, rendered: str) -> str:
        """Mark the control tokens in what a template has written, and show again those that were hidden before."""
        marked = self._any.sub(lambda found: MARK + found[0], rendered)
        return re.sub(f"{_HIDDEN}([0-9]+){_HIDDEN}", lambda found: self.spellings[int(found[1])], marked)


@dataclass(frozen=True)
class MarkedTokenizer:
    """Tokenises texts whose control tokens are marked; what looks like one and is not marked is text.

    Raises:
        LikelyError: when called with such a text, if the tokenizer cannot keep it as text.
    """

    tokenizer: "PreTrainedTokenizerBase"
    control: ControlTokens

    def __call__(self, text: str) -> TokenIds:
        """Return the token ids of a text, int32 [length]; nothing is added at its ends."""
        if self.control.are_spelled_in(text):
            return np.array(self._renamed.encode(text, add_special_tokens=False).ids, np.int32)
        return np.array(self.tokenizer(unmarked(text), add_special_tokens=False)["input_ids"], np.int32)

    @cached_property
    def _renamed(self) -> "Tokenizer":
        """The tokenizer with every control token renamed, so that it begins with a mark; the ids stay.

        `split_special_tokens` of transformers would split the template's own tokens too, and none that is not special.
        """
        if not self.tokenizer.is_fast:
            raise self._cannot("it has no fast version")
        renamed = _with_marked_tokens(self.tokenizer.backend_tokenizer, frozenset(self.control.spellings))
        every = "".join(f"An {MARK}{spelling}\nend " for spelling in self.control.spellings)
        if renamed.encode(every, add_special_tokens=False).ids != self(every).tolist():
            raise self._cannot("they cannot be renamed")
        return renamed

    def _cannot(self, reason: str) -> LikelyError:
        return LikelyError(
            f"A record's text spells a control token (such as {self.control.spellings[0]!r}), and the tokenizer of "
            f"{self.tokenizer.name_or_path!r} cannot read it as text ({reason}); remove it from the records."
        )


def _with_marked_tokens(backend: "Tokenizer", names: frozenset[str]) -> "Tokenizer":
    from tokenizers import Tokenizer

    def renamed(token: Any) -> Any:
        return MARK + token if token in names else token

    rules = json.loads(backend.to_str())
    rules.update(post_processor=None, truncation=None, padding=None)
    for token in rules["added_tokens"]:
        token["content"] = renamed(token["content"])
    model = rules["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {renamed(token): number for token, number in model["vocab"].items()}
    else:
        model["vocab"] = [[renamed(token), score] for token, score in model["vocab"]]
    if "unk_token" in model:
        model["unk_token"] = renamed(model["unk_token"])
    if "merges" in model:  # some vocabularies can put a control token together from its letters
        model["merges"] = [pair for pair in model["merges"] if names.isdisjoint((*pair, "".join(pair)))]
    return Tokenizer.from_str(json.dumps(rules))
