"""How long prompts are, and what `cutoff_len` that asks for.

Takes lengths in tokens or characters, as `cli` measures them through `prompt`, and prints them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from likely.errors import LikelyError

PERCENTILES = (50, 90, 95, 99, 100)
BAR_WIDTH = 40


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
    """Return (from, below, count) for bins of equal width between the shortest and the longest."""
    values: NDArray[np.int64] = np.asarray(lengths)
    counts, edges = np.histogram(values, bins=min(bins, int(values.max() - values.min()) + 1))
    ends = np.ceil(edges).astype(int)
    return [(int(a), int(b), int(n)) for a, b, n in zip(ends[:-1], ends[1:], counts, strict=True)]


def print_audit(console: Console, lengths: Sequence[int], unit: str, cutoff_len: int | None) -> None:
    """Print percentiles, a histogram, and with a `cutoff_len` what it would shorten and what to set.

    Args:
        console: where to.
        lengths: of the records.
        unit: `tokens` or `characters`.
        cutoff_len: as configured; None where lengths are not tokens.
    """
    statistics = length_statistics(lengths)
    table = Table(title=f"Length of {statistics.count:,} records in {unit}", title_justify="left")
    row = {"min": statistics.minimum, "mean": statistics.mean, "max": statistics.maximum}
    row |= {f"p{p}": value for p, value in statistics.percentiles.items()}
    for name in row:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:,.1f}" if name == "mean" else f"{value:,}" for name, value in row.items()))
    console.print(table)
    most = max(count for _, _, count in histogram(lengths))
    for start, end, count in histogram(lengths):
        bar = "█" * round(BAR_WIDTH * count / most) or ("▏" if count else "")
        console.print(f"  {start:>6,} – {end:>6,}  [cyan]{bar:<{BAR_WIDTH}}[/cyan] {count:>7,}", highlight=False)
    if cutoff_len is not None:
        longer = sum(length > cutoff_len for length in lengths)
        console.print(
            f"cutoff_len {cutoff_len} shortens [bold]{longer:,}[/bold] of {statistics.count:,} records "
            f"({longer / statistics.count:.1%}); 95% fit into [bold]cutoff_len: {advised_cutoff(statistics)}[/bold].",
            highlight=False,
        )
