"""Ratings of a release or of a table of one's own, read, and what becomes of their timelines.

`cli` and `api` name the source; `movielens` and `ratings` read it, and what they read goes to `preparation`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from likely.config.table_config import TableConfig
from likely.data.movielens import CSV, describe_release
from likely.data.protocol import SplitProtocol, protocol_of
from likely.data.ratings import RatingTable, on_scale_of, read_ratings


def read_source(
    source: TableConfig | Path | str,
    fetch: Callable[[str], Path],
    *,
    warmup: int | None = None,
    history_length: int = 15,
    window: str = "anchored",
    hints: bool = False,
    short_hints: bool = False,
    candidate_line: bool = False,
    like_threshold: float | None = None,
    split: Literal["time", "global-time"] | None = None,
) -> tuple[RatingTable, SplitProtocol]:
    """Read ratings, and say what becomes of their timelines.

    What is wrong with the files of a table is said before a threshold is asked for, and what is out of range before
    anything is fetched.

    Args:
        source: description of a table, folder or zip of a release, or the name of one that is fetched.
        fetch: gives the folder or zip of a release by its name.
        warmup: as in :func:`likely.data.protocol.protocol_of`, like the five after it.
        history_length: likewise.
        window: likewise.
        hints: likewise.
        short_hints: likewise.
        candidate_line: likewise.
        like_threshold: of a release; None for 4 on a scale that ends at 5. A table says it itself.
        split: of a release; None for "time". A table says it itself.

    Raises:
        LikelyError: the ratings cannot be read, a value is out of range, or nothing says what a like is.
    """

    def protocol_for(table: TableConfig) -> SplitProtocol:
        return protocol_of(
            table,
            warmup=warmup,
            history_length=history_length,
            window=window,
            hints=hints,
            short_hints=short_hints,
            candidate_line=candidate_line,
        )

    if isinstance(source, TableConfig):
        table, data = source, read_ratings(source)
    else:
        over = {"like_threshold": like_threshold, "split": split or "time"}
        protocol_for(CSV.model_copy(update=over))
        release, read = describe_release(fetch(source) if isinstance(source, str) else source)
        table = release.model_copy(update=over)
        data = read_ratings(table, read)
    return data, protocol_for(on_scale_of(data, table))
