"""What is known of every item by the end of the ratings: all that counting needs to answer about a new user.

`counting` gathers it from records, `blend` keeps it in the folder of a run: a row an item, and which
items are alike, as ratings of at most `likeness.MOST_USERS` users, who have numbers instead of names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from likely.data.records import Record
from likely.evaluation.counted_columns import likeness_of, past_of
from likely.evaluation.counted_now import KnownOfItems
from likely.evaluation.features import item_keys, likes_of, times_of
from likely.evaluation.given import Given
from likely.evaluation.like_counts import places_of
from likely.evaluation.likeness import MOST_USERS, Others
from likely.evaluation.matrix_factorisation import FACTORS
from likely.evaluation.tally import ITEM_SUMS, Past, Totals
from likely.evaluation.told_ratings import told_ratings
from likely.evaluation.user_ridge import candidate_lines, frequent_details, levels_before
from likely.model.answers import FloatRows, Matrix, Places

SCHEMA: Mapping[str, pl.DataType] = {
    "item_id": pl.String(),
    "shown": pl.String(),
    "likes": pl.Int64(),
    "ratings": pl.Int64(),
    "level_at_first": pl.Float64(),
    "level": pl.Float64(),
    "factors": pl.Array(pl.Float64, 1 + FACTORS),
    "told": pl.Float64(),
    "first_time": pl.Float64(),
    "sums": pl.Array(pl.Float64, len(ITEM_SUMS)),
}
"""Of the table: id, name as prompts have it, counts, what it gets beyond its users (`user_ridge`), bias and factors.

Of all ratings, those that only histories show too: how many there are, the time of the first, and `tally.ITEM_SUMS`.
"""

LIKENESS_SCHEMA: Mapping[str, pl.DataType] = {"user": pl.Int64(), "item": pl.Int64(), "beyond": pl.Float32()}
"""Of the ratings that tell which items are alike: a number of the user, the row of the item, less the user's mean."""


