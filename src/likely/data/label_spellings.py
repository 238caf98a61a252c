"""How answers are spelled in files: which text, number or truth value means which label.

`records` asks it for the label of every row.
"""

import re
from collections.abc import Mapping
from typing import Any

from likely.errors import LikelyError

_MARKS = " \t\r\n\"'“”‘’「」『』`.!?,;:。．！？，；："
_END_TOKENS = re.compile(r"(?:\s*<(?:/s|eos|end_of_turn|\|[^<>|]*\|)>)+\s*$")
"""Special tokens that some files write after an answer, such as `</s>` and `<|im_end|>`."""


def plain(answer: Any) -> str:
    """Return an answer without what does not matter: case, surrounding quotes, final punctuation, an end token.

    >>> plain('"Yes."'), plain("Yes。"), plain("no</s>"), plain(True), plain(1.0)
    ('yes', 'yes', 'no', 'true', '1')
    """
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    return _END_TOKENS.sub("", str(answer)).strip(_MARKS).casefold()


def spellings(positive: str, negative: str, label_map: Mapping[str, str]) -> dict[str, str]:
    """Return the label of every plain answer that has one.

    Args:
        positive: the positive label.
        negative: the negative label.
        label_map: other answers, and the label that each of them means, in any spelling of it.

    Raises:
        LikelyError: two that are told apart by nothing that matters mean different labels, or one is empty.
    """
    labels, found = {plain(label): label for label in (positive, negative)}, dict[str, str]()
    mapped = [(answer, labels[plain(label)]) for answer, label in label_map.items() if plain(label) in labels]
    for answer, label in ((positive, positive), (negative, negative), *mapped):
        spelled = plain(answer)
        if found.setdefault(spelled, label) != label or not spelled:
            read = f"{spelled!r}, which means {found[spelled]} already" if spelled else "nothing"
            raise LikelyError(
                f"The answer {answer!r} for {label} is read as {read}: case, quotes and punctuation at the ends do not "
                "matter; change positive_label, negative_label or label_map, or the answers in the file."
            )
    return found
