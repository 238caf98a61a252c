"""What share of a user's earlier items was liked: of all, of those like the candidate in genre, and in who likes them.

Takes the timelines of `timelines` and the items; `wording` puts the shares into words for the prompt. As in a
history, only ratings before the candidate's own place in its user's timeline count, whatever split they are in.
All that is told of other users (which items are alike, and what they had said of the candidate) is from before the
candidate's own time, and from warm-up and training rows alone. Its own, a later or an evaluated rating never counts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from likely.data.protocol import NOT_HELD_OUT

Floats = NDArray[np.float32]

TASTES = ("liked_of_all", "liked_of_genres", "liked_of_similar")
"""Columns that :func:`add_tastes` adds to a table."""

USER_PRIOR = (1.0, 2.0)
"""Imaginary likes and ratings of every user, half of them likes, so that a share is defined before the first."""

PRIOR_WEIGHT = 0.2
"""Weight of the share of all items in the other two; that of an item is its likeness to the candidate, 1 at most."""

NORM_PRIOR = 10.0
"""Added to the sum of squares that an item's likeness is divided by: few ratings in common are no likeness yet."""

ROUNDING = 1e-3
"""What may be left of a sum of float32 products, in stars squared, after all of its terms were taken away again."""

MOST_USERS = 10_000
"""Users, at random where there are more, whose ratings tell which items are alike."""

GROWTH = 1.1
"""Which items are alike is found out again whenever there are so many times as many ratings as the last time.

So a candidate is told of at least ten elevenths of what there was before it, and all rounds together cost about eleven
times as much as the last one alone.
"""

BLOCK = 1024
"""Candidates at once, so that the timeline of a user with thousands of ratings fits into memory."""


@dataclass(frozen=True)
class Deviations:
    """How far the warm-up and training ratings of each item are from their users' means, as far as known at a time.

    Attributes:
        stars: the ratings, in the order of their times, float32 [n].
        user_rows: place in `users` of who gave each, int64 [n].
        item_columns: place in `items` of what it is of, int64 [n].
        users: user_id of those who gave one, ascending.
        items: item_id of all items, ascending.
        rounds: times at which to find out anew, ascending, [rounds].
        counts: ratings from strictly before each of them, int64 [rounds].
    """

    stars: Floats
    user_rows: NDArray[np.int64]
    item_columns: NDArray[np.int64]
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    rounds: NDArray[np.generic]
    counts: NDArray[np.int64]

    def known_in(self, number: int) -> sparse.csc_matrix:
        """Return stars minus the user's mean, both of ratings from before a round, CSC float32 [users, items]."""
        count = self.counts[number]
        stars, users, items = self.stars[:count], self.user_rows[:count], self.item_columns[:count]
        means = np.bincount(users, stars) / np.maximum(np.bincount(users), 1)
        shape = (len(self.users), len(self.items))
        return sparse.csc_matrix(((stars - means[users]).astype(np.float32), (users, items)), shape=shape)


def rating_deviations(
    table: pl.DataFrame, most_users: int = MOST_USERS, seed: int = 0, star: float = 1.0
) -> Deviations:
    """Collect the ratings that tell which items are alike.

    Args:
        table: from :func:`likely.data.timelines.build_timelines`, of all users.
        most_users: whose ratings to collect at most.
        seed: of the choice among more.
        star: what one of five stars is on the scale of the ratings.
    """
    everybody = table["user_id"].unique().sort()
    chosen = everybody.sample(most_users, seed=seed) if len(everybody) > most_users else everybody
    is_known = pl.col("split").is_in(NOT_HELD_OUT) & pl.col("user_id").is_in(chosen.implode())
    known = table.filter(is_known).sort("timestamp", maintain_order=True)
    users, user_rows = np.unique(known["user_id"].to_numpy(), return_inverse=True)
    # All items, so that one that is only evaluated has an (empty) column too.
    items = table["item_id"].unique().sort().to_numpy()
    columns = np.searchsorted(items, known["item_id"].to_numpy())
    stars = (known["rating"].cast(pl.Float32) / star).cast(pl.Float32).to_numpy()
    moments = np.unique(table["timestamp"].to_numpy())
    before = np.searchsorted(known["timestamp"].to_numpy(), moments)
    chosen_moments = _growing(before)
    return Deviations(stars, user_rows, columns, users, items, moments[chosen_moments], before[chosen_moments])


