"""Lengths are summarised as promised, and the advice holds what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.encoding.lengths import advised_cutoff, histogram, length_statistics
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
def test_the_histogram_counts_every_length_once_in_the_bin_that_names_it(lengths):
    bins = histogram(lengths)
    assert sum(count for *_, count in bins) == len(lengths)
    for first, last, count in bins:
        assert count == sum(first <= length <= last for length in lengths)
    assert (bins[0][0], bins[-1][1]) == (min(lengths), max(lengths))
    assert len(bins) <= 12


def test_no_records_are_an_error():
    with pytest.raises(LikelyError, match="no records to measure"):
        length_statistics([])
