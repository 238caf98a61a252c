"""A picture shows what the terminal showed, and needs nothing from elsewhere."""

import re
from xml.etree import ElementTree

import pytest

from likely.errors import LikelyError
from likely.report.picture import save_picture

LINES = ("Heat & <Ronin> | rated 4.5", "├─ [bold]", "最後 Amélie")


def show(console):
    for line in LINES:
        console.print(line, markup=False)


def test_a_picture_holds_every_line_and_its_title(tmp_path):
    save_picture(tmp_path / "a" / "shown.svg", "likely <tree>", show)
    shown = "".join(ElementTree.parse(tmp_path / "a" / "shown.svg").getroot().itertext()).replace("\xa0", " ")
    for text in (*LINES, "likely <tree>"):
        assert text in shown


def test_a_picture_fetches_nothing(tmp_path):
    save_picture(tmp_path / "shown.svg", "tree", show)
    text = (tmp_path / "shown.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"\s]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|@font-face|<image|@import", text)


def test_the_same_printing_gives_the_same_picture(tmp_path):
    for name in ("a.svg", "b.svg"):
        save_picture(tmp_path / name, "tree", show)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_picture_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LikelyError, match=r"shown\.svg cannot be written"):
        save_picture(tmp_path / "file" / "shown.svg", "tree", show)
