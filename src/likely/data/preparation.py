"""Turns a table of ratings into files of records, train, eval and test, and says what they are.

`ratings` gives the table, `timelines` splits them and makes the rows, `records` writes them.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from likely.data.catalogue_file import CATALOGUE_FILE, catalogue_rows
from likely.data.liked_shares import add_tastes, rating_deviations
from likely.data.negatives import add_negatives, count_missing
from likely.data.opinions import count_earlier_ratings
from likely.data.protocol import NOT_HELD_OUT, SPLITS, Split, SplitProtocol, check_positive
from likely.data.ratings import RatingTable
from likely.data.records import write_records
from likely.data.shares import share_names
from likely.data.task import PREPARATION_FILE, digest_of, plain, prepared_files, ratings_task
from likely.data.timelines import build_timelines, make_rows, shown_in_histories
from likely.data.wording import MOVIES
from likely.errors import LikelyError
from likely.files import replacing_folder, write_json
from likely.locking import alone_at

FIVE_STARS = MOVIES.highest - MOVIES.lowest
"""The width of the scale on which hints take two items for alike."""

FileFormat = Literal["json", "parquet"]


@dataclass(frozen=True)
class SplitSummary:
    """What one file holds.

    Attributes:
        users: with at least one row.
        rows: records.
        positives: rows whose candidate was liked.
        cold: rows whose candidate occurs in no warm-up and no train row of any user that was kept; 0 for train.
    """

    users: int
    rows: int
    positives: int
    cold: int


@dataclass(frozen=True)
class Preparation:
    """What :func:`prepare` wrote, and what a user should know of the ratings, a sentence each."""

    train: SplitSummary
    eval: SplitSummary
    test: SplitSummary
    notes: tuple[str, ...] = ()


def prepare(
    data: RatingTable,
    output_dir: Path,
    protocol: SplitProtocol | None = None,
    max_users: int | None = None,
    seed: int = 42,
    file_format: FileFormat = "json",
) -> Preparation:
    """Write train.json, eval.json, test.json, catalogue.json and preparation.json; none before all are complete.

    Rows are ordered by user and then by time; one user after another is rendered and written. preparation.json says
    what the records ask (`task`) and holds the SHA-256 of each file.

    Args:
        data: ratings and items.
        output_dir: made if missing; files of an earlier preparation are replaced.
        protocol: how timelines become rows; the default one if None.
        max_users: keep a random choice of so many users that have rows; None keeps all.
        seed: of that choice, and of negatives.
        file_format: of the records; parquet is far smaller, and is read a row group at a time.

    Raises:
        LikelyError: all ratings or none are likes, no user has more ratings than the warm-up,
            `max_users` is below 1, `seed` below 0, or `output_dir` cannot be written or holds a file that would be
            lost or read in place of a new one.
    """
    protocol = protocol or SplitProtocol()
    if max_users is not None:
        check_positive("max_users", max_users)
    if seed < 0:
        raise LikelyError(f"seed is {seed}; set it to 0 or more.")
    _check_likes(data, protocol)
    table = build_timelines(data.ratings, protocol)
    _check_rows(table, data, protocol)
    everybody = table
    if protocol.hints:
        table = count_earlier_ratings(table, protocol.like_threshold, pairs_repeat=protocol.split == "given")
    if max_users is not None:
        table = _choose_users(table, max_users, seed)
    if protocol.hints:
        deviations = rating_deviations(everybody, star=(data.words.highest - data.words.lowest) / FIVE_STARS)
        table = add_tastes(table, data.items, protocol.like_threshold, deviations)
    if protocol.negatives:
        table = add_negatives(table, everybody, data, protocol, seed)
    splits = {split: _summarize(table, everybody, split, protocol) for split in SPLITS}
    description = {
        **plain(ratings_task(protocol, data.name, data.words)),
        "max_users": max_users,
        "seed": seed,
        "splits": {split: dataclasses.asdict(summary) for split, summary in splits.items()},
    }
    if protocol.split == "global-time":
        description["first_moments"] = first_moments(everybody)
    rows = {f"{split}.{file_format}": make_rows(table, data, split, protocol) for split in SPLITS}
    rows[CATALOGUE_FILE] = catalogue_rows(everybody, data, protocol.like_threshold)
    try:
        _write(output_dir, rows, data.words.details, description)
    except OSError as error:
        raise LikelyError(f"Cannot write to {output_dir} ({error}); choose another output folder.") from error
    return Preparation(**splits, notes=(*data.notes, *_notes(table, everybody, protocol)))


def _write(
    output_dir: Path, files: Mapping[str, Iterable[Mapping[str, Any]]], details: str, description: Mapping[str, Any]
) -> None:
    """Write files of records, and what they are with their digests, into a folder of its own and move all together."""
    earlier = prepared_files(output_dir)
    for name in sorted({*files, *(f"{Path(name).stem}.json" for name in files)} - earlier):
        if (output_dir / name).exists():
            instead = "would be lost" if name in files else "would be read in place of the new Parquet file"
            raise LikelyError(
                f"{output_dir / name} is of no earlier preparation, or was changed since, and {instead}; move it away "
                "or choose another output folder."
            )
    nested = {
        "shares": pl.Struct(dict.fromkeys(share_names(details), pl.Float64)),
        "history_parts": pl.Struct(dict.fromkeys(SPLITS, pl.Int64)),
    }
    output_dir.mkdir(parents=True, exist_ok=True)
    with alone_at(output_dir):
        with replacing_folder(output_dir, last=PREPARATION_FILE) as staging:
            for name, rows in files.items():
                write_records(staging / name, rows, nested)
            digests = {name: digest_of(staging / name) for name in files}
            write_json(staging / PREPARATION_FILE, {**description, "sha256": digests})
        for name in earlier - files.keys():  # in the other format
            (output_dir / name).unlink(missing_ok=True)


def _notes(table: pl.DataFrame, everybody: pl.DataFrame, protocol: SplitProtocol) -> list[str]:
    """Say what is missing: users with too few ratings for any row, histories, negatives."""
    users, few = everybody["user_id"].n_unique(), int((everybody["user_id"].unique_counts() <= protocol.warmup).sum())
    empty = _count_without_history(table, protocol) if protocol.split == "given" else 0
    missing = count_missing(table, protocol) if protocol.negatives else 0
    held_out, untrained = _count_untrained(table) if protocol.split == "global-time" else (0, 0)
    notes = {
        f"Users without records, because they have at most {protocol.warmup} ratings, the warm-up: {few:,} of "
        f"{users:,}.": few > 0 and protocol.split != "given",
        "Users with eval or test rows and no training rows, because all beyond their warm-up is after the cut: "
        f"{untrained:,} of {held_out:,}. Their histories run on.": untrained > 0,
        f"Records with an empty history, because nothing that it may show is earlier: {empty:,}.": empty > 0,
        f"Negatives missing, because too few items were left to draw from: {missing:,}.": missing > 0,
    }
    return [note for note, holds in notes.items() if holds]


def first_moments(table: pl.DataFrame) -> dict[str, float]:
    """Return when the eval and the test rows of a table begin, in seconds since 1970; infinite where there are none."""
    times = {split: table.filter(pl.col("split") == split)["timestamp"].to_numpy() for split in ("eval", "test")}
    return {split: float(known.min()) if len(known) else math.inf for split, known in times.items()}


def _count_untrained(table: pl.DataFrame) -> tuple[int, int]:
    """Return how many users have eval or test rows, and how many of these no training row."""
    users = table.filter(pl.col("split") != "warmup").group_by("user_id").agg(split=pl.col("split").unique())
    held_out = users.filter(pl.col("split").list.eval(pl.element().is_in(["eval", "test"])).list.any())
    return len(held_out), int((~held_out["split"].list.contains("train")).sum())


def _count_without_history(table: pl.DataFrame, protocol: SplitProtocol) -> int:
    """Return how many likes and dislikes, without negatives, have nothing earlier that a history may show."""
    shown = pl.Series("shown", shown_in_histories(table, protocol)).cast(pl.Int64)
    earlier = pl.col("shown").cum_sum().over("user_id") - pl.col("shown")
    return len(table.with_columns(shown).filter((earlier == 0) & (pl.col("split") != "warmup")))


def _check_likes(data: RatingTable, protocol: SplitProtocol) -> None:
    words = data.words
    if not words.lowest < protocol.like_threshold <= words.highest and not protocol.negatives:
        raise LikelyError(
            f"like_threshold is {protocol.like_threshold:g}, so that all ratings or none would be likes; set it "
            f"above {words.lowest:g} and at most to {words.highest:g}, the ends of the scale."
        )
    share = (data.ratings["rating"] >= protocol.like_threshold).mean()
    if share in (0, None) or (share == 1 and not protocol.negatives):
        raise LikelyError(
            f"With like_threshold {protocol.like_threshold:g} {'all' if share else 'none'} of the ratings of "
            f"{data.name} are likes; set it inside the scale of the data."
        )


def _check_rows(table: pl.DataFrame, data: RatingTable, protocol: SplitProtocol) -> None:
    if not (table["split"] != "warmup").any():
        raise LikelyError(
            f"No user of {data.name} has more than {protocol.warmup} ratings, so nothing is left after the "
            "warm-up; set warmup lower or use more data."
        )


def _choose_users(table: pl.DataFrame, max_users: int, seed: int) -> pl.DataFrame:
    """Keep all ratings of a random choice of users that have rows."""
    users = table.filter(pl.col("split") != "warmup")["user_id"].unique().sort().to_numpy()
    chosen = np.random.default_rng(seed).permutation(users)[:max_users]
    return table.filter(pl.col("user_id").is_in(pl.Series(chosen).implode()))


def _summarize(table: pl.DataFrame, everybody: pl.DataFrame, split: Split, protocol: SplitProtocol) -> SplitSummary:
    rows = table.filter(pl.col("split") == split)
    seen = pl.col("split").is_in(NOT_HELD_OUT)
    if protocol.split == "global-time":
        seen &= pl.col("timestamp") < first_moments(everybody)["eval"]
    known, candidates = table.filter(seen)["item_id"], rows["item_id"]
    if protocol.negatives:
        drawn = table.filter(pl.col("split") == "train")["negatives"].explode().drop_nulls()
        known = pl.concat([known, drawn])
        candidates = pl.concat([candidates, rows["negatives"].explode().drop_nulls()])
    return SplitSummary(
        users=rows["user_id"].n_unique(),
        rows=len(candidates),
        positives=int((rows["rating"] >= protocol.like_threshold).sum()),
        cold=int((~candidates.is_in(known.unique().implode())).sum()),
    )
