"""What is known of every item by the end of the ratings: all that counting needs to answer about a new user.

`counting` gathers it from records, `blend` keeps it in the folder of a run: a row an item, and of users nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likely.data.records import Labels, Record
from likely.evaluation.features import item_keys, likes_of, times_of
from likely.evaluation.like_counts import places_of
from likely.evaluation.matrix_factorisation import FACTORS, Factors
from likely.evaluation.user_ridge import candidate_lines, frequent_details, levels_before
from likely.model.answers import FloatRows

Matrix = NDArray[np.float64]

SCHEMA: Mapping[str, pl.DataType] = {
    "item_id": pl.String(),
    "shown": pl.String(),
    "likes": pl.Int64(),
    "ratings": pl.Int64(),
    "level": pl.Float64(),
    "factors": pl.Array(pl.Float64, 1 + FACTORS),
}
"""Of the table: id, name as prompts have it, counts, what it gets beyond its users (`user_ridge`), bias and factors."""


@dataclass(frozen=True)
class ItemFacts:
    """Items and what is known of them.

    Attributes:
        table: with the columns of `SCHEMA`, the most rated first.
        details: that have a weight in the ridge of each user.
        overall: log-odds of a like that the factors go with.
    """

    table: pl.DataFrame
    details: Sequence[str]
    overall: float

    @classmethod
    def of(cls, records: Sequence[Record], labels: Labels, factors: Factors) -> "ItemFacts":
        """Gather what is known after the last of some records, which have users, items and times."""
        times = times_of(records)
        assert times is not None
        names, lines, likes = item_keys(records), candidate_lines(records), likes_of(records, labels)
        last_name = dict(zip(names, lines, strict=True))
        # Records that nobody is to answer, from after all others, find out what was known by then.
        after = {"timestamp": float(times.max()) + 1}
        asked = [Record("", "", labels.negative, user_id="", item_id=name, extra=after) for name in last_name]
        levels = levels_before([*records, *asked], labels).of_item[len(records) :]
        counts = pl.DataFrame({"item_id": names, "liked": likes}).group_by("item_id")
        counted = counts.agg(likes=pl.col("liked").sum().cast(pl.Int64), ratings=pl.len().cast(pl.Int64))
        table = pl.DataFrame(
            {
                "item_id": list(last_name),
                "shown": list(last_name.values()),
                "level": levels,
                "factors": pl.Series(
                    factors.items[places_of(factors.item_names, list(last_name))], dtype=SCHEMA["factors"]
                ),
            }
        ).join(counted, on="item_id", maintain_order="left")
        most_rated = table.select(*SCHEMA).sort("ratings", descending=True, maintain_order=True)
        return cls(most_rated, frequent_details(lines), factors.overall)

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
    def levels(self) -> FloatRows:
        """Likewise, what an item gets beyond what its users give."""
        return self._column("level")

    def places(self, shown: Sequence[str], item_ids: Sequence[str | None]) -> NDArray[np.int64]:
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