def _growing(counts: NDArray[np.int64]) -> list[int]:
    """Return places in ascending counts, the first among them, each with `GROWTH` times the count of the one before."""
    places, wanted = [0], 1.0
    while (place := int(np.searchsorted(counts, wanted))) < len(counts):
        places.append(place)
        wanted = max(counts[place] + 1, counts[place] * GROWTH)
    return places


def add_tastes(table: pl.DataFrame, items: pl.DataFrame, like_threshold: float, deviations: Deviations) -> pl.DataFrame:
    """Say what share of its user's earlier items was liked, for every row.

    Args:
        table: from :func:`likely.data.timelines.build_timelines`, in its order; all users or some.
        items: as in :class:`likely.data.ratings.RatingTable`.
        like_threshold: the rating that makes a like.
        deviations: of all users.

    Returns:
        The table with three columns f32 between 0 and 1, the last two nan where no earlier item is like the
        candidate. liked_of_all: of all earlier items. liked_of_genres: of those weighted by the details that they
        share with the candidate (Jaccard index). liked_of_similar: of those weighted by their likeness to the
        candidate in who rates them high, the adjusted cosine of Sarwar et al. (Item-based collaborative filtering
        recommendation algorithms, WWW 2001) without this user's own ratings and any that is not from before the
        candidate's time.
    """
    liked = (table["rating"] >= like_threshold).to_numpy().astype(np.float32)
    user_ids = table["user_id"].to_numpy()
    columns = np.searchsorted(deviations.items, table["item_id"].to_numpy())
    genres = _detail_table(items, deviations.items)
    starts = np.flatnonzero(np.diff(user_ids, prepend=user_ids[:1] - 1))
    shares = np.empty((3, len(table)), np.float32)
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(table)], strict=True):
        timeline = slice(begin, end)
        shares[:2, timeline] = _own_shares(liked[timeline], genres[columns[timeline]])
    # A table need not begin with the time at which everybody's does.
    rounds = np.searchsorted(deviations.rounds, table["timestamp"].to_numpy(), side="right") - 1
    changes = np.flatnonzero(np.diff(user_ids, prepend=user_ids[:1] - 1) | np.diff(rounds, prepend=-1))
    stretches = np.stack([changes, np.r_[changes[1:], len(table)]], axis=1)
    for number in np.unique(rounds):
        known = deviations.known_in(number)
        for first, end in stretches[rounds[changes] == number].tolist():
            begin = starts[np.searchsorted(starts, first, side="right") - 1]
            timeline, rows = slice(begin, end), slice(first, end)
            ratings = known[:, columns[timeline]]
            own = ratings[deviations.users == user_ids[begin]].toarray().sum(axis=0)  # of nobody, where not chosen
            shares[2, rows] = _shares_of_similar(liked[timeline], ratings, own, shares[0, rows])
    return table.with_columns(pl.Series(*column) for column in zip(TASTES, shares, strict=True))


def share_of_all(likes: Floats, ratings: Floats | float) -> Floats:
    """Return the share of likes among ratings, drawn towards a half, float32 of the same shape."""
    return (likes + USER_PRIOR[0]) / (ratings + USER_PRIOR[1])


