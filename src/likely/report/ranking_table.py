"""The table of a ranking on a terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from likely.inference.ranking import Ranked


def ranking_table(ranked: Sequence[Ranked], title: str, noun: str) -> Table:
    """Return a table of what was ranked, best first; the noun stands over the names."""
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("rank", justify="right")
    table.add_column(noun)
    table.add_column("P(Yes)", justify="right")
    for rank, one in enumerate(ranked, start=1):
        table.add_row(str(rank), escape(one.candidate.shown), f"{one.p_yes:.3f}")
    return table
