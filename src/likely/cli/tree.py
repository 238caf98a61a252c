"""`likely tree`: one user's training records, drawn as the tree that is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_CONFIG, Config, Overrides
from likely.errors import LikelyError

if TYPE_CHECKING:
    from likely.data.records import Record

NAMED_USERS = 5
"""Users that are named to somebody who asks for one that is not there."""


def tree(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    user: Annotated[str | None, typer.Option(help="Whose records; by default the first user's.")] = None,
    max_records: Annotated[int, typer.Option(min=1, help="Draw so many of them, from the first on.")] = 6,
    picture: Annotated[Path | None, typer.Option(help="Write the drawing as SVG to this file too.")] = None,
) -> None:
    """Draw one user's training records as the tree that is computed: what they share is there once."""
    from rich.markup import escape

    from likely.cli.prompts import prompt_builder
    from likely.config.reading import load_config
    from likely.data.run_data import training_records
    from likely.report.console import SafeConsole
    from likely.report.picture import save_picture
    from likely.report.tree_drawing import draw_records

    run = load_config(config, overrides or ())
    owned = records_of_user(training_records(run), user)
    title = f"user {owned[0].user_id}, {min(max_records, len(owned)):,} of {len(owned):,} records"
    drawing = draw_records(prompt_builder(run, run.cutoff_len), owned[:max_records], title)
    console = SafeConsole()
    console.print(drawing)
    if picture:
        save_picture(picture, "likely tree", lambda terminal: terminal.print(drawing))
        console.print(f"Picture written to {escape(str(picture))}.", soft_wrap=True, highlight=False)


def records_of_user(records: Sequence[Record], user: str | None) -> list[Record]:
    """Return the records of a user in their order, at least one.

    Args:
        records: of all users.
        user: whose; None for the user of the first record that has one.

    Raises:
        LikelyError: no record says whose it is, or none is this user's.
    """
    users = list(dict.fromkeys(record.user_id for record in records if record.user_id is not None))
    if not users:
        raise LikelyError(
            f"None of the {len(records):,} training records has a user_id, so there is no user whose tree could be "
            "drawn; add that key to the file, or prepare it anew with likely prepare."
        )
    wanted = users[0] if user is None else user
    if wanted not in users:
        named = ", ".join(users[:NAMED_USERS]) + (", ..." if len(users) > NAMED_USERS else ".")
        raise LikelyError(
            f"There are no training records of user {wanted!r}; choose with --user one of the {len(users):,} "
            f"that have some: {named}"
        )
    return [record for record in records if record.user_id == wanted]
