"""`likely prepare`: ratings to records, and a table of what they are."""

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from likely.cli.progress import progress_bar
from likely.data.movielens import read_movielens
from likely.data.preparation import Preparation, prepare
from likely.data.protocol import SPLITS, SplitProtocol
from likely.sources.catalogue import resolve_dataset


def prepare_dataset(
    console: Console,
    dataset: str,
    source: Path | None,
    output: Path,
    protocol: SplitProtocol,
    max_users: int | None,
    seed: int,
) -> None:
    """Fetch a release unless a source is given, write its records and print what they are."""
    if source is None:
        with progress_bar(console) as bar:
            task = bar.add_task(f"fetching {dataset}", total=None, figures="")
            resolved = resolve_dataset(
                dataset, on_progress=lambda have, whole: bar.update(task, completed=have, total=whole)
            )
        console.print(f"[bold]Ratings[/bold]  {resolved.story}", highlight=False)
        source = Path(resolved.location)
    started = time.monotonic()
    summary = prepare(read_movielens(source), output, protocol, max_users, seed)
    console.print(preparation_table(summary))
    console.print(f"Written to {output} in {time.monotonic() - started:.1f} s.", highlight=False)


def preparation_table(summary: Preparation) -> Table:
    """Return a table of the splits."""
    table = Table(header_style="bold")
    table.add_column("split")
    for name in ("users", "rows", "Yes", "candidates never rated in training"):
        table.add_column(name, justify="right")
    for name in SPLITS:
        split = getattr(summary, name)
        likes = f"{split.positives:,} ({split.positives / max(split.rows, 1):.1%})"
        table.add_row(name, f"{split.users:,}", f"{split.rows:,}", likes, f"{split.cold:,}")
    return table