def share_of_genres(liked: Floats, history: Sequence[Collection[str]], candidates: Sequence[Collection[str]]) -> Floats:
    """Return for each candidate what :func:`add_tastes` calls liked_of_genres, after a history given by itself.

    Args:
        liked: 1 for a like and 0 for none, float32 [n].
        history: details, such as genres, of each of its items, [n].
        candidates: details of each candidate.

    Returns:
        float32 [candidates], nan where no item of the history has a detail of the candidate.
    """
    jaccard = [[len({*one} & {*other}) / max(len({*one, *other}), 1) for other in history] for one in candidates]
    of_all = share_of_all(liked.sum(), len(liked))
    return weighted_share(np.array(jaccard, np.float32), liked, np.full(len(candidates), of_all))


def _detail_table(items: pl.DataFrame, item_ids: NDArray[np.int32]) -> sparse.csr_matrix:
    """Return which details each item has, 0 or 1, CSR float32 [items, details]."""
    pairs = items.select("item_id", "details").explode("details").drop_nulls()
    pairs = pairs.filter(pl.col("item_id").is_in(pl.Series(item_ids).implode()))
    names, columns = np.unique(pairs["details"].to_numpy(), return_inverse=True)
    rows = np.searchsorted(item_ids, pairs["item_id"].to_numpy())
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_matrix((ones, (rows, columns)), shape=(len(item_ids), len(names)))


def _own_shares(liked: Floats, genres: sparse.csr_matrix) -> Floats:
    """Return the shares of all earlier items and of those like the candidate in genre, along one timeline.

    Args:
        liked: 1 for a like and 0 for none, [n].
        genres: details of the items of the timeline, 0 or 1, [n, details].

    Returns:
        float32 [2, n].
    """
    likes_before = np.concatenate([[0], np.cumsum(liked)[:-1]], dtype=np.float32)
    of_all = share_of_all(likes_before, np.arange(len(liked), dtype=np.float32))
    counts = np.asarray(genres.sum(axis=1))[:, 0]
    of_genres = np.empty_like(of_all)
    for first in range(0, len(liked), BLOCK):
        block = slice(first, first + BLOCK)
        common = (genres[block] @ genres.T).toarray()
        jaccard = common / np.maximum(counts[block, None] + counts - common, 1)
        of_genres[block] = weighted_share(np.tril(jaccard, first - 1), liked, of_all[block])
    return np.stack([of_all, of_genres])


def _shares_of_similar(liked: Floats, ratings: sparse.csc_matrix, own: Floats, of_all: Floats) -> Floats:
    """Return the share of earlier items that the same people like, for the last rows of a timeline.

    Args:
        liked: 1 for a like and 0 for none, from the beginning of the timeline to the last of these rows, [n].
        ratings: deviations of the ratings of these items, [users, n].
        own: this user's row of them, which does not count, [n].
        of_all: share of all earlier items of each of these rows, [rows].

    Returns:
        float32 [rows].
    """
    squares = np.asarray(ratings.multiply(ratings).sum(axis=0))[0] - own**2
    norms = np.sqrt(squares + NORM_PRIOR)
    shares = np.empty_like(of_all)
    skipped = len(liked) - len(of_all)
    for first in range(skipped, len(liked), BLOCK):
        block = slice(first, first + BLOCK)
        rows = slice(first - skipped, first - skipped + BLOCK)
        products = (ratings[:, block].T @ ratings).toarray() - np.outer(own[block], own)
        alike = np.where(products > ROUNDING, products, 0) / np.outer(norms[block], norms)
        shares[rows] = weighted_share(np.tril(alike, first - 1), liked, of_all[rows])
    return shares


def weighted_share(weights: Floats, liked: Floats, of_all: Floats) -> Floats:
    """Return the weighted share of likes for each candidate, nan where all its weights are 0.

    Args:
        weights: likeness of every item to each candidate, 0 to 1, [candidates, n].
        liked: 1 for a like and 0 for none, [n].
        of_all: what a share is drawn towards, [candidates].
    """
    total = weights.sum(axis=1)
    shares = (weights @ liked + PRIOR_WEIGHT * of_all) / (total + PRIOR_WEIGHT)
    return np.where(total > 0, shares, np.float32(np.nan))
