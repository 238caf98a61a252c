"""Boosted trees as a table of their nodes: scikit-learn has no format for them that can be read without trust.

`counting` grows them by `classifiers` and asks them here, so that an evaluation and a run that was read from its folder
say the same; `blend` keeps the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from likely.model.answers import BoolRows, FloatRows, Matrix

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier


SCHEMA: Mapping[str, pl.DataType] = {
    "tree": pl.Int64(),
    "column": pl.Int64(),
    "threshold": pl.Float64(),
    "unknown_left": pl.Boolean(),
    "left": pl.Int64(),
    "right": pl.Int64(),
    "value": pl.Float64(),
}
"""Of a table of nodes. Those of a tree follow each other, its root first. A leaf has itself to both sides."""

AT_ONCE = 16_384
"""Rows times trees that are walked together."""


@dataclass(frozen=True)
class KeptTrees:
    """Trees whose values add up to log-odds.

    Attributes:
        start: log-odds before the first tree.
        nodes: the table.
    """

    start: float
    nodes: pl.DataFrame

    @classmethod
    def of(cls, model: "HistGradientBoostingClassifier", known: BoolRows) -> "KeptTrees":
        """Return the trees of a fitted model for two classes.

        Args:
            model: fitted to some columns.
            known: which of all columns these are, bool [columns].
        """
        columns, tables, first = np.flatnonzero(known), [], 0
        for number, (tree,) in enumerate(model._predictors):
            nodes = tree.nodes
            itself, leaf = first + np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
            tables.append(
                pl.DataFrame(
                    {
                        "tree": np.full(len(nodes), number),
                        "column": columns[nodes["feature_idx"]],
                        "threshold": nodes["num_threshold"],
                        "unknown_left": nodes["missing_go_to_left"].astype(bool),
                        "left": np.where(leaf, itself, first + nodes["left"].astype(np.int64)),
                        "right": np.where(leaf, itself, first + nodes["right"].astype(np.int64)),
                        "value": nodes["value"],
                    },
                    schema=SCHEMA,
                )
            )
            first += len(nodes)
        return cls(float(model._baseline_prediction.item()), pl.concat(tables))

    def check(self, columns: int) -> None:
        """Check nodes that were read from a file: every way leads down, and asks one of so many columns.

        Raises:
            ValueError: it does not.
        """
        itself = pl.int_range(pl.len())
        sound = (
            pl.col("tree").is_sorted()
            & pl.all_horizontal(pl.all().is_not_null().all())
            & pl.col("column").is_between(0, columns - 1).all()
            & (pl.min_horizontal("left", "right") >= itself).all()
            & (pl.max_horizontal("left", "right") < pl.len()).all()
        )
        if not self.nodes.select(sound).item():
            raise ValueError("the nodes are no trees")

    def log_odds(self, columns: Matrix) -> FloatRows:
        """Return what the trees say of rows, float64 [rows], from float64 [rows, columns]; nan is unknown."""
        nodes = {name: self.nodes[name].to_numpy() for name in SCHEMA}
        roots = np.flatnonzero(np.diff(nodes["tree"], prepend=-1))
        rows = np.arange(len(columns))
        sums = np.full(len(columns), self.start)
        for some in np.array_split(roots, min(len(roots) * len(columns) // AT_ONCE + 1, len(roots))):
            at = np.repeat(some[:, None], len(columns), axis=1)
            while True:
                seen = columns[rows, nodes["column"][at]]
                left = np.where(np.isnan(seen), nodes["unknown_left"][at], seen <= nodes["threshold"][at])
                below = np.where(left, nodes["left"][at], nodes["right"][at])
                if np.array_equal(below, at):
                    break
                at = below
            for of_tree in nodes["value"][at]:
                sums += of_tree
        return sums
