"""How answers are spelled in files: which text, number or truth value means which label.

`records` asks it for the label of every row.
"""

import re
from collections.abc import Mapping
from typing import Any

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
    """
    labels = {plain(positive): positive, plain(negative): negative}
    mapped = {plain(answer): labels[plain(label)] for answer, label in label_map.items() if plain(label) in labels}
    return mapped | labels
