"""Lengths are summarised as promised, and the advice holds what it says."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from likely.audit import advised_cutoff, histogram, length_statistics, print_audit
from likely.errors import LikelyError

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
def test_the_histogram_counts_every_length_once(lengths):
    assert sum(count for *_, count in histogram(lengths)) == len(lengths)


def printed(lengths, unit, cutoff):
    text = io.StringIO()
    print_audit(Console(file=text, width=100), lengths, unit, cutoff)
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
