"""A bar of the page's table ends where its figure says, and what is beside it for the eye is there for the ear."""

import math

from hypothesis import given
from hypothesis import strategies as st

from likely.evaluation.contest import Estimate
from likely.report.systems_table import LABEL, MARGIN, WIDTH, Scale, scale_of, spoken

FIGURES = st.floats(-1, 1).map(lambda value: round(value, 4))


@given(st.lists(st.tuples(FIGURES, FIGURES, FIGURES), min_size=1, max_size=8))
def test_every_estimate_is_inside_its_bar_in_its_order(figures):
    scale = scale_of(Estimate(*each) for each in figures)
    values = sorted(value for each in figures for value in each)
    places = [scale.place(value) for value in values]
    assert places == sorted(places)
    assert places[0] >= MARGIN - 0.1
    assert places[-1] <= WIDTH - MARGIN + 0.1


@given(FIGURES, FIGURES)
def test_marks_stand_in_the_bar_and_never_over_each_other(low, high):
    scale = scale_of([Estimate(min(low, high)), Estimate(max(low, high))])
    marks = scale.marks
    assert all(MARGIN <= place <= WIDTH - MARGIN for place, _, _ in marks)
    if scale.has_zero:
        zero = scale.place(0)
        assert (zero, "middle", "0") in marks
        assert all(abs(zero - place) > LABEL for place, _, text in marks if text != "0")


def test_what_is_not_known_needs_no_scale():
    assert scale_of([]) is None
    assert scale_of([None, Estimate(math.nan)]) is None


def test_a_scale_always_shows_what_it_is_told_to():
    assert scale_of([Estimate(0.12)], always=(0.0,)) == Scale(0.0, 0.15)
    assert not scale_of([Estimate(0.12)]).has_zero


def test_an_estimate_is_spoken_with_its_interval():
    assert spoken(Estimate(0.8031, 0.79, 0.815)) == "0.803, 0.790 to 0.815"
    assert spoken(Estimate(0.0123, -0.001, 0.02), signed=True).startswith("+0.012, ")
    assert spoken(Estimate(0.8031)) == "0.803"
