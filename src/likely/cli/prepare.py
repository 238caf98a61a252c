"""`likely prepare`: ratings to records, and a table of what they are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from likely.cli.options import PREPARED

if TYPE_CHECKING:
    from rich.console import Console

    from likely.data.protocol import SplitProtocol


def prepare(
    dataset: Annotated[
        str, typer.Option(help="MovieLens release to fetch, such as ml-latest-small.")
    ] = "ml-latest-small",
    source: Annotated[Path | None, typer.Option(help="Folder or zip of a release; nothing is fetched.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for train.json, eval.json and test.json.")] = PREPARED,
    like_threshold: Annotated[float, typer.Option(help="A rating from here on is a like.")] = 4.0,
    history_len: Annotated[
        int, typer.Option(help="Movies of history; anchored windows hold up to twice as many.")
    ] = 15,
    window: Annotated[
        Literal["anchored", "sliding"], typer.Option(help="anchored shares prompts; sliding does not.")
    ] = "anchored",
    warmup: Annotated[int, typer.Option(help="First ratings of a user that are only history.")] = 15,
    hints: Annotated[
        bool, typer.Option("--hints", help="Say in words what the user and earlier raters think; helps small models.")
    ] = False,
    max_users: Annotated[int | None, typer.Option(help="Keep so many users, chosen at random.")] = None,
    seed: Annotated[int, typer.Option(help="Of that choice.", min=0)] = 42,
) -> None:
    """Turn MovieLens ratings into records without leaks from the future."""
    from likely.data.protocol import SplitProtocol
    from likely.report.console import SafeConsole

    protocol = SplitProtocol(warmup, history_len, window, like_threshold, hints)
    prepare_dataset(SafeConsole(), dataset, source, output, protocol, max_users, seed)


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
    from likely.cli.progress import progress_bar
    from likely.data.movielens import read_movielens
    from likely.data.preparation import prepare
    from likely.report.preparation_table import preparation_table
    from likely.sources.catalogue import resolve_dataset

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
