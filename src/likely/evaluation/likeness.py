"""Which items are alike: in who rated them, and in who rated them high.

Takes the training ratings of `told_ratings` and gives `neighbours` and `taste_process` the likeness of one user's
items. It is found out without that user, so that no rating shows in what is said of it; later training ratings of
others count, as they do for whatever is fitted.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from likely.evaluation.told_ratings import ToldRatings
from likely.model.answers import BoolRows, FloatRows, Matrix, Places

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

    @cached_property
    def counts(self) -> FloatRows:
        """How many users rated each item, float64 [items]."""
        return np.asarray(self.rated.sum(axis=0), dtype=float)

    @cached_property
    def squares(self) -> FloatRows:
        """Sum of the squares of what was given each item beyond its users' means, float64 [items]."""
        return np.asarray(self.beyond.power(2).sum(axis=0), dtype=float)


@dataclass(frozen=True)
class Likeness:
    """Of some items (rows) with others (columns).

    Attributes:
        raters: shared by who rated them (Jaccard index), float64 [n, m].
        opinions: by who rated them high (adjusted cosine), float64 [n, m].
    """

    raters: Matrix
    opinions: Matrix


def tell_likeness(ratings: ToldRatings, values: FloatRows, fitted: BoolRows) -> Others:
    """Collect the ratings that tell which items are alike.

    Args:
        ratings: of everybody.
        values: of the ratings, on any scale, float64 [ratings]; those that are nan do not count.
        fitted: which of them are for training, bool [ratings].
    """
    chosen = np.unique(ratings.users)
    if len(chosen) > MOST_USERS:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, MOST_USERS, replace=False))
    kept = fitted & ~np.isnan(values) & np.isin(ratings.users, chosen)
    users, items = np.searchsorted(chosen, ratings.users[kept]), ratings.items[kept]
    means = np.bincount(users, values[kept]) / np.maximum(np.bincount(users), 1)
    beyond = values[kept] - means[users]
    others = Others.of_entries(users, items, beyond, (len(chosen), len(ratings.lines)))
    return replace(others, users=chosen)


def likeness(others: Others, user: int, items: Places) -> Likeness:
    """Say how much some items are alike, each with each, to everybody but one user.

    Args:
        others: from :func:`tell_likeness`.
        user: number of the user whose ratings do not count.
        items: numbers of the items, [n].
    """
    is_other = others.users != user
    rated, beyond = (table[:, items].toarray()[is_other] for table in (others.rated, others.beyond))
    common, products = ((table.T @ table).astype(float) for table in (rated, beyond))
    counts, squares = np.diag(common), np.diag(products)
    return _shrunk(common, products, (counts, counts), (squares, squares))


def likeness_to(others: Others, asked: Places, items: Places) -> Likeness:
    """Say how much the items that are asked about, [n], are like some others, [m], to everybody."""
    common, products = (
        (table[:, asked].T @ table[:, items]).toarray().astype(float) for table in (others.rated, others.beyond)
    )
    counts, squares = ((of_all[asked], of_all[items]) for of_all in (others.counts, others.squares))
    return _shrunk(common, products, counts, squares)


def likeness_to_itself(others: Others, items: Places) -> FloatRows:
    """Return what `Likeness.raters` says of each item with itself, float64 [n]."""
    return np.asarray(others.counts[items] / (others.counts[items] + COUNT_PRIOR))


def _shrunk(
    common: Matrix, products: Matrix, counts: tuple[FloatRows, FloatRows], squares: tuple[FloatRows, FloatRows]
) -> Likeness:
    """Return both kinds of likeness, shrunk towards 0.

    The Jaccard index counts who rated both among who rated one; the adjusted cosine is that of Sarwar et al.
    (Item-based collaborative filtering recommendation algorithms, WWW 2001).

    Args:
        common: how many rated both, [n, m].
        products: sums over users of what they gave both beyond their means, multiplied, [n, m].
        counts: how many rated each, [n] and [m].
        squares: the products of each with itself, likewise.
    """
    norms = [np.sqrt(one + NORM_PRIOR) for one in squares]
    raters = common / (counts[0][:, None] + counts[1] - common + COUNT_PRIOR)
    return Likeness(raters, products / np.outer(*norms))
