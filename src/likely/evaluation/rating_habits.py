"""How users rate and how items are rated, as far as that was known at a rating's own time.

Takes `told_ratings` and gives `counted_columns` its columns, and `taste_process` the levels that it starts from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likely.evaluation.like_counts import SMOOTHING
from likely.evaluation.told_ratings import Places, ToldRatings
from likely.evaluation.user_ridge import YEAR_SCALE, YEAR_ZERO
from likely.model.answers import FloatRows

Matrix = NDArray[np.float64]
DAY = 86_400.0
YEAR = 365.25 * DAY
GRID = 2.0**-20

COLUMNS = (
    "ratings of the user",
    "like-rate of the user, shown ratings too",
    "mean stars of the user",
    "standard deviation of the user's stars",
    "user beyond the items' means",
    "ratings of the item",
    "mean stars of the item",
    "item beyond the users' means",
    "spread of the item beyond the users' means",
    "days since the user's first rating",
    "seconds since the user's last rating",
    "ratings of the user within a day",
    "days since the item's first rating",
    "age of the item",
    "share of all ratings that the item has",
    "popularity against the user's usual",
    "year against the user's usual",
    "user on the item's details",
    "user on the detail of the item that it likes most",
    "user on the detail of the item that it likes least",
    "share of the user's ratings with the item's details",
    "user on items of that decade",
)
"""Of :func:`habit_columns`; counts and durations as logarithms."""


@dataclass(frozen=True)
class Earlier:
    """What there was of each rating's key strictly before it.

    Attributes:
        count: number of ratings, float64 [ratings].
        total: sum of their values, float64 [ratings].
    """

    count: FloatRows
    total: FloatRows

    def level(self, weight: float = SMOOTHING, prior: float | FloatRows = 0.0) -> FloatRows:
        """Return the mean, drawn towards a prior by so many imaginary ratings."""
        return (self.total + weight * prior) / (self.count + weight)


def earlier(keys: Places, values: FloatRows, times: FloatRows) -> Earlier:
    """Count and add up, for each rating, those of the same key from strictly before, [ratings]."""
    order = np.lexsort((times, keys))
    # On such a grid sums are exact, so that nothing later shows in their last digits.
    until = np.r_[0, np.cumsum(np.round(values[order] / GRID) * GRID)]
    new_key = np.diff(keys[order], prepend=-1) != 0
    new_time = new_key | (np.diff(times[order], prepend=np.nan) != 0)
    numbers = np.arange(len(keys))
    begin, end = (np.maximum.accumulate(np.where(new, numbers, 0)) for new in (new_key, new_time))
    count, total = np.empty(len(keys)), np.empty(len(keys))
    count[order], total[order] = end - begin, until[end] - until[begin]
    return Earlier(count, total)


@dataclass(frozen=True)
class Levels:
    """What was known of each rating's item and user, [ratings] each.

    Attributes:
        overall: mean of the values.
        of_item: what the item gets beyond that.
        popularity: logarithm of the share of all ratings that the item has.
    """

    overall: FloatRows
    of_item: FloatRows
    popularity: FloatRows


def levels(ratings: ToldRatings, values: FloatRows) -> Levels:
    """Say what items got so far, beyond what their users give.

    Args:
        ratings: of everybody.
        values: of the ratings, around 0 to 1 or of another scale, float64 [ratings].
    """

    def level(keys: Places, rest: FloatRows) -> FloatRows:
        return earlier(keys, rest, ratings.times).level()

    everything = earlier(np.zeros(len(values), np.int64), values, ratings.times)
    overall = everything.total / np.maximum(everything.count, 1)
    of_item = level(ratings.items, values - overall - level(ratings.users, values - overall))
    of_user = level(ratings.users, values - overall - of_item)
    of_item = level(ratings.items, values - overall - of_user)
    popularity = np.log1p(earlier(ratings.items, values, ratings.times).count) - np.log(everything.count + 50)
    return Levels(overall, of_item, popularity)


def stars_of(ratings: ToldRatings) -> FloatRows:
    """Return stars, where none are shown the mean of those with the same answer from before, or else the answer."""
    known = ~np.isnan(ratings.stars)
    label = ratings.liked.astype(np.int64)
    total = earlier(label, np.where(known, ratings.stars, 0.0), ratings.times).total
    count = earlier(label, known.astype(float), ratings.times).total
    return np.where(known, ratings.stars, np.where(count > 0, total / np.maximum(count, 1), ratings.liked))


def habit_columns(ratings: ToldRatings, stars: FloatRows, said: Matrix) -> Matrix:
    """Return `COLUMNS` of each rating, float64 [ratings, columns].

    Args:
        ratings: of everybody.
        stars: of the ratings, float64 [ratings].
        said: details, year and its square of each item, see `user_ridge.details_and_year`.
    """
    return np.column_stack([_of_users_and_items(ratings, stars), _of_tempo(ratings), _of_kinds(ratings, stars, said)])


def _of_users_and_items(ratings: ToldRatings, stars: FloatRows) -> Matrix:
    """Return how kind and how even the user is, and what the item gets."""

    def of(keys: Places, values: FloatRows) -> Earlier:
        return earlier(keys, values, ratings.times)

    users, items = ratings.users, ratings.items
    everything = of(np.zeros_like(users), stars)
    overall = everything.total / np.maximum(everything.count, 1)
    by_user, by_item = of(users, stars), of(items, stars)
    user_mean, item_mean = by_user.level(prior=overall), by_item.level(prior=overall)
    against_user = of(items, stars - user_mean)
    return np.column_stack(
        [
            np.log1p(by_user.count),
            of(users, ratings.liked).level(prior=0.5),
            user_mean,
            _spread(by_user, of(users, stars**2)),
            of(users, stars - item_mean).level(),
            np.log1p(by_item.count),
            item_mean,
            against_user.level(),
            _spread(against_user, of(items, (stars - user_mean) ** 2)),
        ]
    )


def _spread(values: Earlier, squares: Earlier) -> FloatRows:
    """Return the standard deviation, drawn towards 1; nan where there is nothing yet."""
    count = np.where(values.count > 0, values.count, np.nan)
    variance = squares.total / count - (values.total / count) ** 2
    return np.asarray(np.sqrt((count * variance.clip(min=0) + SMOOTHING) / (count + SMOOTHING)))


def _of_tempo(ratings: ToldRatings) -> Matrix:
    """Return for how long user and item are there, and how fast the user rates just now."""
    times, users = ratings.times, ratings.users
    order = np.lexsort((times, users))
    first_of_user = np.unique(users[order], return_index=True)[1]
    place = np.empty(len(times), np.int64)
    place[order] = np.arange(len(times))
    # Times of one user after the other in one ascending column: each user's are moved past those of the one before.
    moved = users * (2 * (np.ptp(times) + DAY)) + times - times.min()
    ascending = moved[order]
    until = np.searchsorted(ascending, moved)
    begin = first_of_user[users]
    since = np.where(until > begin, moved - ascending[np.maximum(until - 1, 0)], np.nan)
    today = until - np.maximum(np.searchsorted(ascending, moved - DAY), begin)
    first_time = np.full(len(ratings.lines), np.inf)
    np.minimum.at(first_time, ratings.items, times)
    return np.column_stack(
        [
            np.log1p((times - times[order][begin]) / DAY),
            np.log1p(since),
            np.log1p(today),
            np.log1p((times - first_time[ratings.items]) / DAY),
        ]
    )


def _of_kinds(ratings: ToldRatings, stars: FloatRows, said: Matrix) -> Matrix:
    """Return the item's age and popularity, and what the user made so far of items of its kind."""
    times, users = ratings.times, ratings.users
    years = said[:, -2] * YEAR_SCALE + YEAR_ZERO
    year = years[ratings.items]
    popularity = levels(ratings, stars).popularity
    against_item = stars - earlier(ratings.items, stars, times).level(prior=3.5)
    as_always = earlier(users, against_item, times).level()

    def beyond(keys: Places, rows: Places) -> tuple[FloatRows, FloatRows]:
        known = earlier(keys, against_item[rows], times[rows])
        return (known.total - known.count * as_always[rows]) / (known.count + SMOOTHING), known.count

    everybody = np.arange(len(times))
    details = (said[:, :-2] > 0)[ratings.items]
    of_details, seen = np.full(details.shape, np.nan), np.full(details.shape, np.nan)
    for number in range(details.shape[1]):
        rows = np.flatnonzero(details[:, number])
        of_details[rows, number], seen[rows, number] = beyond(users[rows], rows)
    has_any = details.any(axis=1)
    summed = np.full((4, len(times)), np.nan)
    if has_any.any():
        kept, counts = of_details[has_any], earlier(users, stars, times).count[has_any]
        summed[:, has_any] = [
            np.nanmean(kept, axis=1),
            np.nanmax(kept, axis=1),
            np.nanmin(kept, axis=1),
            np.nanmean(seen[has_any], axis=1) / (counts + 1),
        ]
    decade = (year // 10).astype(np.int64)
    return np.column_stack(
        [
            1970 + times / YEAR - year,
            popularity,
            popularity - earlier(users, popularity, times).level(1.0),
            year - earlier(users, year, times).level(1.0, YEAR_ZERO),
            *summed,
            beyond(users * 1_000 + decade, everybody)[0],
        ]
    )
