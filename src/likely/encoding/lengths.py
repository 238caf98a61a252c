"""How long prompts are, and the `cutoff_len` that they ask for: plain figures, for `likely audit`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likely.errors import LikelyError

PERCENTILES = (50, 90, 95, 99, 100)


@dataclass(frozen=True)
class LengthStatistics:
    """Lengths of prompts with their answers, in tokens or characters."""

    count: int
    minimum: int
    maximum: int
    mean: float
    percentiles: dict[int, int]


def length_statistics(lengths: Sequence[int]) -> LengthStatistics:
    """Summarise lengths; a percentile is the smallest length that so many percent do not exceed.

    Raises:
        LikelyError: there are no lengths.
    """
    if not len(lengths):
        raise LikelyError("There are no records to measure; prepare the data first.")
    values = np.asarray(lengths)
    percentiles = {p: int(np.percentile(values, p, method="inverted_cdf")) for p in PERCENTILES}
    return LengthStatistics(len(values), int(values.min()), int(values.max()), float(values.mean()), percentiles)


def advised_cutoff(statistics: LengthStatistics) -> int:
    """Return the smallest multiple of 64 tokens that 95% of the records fit into."""
    return -(-statistics.percentiles[95] // 64) * 64


def histogram(lengths: Sequence[int], bins: int = 12) -> list[tuple[int, int, int]]:
    """Count lengths in at most `bins` bins of equal, whole width from the shortest to the longest.

    Returns:
        (first, last, count) of each bin, both ends included, so that no length belongs to two.
    """
    values: NDArray[np.int64] = np.asarray(lengths)
    shortest, longest = int(values.min()), int(values.max())
    width = -(-(longest - shortest + 1) // bins)
    counts = np.bincount((values - shortest) // width)
    firsts = range(shortest, longest + 1, width)
    return [(first, min(first + width - 1, longest), int(n)) for first, n in zip(firsts, counts, strict=True)]
