"""Which items are alike: in who rated them, and in who rated them high.

Takes the training ratings of `told_ratings` and gives `neighbours` and `taste_process` the likeness of one user's
items. It is found out without that user, so that no rating shows in what is said of it; later training ratings of
others count, as they do for whatever is fitted.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from likely.evaluation.told_ratings import Places, ToldRatings
from likely.model.answers import BoolRows, FloatRows

Matrix = NDArray[np.float64]

MOST_USERS = 2_000
"""Users, at random where there are more, whose ratings tell which items are alike."""

NORM_PRIOR, COUNT_PRIOR = 10.0, 5.0
"""Added to what the two kinds of likeness are divided by: few ratings in common are no likeness yet."""


@dataclass(frozen=True)
class Others:
    """Training ratings that tell which items are alike.

    Attributes:
        users: numbers of the users, ascending, int64 [users].
        rated: 1 where a user rated an item, CSC float32 [users, items].
        beyond: the rating less the mean of its user, so that it knows of nobody else, CSC float32 [users, items].
    """

    users: Places
    rated: sparse.csc_array
    beyond: sparse.csc_array

    @classmethod
    def of_entries(cls, users: Places, items: Places, beyond: FloatRows, shape: tuple[int, int]) -> "Others":
        """Put ratings into tables, users and items by number from 0, [ratings] each; in `users` they count from 1.

        A given split may hold several ratings of an item by one user.
        """

        def table(entries: FloatRows) -> sparse.csc_array:
            return sparse.csc_array((entries.astype(np.float32), (users, items)), shape=shape)

        return cls(np.arange(1, shape[0] + 1), table(np.ones(len(users))).sign(), table(beyond))

    def of_items(self, places: Places) -> "Others":
        """Return the same for some items alone."""
        return Others(self.users, self.rated[:, places], self.beyond[:, places])


@dataclass(frozen=True)
class Likeness:
    """Of one user's items, each with each.

    Attributes:
        raters: shared by who rated them (Jaccard index), float64 [n, n].
        opinions: by who rated them high (adjusted cosine), float64 [n, n].
    """

    raters: Matrix
    opinions: Matrix


def tell_likeness(ratings: ToldRatings, values: FloatRows, fitted: BoolRows, seed: int = 0) -> Others:
    """Collect the ratings that tell which items are alike.

    Args:
        ratings: of everybody.
        values: of the ratings, on any scale, float64 [ratings]; those that are nan do not count.
        fitted: which of them are for training, bool [ratings].
        seed: of the choice among more than `MOST_USERS` users.
    """
    chosen = np.unique(ratings.users)
    if len(chosen) > MOST_USERS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, MOST_USERS, replace=False))
    kept = fitted & ~np.isnan(values) & np.isin(ratings.users, chosen)
    users, items = np.searchsorted(chosen, ratings.users[kept]), ratings.items[kept]
    means = np.bincount(users, values[kept]) / np.maximum(np.bincount(users), 1)
    beyond = values[kept] - means[users]
    others = Others.of_entries(users, items, beyond, (len(chosen), len(ratings.lines)))
    return replace(others, users=chosen)


def likeness(others: Others, user: int, items: Places) -> Likeness:
    """Say how much some items are alike, to everybody but one user.

    The Jaccard index counts who rated both among who rated one; the adjusted cosine is that of Sarwar et al.
    (Item-based collaborative filtering recommendation algorithms, WWW 2001). Both are shrunk towards 0.

    Args:
        others: from :func:`tell_likeness`.
        user: number of the user whose ratings do not count.
        items: numbers of the items, [n].
    """
    is_other = others.users != user
    rated, beyond = (table[:, items].toarray()[is_other] for table in (others.rated, others.beyond))
    common = (rated.T @ rated).astype(float)
    counts = np.diag(common)
    products = (beyond.T @ beyond).astype(float)
    norms = np.sqrt(np.diag(products) + NORM_PRIOR)
    raters = common / (counts[:, None] + counts - common + COUNT_PRIOR)
    return Likeness(raters, products / np.outer(norms, norms))
