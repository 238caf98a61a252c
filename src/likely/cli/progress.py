"""A bar with the time left, for everything that takes more than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from likely.inference.kept_answers import KeptAnswers


def progress_bar(console: Console) -> Progress:
    """Return a bar with a description, a count, the time gone and the time left; silent where there is no terminal."""
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


@contextmanager
def scoring_bar(console: Console, description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar while something is scored, and yield what is to be told how much of it is done."""
    with progress_bar(console) as bar:
        task = bar.add_task(description, total=None, figures="")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_notes(console: Console, notes: Iterable[str], kept: KeptAnswers | None = None) -> None:
    """Print what a reader of figures should know, a sentence a line, and how much an earlier command had computed."""
    for note in notes:
        console.print(note, style="dim", markup=False, highlight=False)
    if kept and kept.known:
        console.print(f"{kept.known:,} answers had been scored before.", highlight=False)
