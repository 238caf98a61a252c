"""The text of a prompt as lines, which most tokenizers read one by one as they read the whole.

`prompt` cuts its texts here, and asks with a probe whether a tokenizer is one of these.
"""

import re
from itertools import product

# A run of white space is one token to some tokenizers, and a slash after a line end belongs to it for others.
_LINE_END = re.compile(r"\n(?<=\S\n)(?=[^\s/])")

_LINE_ENDS, _LINE_STARTS = ("a", "é", "5", ".", ")", "世"), ("- ", "* ", "B", "É", "7", "(", "“", "#", "世")
PROBE = "Rated so far:\n- Heat (1995) | Action, Crime | rated 4.5\n- Élisa (1995) | Drama | rated 2\n" + "\n".join(
    f"{start}Se7en{end}" for start, end in product(_LINE_STARTS, _LINE_ENDS)
)
"""A user's turn in which many kinds of line ends and beginnings meet."""


def prompt_lines(text: str) -> list[str]:
    """Split a text after its single line ends, where byte-level tokenizers split too; joined, they are the text."""
    ends = [found.end() for found in _LINE_END.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
