"""`likely prepare`: ratings to records, and a table of what they are."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from likely.cli.options import PREPARED, typed
from likely.errors import LikelyError

if TYPE_CHECKING:
    from rich.console import Console

    from likely.config.table_config import TableConfig
    from likely.data.preparation import FileFormat


OF_RELEASES = ("like_threshold", "split")
"""Keys of a table that are options of a release too."""

PANEL = "A table of your own"


def _of_table(explained: str, *spelled: str) -> Any:
    """Return an option that stands under a heading of its own in the help."""
    return typer.Option(*spelled, help=explained, rich_help_panel=PANEL)


USUAL = "ml-latest-small"
Dataset = Annotated[
    str | None, typer.Option(help="MovieLens release to fetch, such as ml-latest-small.", show_default=USUAL)
]
Threshold = Annotated[float | None, typer.Option(help="A rating from here on is a like; 4 on scales that end at 5.")]
Window = Annotated[
    str,
    typer.Option(
        help="anchored shares prompts, sliding does not; all shows everything earlier, 5H grows to 5 x history-len."
    ),
]
Warmup = Annotated[
    int | None, typer.Option(help="First ratings of a user that are only history; 15, or 0 for a given split.")
]
Split = Annotated[
    Literal["time", "global-time"] | None,
    typer.Option(help="time: each user's last ratings are eval and test; global-time: everybody's, by one clock."),
]
Hints = Annotated[
    bool, typer.Option("--hints", help="Say in words what the user and earlier raters think; helps small models.")
]
ShortHints = Annotated[bool, typer.Option("--short-hints", help="Hints in half as many words, without --hints too.")]
CandidateLine = Annotated[
    bool, typer.Option("--candidate-line", help="Show the candidate as a line of the history: fewer tokens in a tree.")
]
Format = Annotated[Literal["json", "parquet"], typer.Option("--format", help="Of the records; parquet is far smaller.")]
Implicit = Annotated[bool | None, _of_table("Lines say what a user took.", "--implicit")]


def prepare(
    context: typer.Context,
    dataset: Dataset = None,
    source: Annotated[Path | None, typer.Option(help="Folder or zip of a release; nothing is fetched.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for train, eval and test records.")] = PREPARED,
    like_threshold: Threshold = None,
    history_len: Annotated[int, typer.Option(help="Items of history; anchored windows hold up to twice as many.")] = 15,
    window: Window = "anchored",
    warmup: Warmup = None,
    split: Split = None,
    hints: Hints = False,
    short_hints: ShortHints = False,
    candidate_line: CandidateLine = False,
    max_users: Annotated[int | None, typer.Option(help="Keep so many users, chosen at random.")] = None,
    file_format: Format = "json",
    seed: Annotated[int, typer.Option(help="Draws those users, and negatives.", min=0)] = 42,
    data: Annotated[Path | None, _of_table("YAML file with the options below as keys.")] = None,
    ratings: Annotated[Path | None, _of_table("CSV, TSV, ::, JSON Lines or Parquet, also as .gz.")] = None,
    items: Annotated[Path | None, _of_table("File that says what the items are; or else the ratings say it.")] = None,
    user: Annotated[str | None, _of_table("Column of the user; by default user_id.")] = None,
    item: Annotated[str | None, _of_table("Column of the item; by default item_id.")] = None,
    item_in_items: Annotated[str | None, _of_table("Column of the item in the items file, where it differs.")] = None,
    rating: Annotated[str | None, _of_table("Column of the rating; by default rating.")] = None,
    time: Annotated[str | None, _of_table("Column of the time; by default the order of the file.")] = None,
    title: Annotated[str | None, _of_table("Column of the title; by default the item's id.")] = None,
    year: Annotated[str | None, _of_table("Column of the year.")] = None,
    details: Annotated[str | None, _of_table('Columns of what else prompts say, as in "genre,by {author}".')] = None,
    noun: Annotated[str | None, _of_table("What is rated, such as book.")] = None,
    details_noun: Annotated[str | None, _of_table("What the details are, such as genres.")] = None,
    scale: Annotated[str | None, _of_table("Lowest and highest rating, such as 1-10.")] = None,
    implicit: Implicit = None,
    negatives: Annotated[int | None, _of_table("Implicit: items drawn for every like, not taken by then.")] = None,
    verb: Annotated[str | None, _of_table("What users do, as in: bought, played.")] = None,
    unit: Annotated[str | None, _of_table("Of an implicit quantity, such as hours.")] = None,
    label: Annotated[str | None, _of_table("Column of given labels, 1 or 0, in place of ratings.")] = None,
    eval_ratings: Annotated[Path | None, _of_table("File of a given split; --ratings is the training part.")] = None,
    test_ratings: Annotated[Path | None, _of_table("File of a given split.")] = None,
    history_from: Annotated[str | None, _of_table("Part that histories may show: all, or train.")] = None,
) -> None:
    """Turn ratings, of MovieLens or of a table of your own, into records without leaks from the future."""
    table = describe(data, context.params, source)
    if dataset and (table or source):
        raise LikelyError(f"--dataset {dataset} names a release to fetch, and another option other ratings; give one.")
    settings: dict[str, Any] = {"warmup": warmup, "history_length": history_len, "window": window, "hints": hints}
    settings |= {"short_hints": short_hints, "candidate_line": candidate_line}
    settings |= {"like_threshold": like_threshold, "split": split}
    write_shown(table or source or dataset or USUAL, settings, output, max_users, seed, file_format)


def write_shown(
    source: TableConfig | Path | str,
    settings: Mapping[str, Any],
    output: Path,
    max_users: int | None,
    seed: int,
    file_format: FileFormat,
) -> None:
    """Read a table, a release or one that is fetched by its name, write its records, and print what they are.

    Args:
        source: of the ratings.
        settings: of :func:`likely.data.source.read_source`.
        output: folder of the records.
        max_users: keep so many.
        seed: draws those users, and negatives.
        file_format: of the records.
    """
    from likely.data.preparation import prepare
    from likely.data.source import read_source
    from likely.data.task import PREPARATION_FILE
    from likely.report.console import SafeConsole
    from likely.report.preparation_table import preparation_table
    from likely.report.terminal import print_next_commands

    console, started = SafeConsole(), monotonic()
    read, protocol = read_source(source, partial(fetch, console), **settings)
    replaced = ", in place of what was there" if (output / PREPARATION_FILE).exists() else ""
    summary = prepare(read, output, protocol, max_users, seed, file_format)
    console.print(preparation_table(summary))
    for note in summary.notes:
        console.print(note, highlight=False, markup=False)
    console.print(f"Written to {output} in {monotonic() - started:.1f} s{replaced}.", highlight=False, markup=False)
    named = f"{typed('likely')} train dataset_dir={shlex.quote(str(output.parent))} dataset={shlex.quote(output.name)}"
    print_next_commands(console, "Records", output, [(named, "finetune; --config takes a preset")])


def describe(data: Path | None, options: Mapping[str, Any], source: Path | None) -> TableConfig | None:
    """Return the table that options describe, over the keys of a YAML file where there is one; None without both.

    Raises:
        LikelyError: they do not fit together, or as :func:`likely.config.table_config.load_table`.
    """
    from likely.config.table_config import TableConfig, describe_table, load_table

    given = {key: str(options[key]) for key in TableConfig.model_fields if options.get(key) is not None}
    of_tables = [f"--{key.replace('_', '-')}" for key in given if key not in OF_RELEASES]
    if source and (data or of_tables):
        named = "--data" if data else of_tables[0]
        raise LikelyError(f"--source names a release and {named} a table; give one of them.")
    if data:
        return load_table(data, given)
    if of_tables and "ratings" not in given:
        raise LikelyError(f"{of_tables[0]} describes a table whose file is not named; add --ratings FILE.")
    return describe_table(given, "The options") if of_tables else None


def fetch(console: Console, dataset: str) -> Path:
    """Return the folder or zip of a release, fetched on first use, and say where it came from."""
    from rich.markup import escape

    from likely.cli.progress import progress_bar
    from likely.sources.catalogue import resolve_dataset

    with progress_bar(console) as bar:
        task = bar.add_task(f"fetching {dataset}", total=None, figures="")
        resolved = resolve_dataset(
            dataset, on_progress=lambda have, whole: bar.update(task, completed=have, total=whole)
        )
    console.print(f"[bold]Ratings[/bold]  {escape(resolved.story)}", highlight=False)
    return Path(resolved.location)
