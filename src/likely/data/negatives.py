"""Items that a user had not taken by then, drawn by popularity: what implicit data have in place of dislikes.

Takes the timelines of `timelines` and adds a column to them, of which `timelines` makes candidates. What is drawn for a
candidate depends on nothing later than it, but for one thing: items that the user takes later within the same split
are not drawn either. RecBole's sampler does the same (Zhao et al., CIKM 2021): it leaves out what a user took up to and
in the part that it draws for. To leave out the items of later splits too would tell a model about them.
"""

import zlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likely.data.protocol import SplitProtocol
from likely.data.ratings import RatingTable

ROUNDS = 4
"""Times that touches are drawn at random, many at once, before all items are looked through."""


def add_negatives(
    table: pl.DataFrame, everybody: pl.DataFrame, data: RatingTable, protocol: SplitProtocol, seed: int
) -> pl.DataFrame:
    """Draw items for every like that is a candidate.

    An item's chance is its number of touches, by anybody, until the time of the candidate; without times, all touches.
    Each candidate has a random generator of its own, seeded by `seed`, its user and its place in the timeline.

    Args:
        table: from :func:`likely.data.timelines.build_timelines`, in its order; all users or some.
        everybody: the same, of all users.
        data: says how users are spelled, and whether there are times.
        protocol: says how many to draw, and what is a like.
        seed: from 0.

    Returns:
        The table with a column negatives, list[i32]: `protocol.negatives` different items, fewer where there are not as
        many, and null for what is no like or no candidate.
    """
    clock = pl.col("timestamp") if data.timed else pl.lit(0)
    touches = everybody.select(clock.alias("time"), "item_id").sort("time", "item_id")
    times, items = touches["time"].to_numpy(), touches["item_id"].to_numpy()
    likes = (pl.col("split") != "warmup") & (pl.col("rating") >= protocol.like_threshold)
    users = table.select(
        "user_id", "item_id", "timestamp", clock.alias("time"), pl.col("split").to_physical(), likes.alias("like")
    ).partition_by("user_id", maintain_order=True)
    drawn: list[list[int] | None] = []
    for timeline in users:
        user = timeline["user_id"][0]
        key = zlib.crc32(str(user if data.user_names is None else data.user_names[user]).encode())
        taken = taken_by(timeline)
        until = np.searchsorted(times, timeline["time"].to_numpy(), side="right").tolist()
        for place, like in enumerate(timeline["like"].to_list()):
            random = np.random.default_rng([seed, key, place])
            drawn.append(draw(items[: until[place]], taken[place], protocol.negatives, random) if like else None)
    return table.with_columns(pl.Series("negatives", drawn, pl.List(pl.Int32)))


def taken_by(timeline: pl.DataFrame) -> list[set[int]]:
    """Return the items that are not to be drawn for each row of one user's timeline, [n].

    They are what the user took until the time of the row or in its split or an earlier one.

    Args:
        timeline: item_id, timestamp, and split as a number, in the order of time.
    """
    items, splits = timeline["item_id"].to_numpy(), timeline["split"].to_numpy()
    times = timeline["timestamp"].to_numpy()
    until = np.searchsorted(times, times, side="right")
    of_splits = {split: set(items[splits <= split].tolist()) for split in np.unique(splits).tolist()}
    earlier: set[int] = set()
    taken, known = [], 0
    for end, split in zip(until.tolist(), splits.tolist(), strict=True):
        earlier.update(items[known:end].tolist())
        known = end
        of_split = of_splits[split]
        taken.append(of_split if earlier <= of_split else of_split | earlier)
    return taken


def draw(touches: NDArray[np.int32], taken: set[int], count: int, random: np.random.Generator) -> list[int]:
    """Draw different items in proportion to their touches, without those that are taken.

    Args:
        touches: the item of each touch, i32 [n].
        taken: items not to draw.
        count: how many to draw.
        random: generator.

    Returns:
        `count` items, or all there are if they are fewer.
    """
    found: dict[int, None] = {}
    for _ in range(ROUNDS if len(touches) else 0):
        some = touches[random.integers(len(touches), size=4 * count + 4)].tolist()
        found |= dict.fromkeys(item for item in some if item not in taken)
        if len(found) >= count:
            return list(found)[:count]
    # Most touches are of items that this user took: look at every item.
    items, counts = np.unique(touches, return_counts=True)
    left = [place for place, item in enumerate(items.tolist()) if item not in taken and item not in found]
    missing = min(count - len(found), len(left))
    if missing:
        chances = counts[left] / counts[left].sum()
        found |= dict.fromkeys(items[random.choice(left, missing, replace=False, p=chances)].tolist())
    return list(found)


def count_missing(table: pl.DataFrame, protocol: SplitProtocol) -> int:
    """Return how many negatives there were too few items for."""
    lengths = table["negatives"].drop_nulls().list.len()
    return protocol.negatives * len(lengths) - int(lengths.sum())
