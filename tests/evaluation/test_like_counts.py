"""What is counted is what was known at the time: all of it and nothing later."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.evaluation.like_counts import count_likes, known_of, like_rates

PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=30)
TIMED = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 9)), min_size=1, max_size=30)


@given(PAIRS)
def test_leaving_a_row_out_is_counting_without_it(pairs):
    keys, liked = [key for key, _ in pairs], np.array([like for _, like in pairs])
    known = known_of(count_likes(keys, liked), keys, own=liked)
    rates = like_rates(known)
    for place, key in enumerate(keys):
        others = [like for row, (other, like) in enumerate(pairs) if other == key and row != place]
        assert known.ratings[place] == len(others)
        assert rates[place] == pytest.approx((sum(others) + 5 * liked.mean()) / (len(others) + 5))


@given(TIMED, st.lists(st.tuples(st.sampled_from("abcde"), st.integers(-1, 10)), min_size=1, max_size=5))
def test_with_times_only_what_is_strictly_earlier_counts(rows, asked):
    """The slow way round: every row against every other."""
    keys, liked, times = (np.array(column) for column in zip(*rows, strict=True))
    counts = count_likes(keys.tolist(), liked, times.astype(float))
    known = known_of(counts, [key for key, _ in asked], np.array([float(time) for _, time in asked]))
    for place, (key, time) in enumerate(asked):
        earlier = [like for one, like, when in rows if one == key and when < time]
        everybody = [like for _, like, when in rows if when < time]
        assert (known.ratings[place], known.likes[place]) == (len(earlier), sum(earlier))
        assert known.overall[place] == pytest.approx((sum(everybody) + 1) / (len(everybody) + 2))
