"""Nothing that is printed or drawn can steer a terminal or turn the writing direction."""

import io
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.table import Table
from rich.text import Text

import likely
from likely.report.console import SafeConsole, printable
from likely.report.picture import save_picture

STEERING = "".join(
    map(chr, [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
)
HOSTILE = f"Heat\x1b[2J\x1b]0;owned\x07 \u202e(5991) \x9b31m{STEERING}"


def shown(*what, **settings):
    out = io.StringIO()
    console = SafeConsole(file=out, width=400, **settings)
    for each in what:
        console.print(each, highlight=False)
    return out.getvalue()


def in_a_table(text):
    table = Table(title=escape(text))
    table.add_column(Text(text))
    table.add_row(escape(text))
    return table


@given(st.text())
def test_what_is_left_steers_nothing_and_the_rest_is_as_it_was(text):
    left = printable(text)
    assert not set(left) & set(STEERING)
    assert left == "".join(character for character in text if character not in STEERING)


def test_names_in_every_script_stay():
    names = "Amélie\tשלום\n三体 👩\u200d🚀 नमस्ते"
    assert printable(names) == names


def test_strings_texts_and_tables_are_printed_without_it():
    said = shown(escape(HOSTILE), Text(HOSTILE), in_a_table(HOSTILE))
    assert said.count("Heat[2J]0;owned (5991) 31m") == 5
    assert not set(said) & set(STEERING)


def test_our_own_colours_stay():
    said = shown(f"[bold]{escape(HOSTILE)}[/bold]", force_terminal=True, color_system="standard")
    assert said == "\x1b[1mHeat[2J]0;owned (5991) 31m\x1b[0m\n"


def test_a_picture_is_drawn_without_it(tmp_path):
    save_picture(tmp_path / "shown.svg", "tree", lambda console: console.print(in_a_table(HOSTILE)))
    assert not set((tmp_path / "shown.svg").read_text(encoding="utf-8")) & set(STEERING)


def test_there_is_no_other_console():
    for path in Path(likely.__file__).parent.rglob("*.py"):
        assert not re.search(r"(?<![\w.])Console\(", path.read_text(encoding="utf-8").replace("(Console):", "")), path
