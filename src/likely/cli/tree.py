"""`likely tree`: one user's training records, drawn as the tree that is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_CONFIG, Config, Overrides
from likely.errors import LikelyError

if TYPE_CHECKING:
    from rich.console import Group

    from likely.config.run_config import RunConfig
    from likely.data.records import Record


def tree(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    user: Annotated[str | None, typer.Option(help="Whose records; by default the first user's.")] = None,
    max_records: Annotated[int, typer.Option(min=1, help="Draw so many of them, from the first on.")] = 6,
    picture: Annotated[Path | None, typer.Option(help="Write the drawing as SVG to this file too.")] = None,
) -> None:
    """Draw one user's training records as the tree that is computed: what they share is there once."""
    from rich.console import Console
    from rich.markup import escape

    from likely.config.reading import load_config
    from likely.report.picture import save_picture

    drawing = draw_user(load_config(config, overrides or ()), user, max_records)
    console = Console()
    console.print(drawing)
    if picture:
        save_picture(picture, "likely tree", lambda terminal: terminal.print(drawing))
        console.print(f"Picture written to {escape(str(picture))}.", soft_wrap=True, highlight=False)


NAMED_USERS = 5
"""Users that are named to somebody who asks for one that is not there."""


def draw_user(config: RunConfig, user: str | None, max_records: int) -> Group:
    """Draw the first training records of a user, through the very prompt builder of training.

    Args:
        config: names records and model.
        user: whose records; None for the user of the first record that has one.
        max_records: draw so many.

    Raises:
        LikelyError: there are no such records, or no such model.
    """
    from likely.data.run_data import labels_of, training_records
    from likely.encoding.prompt import PromptBuilder
    from likely.model.base import check_model_folder, load_tokenizer
    from likely.report.tree_drawing import draw_records
    from likely.sources.catalogue import resolve_model

    owned = records_of_user(training_records(config), user)
    shown = owned[:max_records]
    location = resolve_model(config.model_name_or_path).location
    check_model_folder(location, needs_weights=False)
    builder = PromptBuilder(load_tokenizer(location, config.model_revision), labels_of(config), config.cutoff_len)
    title = f"user {owned[0].user_id}, {len(shown):,} of {len(owned):,} records"
    return draw_records(builder, shown, title)


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