@dataclass(frozen=True)
class ItemFacts:
    """Items and what is known of them.

    Attributes:
        table: with the columns of `SCHEMA`, the most rated first.
        details: that have a weight in the ridge of each user.
        overall: log-odds of a like that the factors go with.
        likeness: with the columns of `LIKENESS_SCHEMA`.
        told_details: that tastes are about, of the items that only histories show too.
        totals: of all ratings.
    """

    table: pl.DataFrame
    details: Sequence[str]
    overall: float
    likeness: pl.DataFrame
    told_details: Sequence[str]
    totals: Totals

    @classmethod
    def of(cls, given: Given) -> "ItemFacts":
        """Gather what is known after the last of the training records and the earlier ones.

        They have users, items and times.
        """
        records, labels, factors = [*given.train, *given.earlier], given.labels, given.factors
        times = times_of(records)
        assert times is not None
        asked = item_keys(records)
        # Records that nobody is to answer, from after all others, find out what was known by then.
        after, once = {"timestamp": float(times.max()) + 1}, dict.fromkeys(asked)
        wanted = [Record("", "", labels.negative, user_id="", item_id=name, extra=after) for name in once]
        levels = levels_before([*records, *wanted], labels)
        told = told_ratings(records, labels, given.words)
        past, place_of = past_of(told), {name: place for place, name in enumerate(told.names)}
        # Items that only histories show come last, as nothing is counted of them in records.
        names = [*once, *(name for name in told.names if name not in once)]
        numbers = {name: number for number, name in enumerate(names)}
        rows, places = np.array([numbers[name] for name in asked]), np.array([place_of[name] for name in names])
        no_level = np.zeros(len(names) - len(once))
        table = pl.DataFrame(
            {
                "item_id": names,
                "shown": [told.lines[place_of[name]] for name in names],
                "likes": np.bincount(rows, likes_of(records, labels), len(names)).astype(np.int64),
                "ratings": np.bincount(rows, minlength=len(names)),
                "level_at_first": np.r_[levels.of_item_at_first[len(records) :], no_level],
                "level": np.r_[levels.of_item[len(records) :], no_level],
                "factors": factors.items[places_of(factors.item_names, names)],
                "told": past.ratings[places],
                "first_time": past.first_times[places],
                "sums": past.sums[places],
            },
            schema=SCHEMA,
        )
        order = np.argsort(-table["ratings"].to_numpy(), kind="stable")
        row_of = np.empty(len(names), np.int64)
        row_of[places[order]] = np.arange(len(names))
        others = likeness_of(told, np.arange(len(records)) < len(given.train))
        return cls(
            table[order],
            frequent_details(candidate_lines(records)),
            factors.overall,
            _entries(others, row_of),
            frequent_details(told.lines),
            past.totals,
        )

    @cached_property
    def of_everybody(self) -> KnownOfItems:
        """What is known of items by all that is told."""
        users, items, beyond = (self.likeness[name].to_numpy() for name in LIKENESS_SCHEMA)
        shape = (int(users.max(initial=-1)) + 1, len(self.table) + 1)
        first_times = self.table["first_time"].to_numpy()
        sums = self.table["sums"].to_numpy().reshape(len(self.table), len(ITEM_SUMS))
        past = Past(self.table["told"].to_numpy(), first_times, sums, self.totals)
        return KnownOfItems(past, Others.of_entries(users, items, beyond, shape), self.told_details)

    def check(self) -> None:
        """Check tables that were read from files: nothing is missing, and what is alike is in the table of items.

        Raises:
            ValueError: they are not sound.
        """
        within = pl.col("item").is_between(0, len(self.table) - 1).all()
        sound = within & pl.col("user").is_between(0, MOST_USERS - 1).all() & pl.col("beyond").is_finite().all()
        known = pl.all_horizontal(pl.all().is_not_null().all())
        if not (self.likeness.select(known & sound).item() and self.table.select(known).item()):
            raise ValueError("the tables of items are not sound")

    @cached_property
    def counts(self) -> tuple[float, float]:
        """How many ratings of all items are likes, and how many there are."""
        return float(self.likes.sum()), float(self.ratings.sum())

    @cached_property
    def likes(self) -> FloatRows:
        """Of each item, and 0 of an unknown one at the end, float64 [items + 1]."""
        return self._column("likes")

    @cached_property
    def ratings(self) -> FloatRows:
        """Likewise, how many there are."""
        return self._column("ratings")

    @cached_property
    def levels_at_first(self) -> FloatRows:
        """Likewise, what an item gets beyond its users' means."""
        return self._column("level_at_first")

    @cached_property
    def levels(self) -> FloatRows:
        """Likewise, what an item gets beyond what its users give."""
        return self._column("level")

    def places(self, shown: Sequence[str], item_ids: Sequence[str | None]) -> Places:
        """Return the row of each item in the table, int64 [items], or the number of rows for an unknown one.

        Args:
            shown: names, as prompts have them.
            item_ids: tell items of one name apart, such as editions of a book; None where unknown.
        """
        found = []
        for name, item_id in zip(shown, item_ids, strict=True):
            rows = self._rows_by_name.get(name, [len(self.table)])
            of_id = (row for row in rows if row < len(self.table) and self._item_ids[row] == item_id)
            found.append(next(of_id, rows[0]))
        return np.array(found, dtype=np.int64)

    @cached_property
    def factors(self) -> Matrix:
        """Bias and factors, and zeros for an unknown item at the end, float64 [items + 1, 1 + factors]."""
        known = self.table["factors"].to_numpy().reshape(len(self.table), 1 + FACTORS)
        return np.asarray(np.vstack([known, np.zeros((1, 1 + FACTORS))]))

    def _column(self, name: str) -> FloatRows:
        return np.asarray(np.append(self.table[name].to_numpy().astype(float), 0.0))

    @cached_property
    def _item_ids(self) -> list[str]:
        return self.table["item_id"].to_list()

    @cached_property
    def _rows_by_name(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.table["shown"]):
            rows.setdefault(name, []).append(row)
        return rows


def _entries(others: Others, row_of: Places) -> pl.DataFrame:
    """Return ratings that tell which items are alike as a table, given the row of each item."""
    beyond = others.beyond.tocoo()
    entries = {"user": beyond.row, "item": row_of[beyond.col], "beyond": beyond.data}
    return pl.DataFrame(entries, schema_overrides=LIKENESS_SCHEMA).sort("user", "item")
