"""What a terminal shows, as a picture for a page: an SVG that needs no font or script from elsewhere.

`likely demo` and `likely tree` print through a console; the same printing, done here once more, is recorded.
"""

import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from likely.files import replacing, writing
from likely.report.console import SafeConsole

NIGHT = TerminalTheme(
    (22, 27, 34),
    (220, 226, 232),
    [
        (72, 79, 88), (232, 118, 108), (126, 201, 120), (222, 184, 106),
        (110, 168, 242), (196, 148, 240), (98, 196, 206), (190, 198, 206),
    ],
    [
        (118, 128, 140), (250, 146, 136), (152, 224, 146), (240, 206, 132),
        (140, 190, 255), (214, 172, 252), (126, 218, 226), (242, 246, 250),
    ],
)  # fmt: skip
"""Colours of the picture: background, text, and the eight colours of a terminal, plain and bright."""

COLUMNS = 100
"""How wide the console is whose printing is recorded, in characters."""

FRAME = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: ui-sans-serif, Helvetica, Arial, sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
"""rich fills in the braces; its own frame would fetch a font from a web site."""


def save_picture(path: Path, title: str, show: Callable[[Console], None]) -> None:
    """Write as SVG what `show` prints.

    Args:
        path: the SVG file.
        title: in the frame above.
        show: prints to the console it gets.

    Raises:
        LikelyError: the file cannot be written.
    """
    console = SafeConsole(record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system="standard")
    show(console)
    console.print()  # the frame would cut what hangs below the last line
    svg = console.export_svg(title=title, theme=NIGHT, code_format=FRAME, unique_id="likely")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as out:
        out.write(svg)
