"""The console of every verb: what it prints cannot steer the terminal that shows it.

Titles, answers, file names and messages of other people's files end in tables and sentences. An escape character in
one of them would reach the terminal, and one that turns the writing direction would show a text in another order than
it has (CVE-2021-42574). :func:`printable` takes such characters out, here and in the page (`page`).
"""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters (C0 but tab and line end, delete, C1), and those that embed or override a writing direction."""


def printable(text: str) -> str:
    """Return a text without the characters that steer a terminal or turn the writing direction."""
    return _STEERING.sub("", text)


class SafeConsole(Console):
    """rich's console, without what steers a terminal in the texts that it is given; its own colours stay.

    What it records, for a picture, has lost the same.
    """

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Print as rich does; a line of text that goes to a file or another program stays one line there."""
        if soft_wrap is None and not self.is_terminal:
            soft_wrap = all(isinstance(one, str) for one in objects)
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the pieces of something that is printed, their texts made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
