"""Turns a MovieLens release into train.json, eval.json and test.json and says what they are.

`movielens` gives the ratings, `timelines` splits them and makes the rows, `records` writes them.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from likely.data.catalogue_file import CATALOGUE_FILE, catalogue_rows
from likely.data.liked_shares import add_tastes, count_earlier_ratings, rating_deviations
from likely.data.movielens import MovieLens
from likely.data.protocol import SPLITS, Split, SplitProtocol, check_positive
from likely.data.records import write_records
from likely.data.task import PREPARATION_FILE, digest_of, ratings_task
from likely.data.timelines import build_timelines, make_rows
from likely.errors import LikelyError
from likely.files import replacing_folder, write_json


@dataclass(frozen=True)
class SplitSummary:
    """What one file holds.

    Attributes:
        users: with at least one row.
        rows: records.
        positives: rows whose candidate was liked.
        cold: rows whose candidate occurs in no warm-up and no train row of any user; 0 for train.
    """

    users: int
    rows: int
    positives: int
    cold: int


@dataclass(frozen=True)
class Preparation:
    """What :func:`prepare` wrote; `dataclasses.asdict` of it is plain numbers."""

    train: SplitSummary
    eval: SplitSummary
    test: SplitSummary


def prepare(
    data: MovieLens,
    output_dir: Path,
    protocol: SplitProtocol | None = None,
    max_users: int | None = None,
    seed: int = 42,
) -> Preparation:
    """Write train.json, eval.json, test.json, catalogue.json and preparation.json; none before all are complete.

    Rows are ordered by user and then by time; one user after another is rendered and written. preparation.json says
    what the records ask (`task`) and holds the SHA-256 of each file.

    Args:
        data: ratings and movies.
        output_dir: made if missing; files of an earlier preparation are replaced.
        protocol: how timelines become rows; the default one if None.
        max_users: keep a random choice of so many users that have rows; None keeps all.
        seed: of that choice.

    Raises:
        LikelyError: all ratings or none are likes, no user has more ratings than the warm-up,
            `max_users` is below 1, or `output_dir` cannot be written.
    """
    protocol = protocol or SplitProtocol()
    if max_users is not None:
        check_positive("max_users", max_users)
    _check_likes(data, protocol)
    table = build_timelines(data.ratings, protocol)
    everybody = table
    if protocol.hints:
        table = count_earlier_ratings(table, protocol.like_threshold)
    if max_users is not None:
        table = _choose_users(table, max_users, seed)
    if protocol.hints:
        table = add_tastes(table, data.movies, protocol.like_threshold, rating_deviations(everybody))
    if not (table["split"] != "warmup").any():
        raise LikelyError(
            f"No user of {data.name} has more than {protocol.warmup} ratings, so nothing is left after the "
            "warm-up; set warmup lower or use more data."
        )
    summary = Preparation(*(_summarize(table, split, protocol) for split in SPLITS))
    description = {
        **dataclasses.asdict(ratings_task(protocol, data.name)),
        "max_users": max_users,
        "seed": seed,
        "splits": dataclasses.asdict(summary),
    }
    rows = {f"{split}.json": make_rows(table, data.movies, split, protocol) for split in SPLITS}
    rows[CATALOGUE_FILE] = catalogue_rows(everybody, data.movies, protocol.like_threshold)
    try:
        _write(output_dir, rows, description)
    except OSError as error:
        raise LikelyError(f"Cannot write to {output_dir} ({error}); choose another output folder.") from error
    return summary


def _write(output_dir: Path, files: Mapping[str, Iterable[Mapping[str, Any]]], description: Mapping[str, Any]) -> None:
    """Write files of records, and what they are with their digests, into a folder of its own and move all together."""
    with replacing_folder(output_dir, last=PREPARATION_FILE) as staging:
        for name, rows in files.items():
            write_records(staging / name, rows)
        digests = {name: digest_of(staging / name) for name in files}
        write_json(staging / PREPARATION_FILE, {**description, "sha256": digests})


def _check_likes(data: MovieLens, protocol: SplitProtocol) -> None:
    share = (data.ratings["rating"] >= protocol.like_threshold).mean()
    if share in (0, 1, None):
        raise LikelyError(
            f"With like_threshold {protocol.like_threshold:g} {'all' if share else 'none'} of the ratings of "
            f"{data.name} are likes; set it inside the scale of the data."
        )


def _choose_users(table: pl.DataFrame, max_users: int, seed: int) -> pl.DataFrame:
    """Keep all ratings of a random choice of users that have rows."""
    users = table.filter(pl.col("split") != "warmup")["user_id"].unique().sort().to_numpy()
    chosen = np.random.default_rng(seed).permutation(users)[:max_users]
    return table.filter(pl.col("user_id").is_in(pl.Series(chosen).implode()))


def _summarize(table: pl.DataFrame, split: Split, protocol: SplitProtocol) -> SplitSummary:
    rows = table.filter(pl.col("split") == split)
    known = table.filter(pl.col("split").is_in(["warmup", "train"]))["movie_id"].unique()
    return SplitSummary(
        users=rows["user_id"].n_unique(),
        rows=len(rows),
        positives=int((rows["rating"] >= protocol.like_threshold).sum()),
        cold=int((~rows["movie_id"].is_in(known.implode())).sum()),
    )
