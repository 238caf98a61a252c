"""Prompt lengths in the terminal: percentiles, a histogram, and what `cutoff_len` shortens."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from likely.encoding.lengths import LengthStatistics, advised_cutoff, histogram, length_statistics

BAR_WIDTH = 40
BESIDE_BAR = 27
"""Columns that a line of the histogram takes beside its bar."""


NARROW = 72
"""Below this console width the percentiles stand below each other, because a table would cut them."""


def print_audit(console: Console, lengths: Sequence[int], unit: str, cutoff_len: int | None) -> None:
    """Print percentiles, a histogram, and with a `cutoff_len` what it would shorten and what to set.

    Args:
        console: where to.
        lengths: of the records.
        unit: `tokens` or `characters`.
        cutoff_len: as configured; None where lengths are not tokens.
    """
    statistics = length_statistics(lengths)
    console.print(f"[italic]Length of {statistics.count:,} records in {unit}[/italic]", highlight=False)
    console.print(_statistics_table(statistics, console.width))
    counted = histogram(lengths)
    most = max(count for _, _, count in counted)
    bar_width = max(min(BAR_WIDTH, console.width - BESIDE_BAR), 1)
    for first, last, count in counted:
        bar = "█" * round(bar_width * count / most) or ("▏" if count else "")
        console.print(f"  {first:>6,} – {last:>6,}  [cyan]{bar:<{bar_width}}[/cyan] {count:>7,}", highlight=False)
    if cutoff_len is not None:
        longer = sum(length > cutoff_len for length in lengths)
        console.print(
            f"cutoff_len {cutoff_len} shortens [bold]{longer:,}[/bold] of {statistics.count:,} records "
            f"({longer / statistics.count:.1%}); 95% fit into [bold]cutoff_len: {advised_cutoff(statistics)}[/bold].",
            highlight=False,
        )


def _statistics_table(statistics: LengthStatistics, width: int) -> Table:
    row = {"min": statistics.minimum, "mean": statistics.mean, "max": statistics.maximum}
    row |= {f"p{p}": value for p, value in statistics.percentiles.items()}
    cells = [f"{value:,.1f}" if name == "mean" else f"{value:,}" for name, value in row.items()]
    table = Table(show_header=width >= NARROW, box=box.SIMPLE_HEAD, show_edge=False)
    if width < NARROW:
        for name, cell in zip(row, cells, strict=True):
            table.add_row(name, cell)
        return table
    for name in row:
        table.add_column(name, justify="right")
    table.add_row(*cells)
    return table
