"""Lengths are summarised as promised, and the advice holds what it says."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from likely.encoding.lengths import advised_cutoff, histogram, length_statistics
from likely.errors import LikelyError
from likely.report.lengths_table import print_audit

LENGTHS = st.lists(st.integers(1, 3000), min_size=1, max_size=60)


@given(LENGTHS)
def test_a_percentile_is_the_smallest_length_that_so_many_do_not_exceed(lengths):
    statistics = length_statistics(lengths)
    for percent, value in statistics.percentiles.items():
        assert value in lengths
        assert np.mean(np.array(lengths) <= value) >= percent / 100
        assert np.mean(np.array(lengths) < value) < percent / 100
    assert (statistics.minimum, statistics.maximum) == (min(lengths), max(lengths))


@given(LENGTHS)
def test_the_advised_cutoff_holds_95_percent_and_no_64_tokens_less_would(lengths):
    cutoff = advised_cutoff(length_statistics(lengths))
    assert cutoff % 64 == 0
    assert np.mean(np.array(lengths) <= cutoff) >= 0.95
    assert np.mean(np.array(lengths) <= cutoff - 64) < 0.95


@given(LENGTHS)
def test_the_histogram_counts_every_length_once_in_the_bin_that_names_it(lengths):
    bins = histogram(lengths)
    assert sum(count for *_, count in bins) == len(lengths)
    for first, last, count in bins:
        assert count == sum(first <= length <= last for length in lengths)
    assert (bins[0][0], bins[-1][1]) == (min(lengths), max(lengths))
    assert len(bins) <= 12


def printed(lengths, unit, cutoff, width=100):
    text = io.StringIO()
    print_audit(Console(file=text, width=width), lengths, unit, cutoff)
    return text.getvalue()


def test_what_a_cutoff_shortens_is_told():
    text = printed([100] * 90 + [600] * 10, "tokens", 512)
    assert "cutoff_len 512 shortens 10 of 100 records (10.0%); 95% fit into cutoff_len: 640." in text
    for name in ("min", "mean", "max", "p50", "p90", "p95", "p99", "p100"):
        assert name in text
    assert "cutoff_len" not in printed([5, 6], "characters", None)


def test_no_records_are_an_error():
    with pytest.raises(LikelyError, match="no records to measure"):
        length_statistics([])


@pytest.mark.parametrize("width", [30, 45, 60, 80])
def test_the_audit_shows_every_figure_in_any_terminal(width):
    text = printed([1234] * 90 + [5678] * 10, "tokens", None, width)
    for name in ("min", "mean", "max", "p50", "p90", "p95", "p99", "p100", "1,234", "1,678.4", "5,678"):
        assert name in text
    assert all(len(line) <= width for line in text.splitlines())
    assert sum(line.endswith((" 90", " 10")) for line in text.splitlines()) == 2
