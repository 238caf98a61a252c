"""What `likely prepare` wrote, as a table."""

from rich import box
from rich.table import Table

from likely.data.preparation import Preparation
from likely.data.protocol import SPLITS


def preparation_table(preparation: Preparation) -> Table:
    """Return a table of the splits: users, rows, likes, and candidates that training never saw."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("split")
    for name in ("users", "rows", "Yes", "candidates never seen in training"):
        table.add_column(name, justify="right")
    for name in SPLITS:
        split = getattr(preparation, name)
        likes = f"{split.positives:,} ({split.positives / max(split.rows, 1):.1%})"
        table.add_row(name, f"{split.users:,}", f"{split.rows:,}", likes, f"{split.cold:,}")
    return table
