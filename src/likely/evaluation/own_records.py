"""What baselines are called where records ask something of a user's own, which need not be about liking.

`run` and `cli.infer` pass the systems of such an evaluation through here before they stand in a table.
"""

from collections.abc import Sequence
from dataclasses import replace

from likely.data.records import Labels
from likely.evaluation.contest import System

WORDS = {
    "always Yes": "always {0}",
    "item like-rate": "{0} rate of the item",
    "user like-rate": "{0} rate of the user",
    "history fraction liked": "{0} rate of the history",
    "item + user like-rate": "{0} rates of item + user",
}
"""What stands for the names of baselines; the positive label goes into it."""


def named_by_label(systems: Sequence[System], labels: Labels) -> list[System]:
    """Return systems under names that speak of the positive label; fusions with a baseline too."""
    names = {old: new.format(labels.positive) for old, new in WORDS.items()}
    mixed = {f"adapter + {old}": f"adapter + {new}" for old, new in names.items()}

    def named(name: str) -> str:
        baseline, comma, records = name.partition(", ")
        return (names | mixed).get(baseline, baseline) + comma + records

    return [replace(one, name=named(one.name)) for one in systems]


def left_out_briefly(left_out: Sequence[str]) -> list[str]:
    """Return one line for all baselines that are left out: that they need users and items is no surprise here."""
    names = [line.partition(" is left out")[0] for line in left_out if " is left out" in line]
    others = [line for line in left_out if " is left out" not in line]
    if not names:
        return others
    if any(name.startswith("TF-IDF") for name in names):
        return ["No baseline can be fitted: that takes training records with both labels."]
    return [f"{len(names)} baselines that need user_id, item_id or histories of ratings are left out.", *others]
