"""How systems rank where little was known: rows of items, and of users, that training saw never, seldom or often.

Takes an :class:`likely.evaluation.contest.Evaluation` and the training records; `run` keeps what comes out with it, and
`report` shows it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from likely.data.records import Record
from likely.data.run_data import count_items
from likely.evaluation.contest import DRAWS, Estimate, Evaluation, Stratum
from likely.evaluation.groups import Group, bounded_groups, resampled_areas
from likely.evaluation.resampling import interval

BOUNDS = (1, 10, 100)
"""Training records from which on the next stratum begins: none, up to nine, up to 99, more."""


def strata_of(evaluation: Evaluation, train: Sequence[Record]) -> list[Stratum]:
    """Return how systems rank rows by the training records of their candidate, and by those of their user.

    Args:
        evaluation: of any rows.
        train: all training records.

    Returns:
        Strata in order, those of items first. None of items, or of users, where not all records name theirs, or where
        all rows are in the same one.
    """
    items, users = count_items(train), Counter(record.user_id for record in train)
    strata = []
    if items and all(record.item_id is not None for record in evaluation.records):
        by_item = [items[str(record.item_id)] for record in evaluation.records]
        strata += [_stratum(evaluation, "item", group) for group in _several(by_item)]
    if evaluation.names_users and users and None not in users:
        by_user = [users[record.user_id] for record in evaluation.records]
        strata += [_stratum(evaluation, "user", group) for group in _several(by_user)]
    return strata


def tied_note(evaluation: Evaluation) -> list[str]:
    """Say how many rows share their time with another row of the same user, in a sentence; nothing where none does."""
    tied, rows = evaluation.tied_rows, len(evaluation.records)
    share = f"{tied / max(rows, 1):.0%}" if 200 * tied >= rows else "under 1%"
    said = (
        f"{tied:,} of {rows:,} rows ({share}) share their time with another row of the same user; "
        "their order within is the file's."
    )
    return [said] if tied else []


def _several(counts: Sequence[int]) -> list[Group]:
    groups = bounded_groups(counts, BOUNDS)
    return groups if len(groups) > 1 else []


def _stratum(evaluation: Evaluation, of: Literal["item", "user"], group: Group) -> Stratum:
    """Measure everybody on the rows of a group, over the same resamples of its users."""
    systems, best = [result.system for result in evaluation.results], evaluation.best_baseline
    areas = resampled_areas(evaluation, group.rows, systems, DRAWS)
    found = {system.name: area for system, area in zip(systems, areas, strict=True)}
    return Stratum(
        of=of,
        label=group.label,
        rows=len(group.rows),
        users=len({evaluation.users[row] for row in group.rows}),
        areas={name: Estimate(value, *interval(drawn)) for name, (value, drawn) in found.items()},
        differences={
            name: Estimate(value - found[best][0], *interval(drawn - found[best][1]))
            for name, (value, drawn) in found.items()
            if best and name != best
        },
    )
