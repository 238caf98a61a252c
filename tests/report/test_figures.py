"""What matplotlib draws stands inside a page as if it were made for it, whatever version of matplotlib drew it."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest

from likely.evaluation.contest import Estimate, System
from likely.evaluation.groups import Group
from likely.report.figures import (
    DASHES,
    group_figure,
    probability_histogram,
    reliability,
    roc_curves,
    training_curves,
)
from likely.report.terms import Terms

SHAPES = """
clipPath id
defs
g
g clip-path
path clip-path d style fill:
path clip-path d style fill: stroke: stroke-dasharray: stroke-dashoffset: stroke-width:
path clip-path d style fill: stroke: stroke-linecap: stroke-opacity: stroke-width:
path clip-path d style fill: stroke: stroke-linecap: stroke-width:
path clip-path d style fill: stroke: stroke-width:
path clip-path style fill: stroke: stroke-width:
path d id style stroke:
path d id style stroke: stroke-linejoin:
path d id style stroke: stroke-width:
path d style fill:
path d style fill: stroke: stroke-linecap: stroke-linejoin: stroke-width:
rect height width x y
svg aria-label role viewBox
text style transform fill: font-size:
text style transform x y fill: font-size: text-anchor:
use href style x y fill: stroke:
use href style x y fill: stroke: stroke-linejoin:
use href style x y fill: stroke: stroke-width:
"""
"""Every kind of element of a drawing, with the names of its attributes and styles."""

LIKED = np.arange(40) % 3 > 0
SYSTEMS = [
    System.from_probabilities(name, kind, np.linspace(0, 1, 40) ** power)
    for power, (name, kind) in enumerate([('"A" <& B>', "adapter"), ("B", "base"), ("C", "baseline")], start=1)
]
GROUPS = [Group("1–7", np.arange(20)), Group("8", np.arange(20, 40))]
AREAS = [(system, [Estimate(0.6, 0.5, 0.7), Estimate(0.8)]) for system in SYSTEMS]
LOG = [{"loss": 0.9, "step": 4}, {"loss": 0.7, "step": 8}, {"eval_loss": 0.6, "step": 8}]


def drawings():
    return {
        "ROC curves": roc_curves(LIKED, SYSTEMS, Terms()),
        "reliability": reliability(LIKED, SYSTEMS, Terms()),
        "histogram": probability_histogram(LIKED, SYSTEMS[0].p_yes, Terms()),
        "groups": group_figure("groups", "ratings", GROUPS, AREAS),
        "training": training_curves(LOG, {"loss": "training", "eval_loss": "evaluation"}, "loss", 8),
    }


@pytest.fixture(scope="module")
def drawn():
    return drawings()


def shape(element):
    styles = re.findall(r"([\w-]+):", element.get("style", ""))
    return " ".join([element.tag, *sorted(element.attrib), *(f"{style}:" for style in sorted(styles))])


def test_matplotlib_still_draws_in_the_shape_that_the_page_was_made_for(drawn):
    found = {shape(element) for svg in drawn.values() for element in ElementTree.fromstring(svg).iter()}
    assert sorted(found) == SHAPES.strip().split("\n"), (
        f"matplotlib {matplotlib.__version__} writes SVG of another shape. Look at a report in a browser, light and "
        "dark; where it is wrong, adapt likely.report.figures._for_page. Then write the new shapes down here."
    )


def test_drawings_take_colours_and_fonts_from_the_page(drawn):
    for svg in drawn.values():
        assert not re.search(r"#[0-9a-f]{6}|font-family|<style|xlink|<metadata|<!DOCTYPE", svg)
        assert "currentColor" in svg
        assert set(re.findall(r"var\(--(\w+)\)", svg)) <= set(DASHES)
    assert set(re.findall(r"var\(--(\w+)\)", drawn["ROC curves"])) == {"adapter", "base", "baseline"}


def test_ids_of_a_drawing_are_its_own_and_all_are_used(drawn):
    ids = [identifier for svg in drawn.values() for identifier in re.findall(r' id="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in drawn.values():
        assert set(re.findall(r' id="([^"]+)"', svg)) == set(re.findall(r'(?:href="|url\()#([^")]+)', svg))


def test_what_is_to_be_seen_is_said_and_escaped(drawn):
    root = ElementTree.fromstring(drawn["ROC curves"])
    assert root.get("aria-label") == 'ROC curves of "A" <& B>, B, C'
    assert root.get("role") == "img"


def test_labels_may_hold_dollars():
    terms = Terms(positive="$5 to $10", positives="$5 to $10 rows")
    assert ">share $5 to $10</text>" in reliability(LIKED, SYSTEMS, terms)


def test_a_readers_own_settings_change_nothing(drawn):
    with matplotlib.rc_context({"text.usetex": True, "axes.grid": False, "lines.linewidth": 9}):
        assert drawings() == drawn


def test_what_was_never_measured_is_not_drawn():
    assert training_curves([{"loss": None, "step": 2}], {"loss": "training"}, "loss", None) is None
