"""Which records of a file are used when not all are: seeded subsets of whole users.

Whole users, because metrics per user need all of a user's rows and a user's rows share most of
their prompts. Takes records, gives records, for `training` and `cli`.
"""

from collections.abc import Sequence

import numpy as np

from likely.records import Record


def subset_of_users(records: Sequence[Record], maximum: int | None, seed: int) -> list[Record]:
    """Return at most `maximum` records: users in a random order, all records of one before the next.

    Only the last user taken may be cut short, to reach the number exactly. A record without a
    `user_id` counts as a user of its own. The records keep their order.

    Args:
        records: what to choose from.
        maximum: how many to keep; None keeps all.
        seed: of the order of users.
    """
    if maximum is None or len(records) <= maximum:
        return list(records)
    users = np.array([record.user_id or f"row {row}" for row, record in enumerate(records)])
    names, user_of_row = np.unique(users, return_inverse=True)
    rank = np.random.default_rng(seed).permutation(len(names))
    by_user = np.argsort(rank[user_of_row], kind="stable")[:maximum]
    return [records[row] for row in np.sort(by_user)]
