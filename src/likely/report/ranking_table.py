"""The table of a ranking on a terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from likely.inference.ranking import Ranked
from likely.report.words import show


def ranking_table(ranked: Sequence[Ranked], title: str, noun: str) -> Table:
    """Return a table of what was ranked, best first; the noun stands over the names.

    Where the run keeps an answer, it comes first, and then its parts.
    """
    answered = any(one.answer is not None for one in ranked)
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("rank", justify="right")
    table.add_column(escape(noun))
    for heading in ("answer", "adapter", "counting") if answered else ("P(Yes)",):
        table.add_column(heading, justify="right")
    for rank, one in enumerate(ranked, start=1):
        shares = (one.answer, one.p_yes, one.counting) if answered else (one.p_yes,)
        table.add_row(str(rank), escape(one.candidate.shown), *(show(share) for share in shares))
    return table
