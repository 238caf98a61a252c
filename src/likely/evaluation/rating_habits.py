"""How users rate and how items are rated, as far as that was known at a rating's own time.

Takes the sums of a `tally` and gives `counted_columns` its columns, and `taste_process` the levels that it starts from.
"""

from dataclasses import dataclass

import numpy as np

from likely.evaluation.like_counts import SMOOTHING
from likely.evaluation.tally import ByKey, Earlier, Tally
from likely.evaluation.user_ridge import YEAR_SCALE, YEAR_ZERO, log_share
from likely.model.answers import FloatRows, Matrix, Places

DAY = 86_400.0
YEAR = 365.25 * DAY

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


def levels(tally: Tally, name: str, values: FloatRows) -> Levels:
    """Say what items got so far, beyond what their users give.

    Args:
        tally: of the ratings.
        name: of the values, "likes" or "stars".
        values: of the ratings, float64 [ratings].
    """
    everything = tally.of_all(name, values)
    overall = everything.total / np.maximum(everything.count, 1)
    at_first = values - overall - tally.of_users(values - overall).level()
    of_item = tally.of_items(f"{name} beyond users, at first", at_first).level()
    of_user = tally.of_users(values - overall - of_item).level()
    known = tally.of_items(f"{name} beyond users", values - overall - of_user)
    return Levels(overall, known.level(), log_share(known.count, everything.count))


def stars_of(tally: Tally) -> FloatRows:
    """Return stars, where none are shown the mean of those with the same answer from before, or else the answer."""
    stars, liked = tally.ratings.stars, tally.ratings.liked
    known = ~np.isnan(stars)
    total = tally.of_answers("shown stars", np.where(known, stars, 0.0)).total
    count = tally.of_answers("ratings with shown stars", known.astype(float)).total
    return np.where(known, stars, np.where(count > 0, total / np.maximum(count, 1), liked))


def habit_columns(tally: Tally, stars: FloatRows, popularity: FloatRows, said: Matrix) -> Matrix:
    """Return `COLUMNS` of each rating, float64 [ratings, columns].

    Args:
        tally: of the ratings.
        stars: of the ratings, float64 [ratings].
        popularity: of each rating's item, see `Levels`.
        said: details, year and its square of each item, see `user_ridge.details_and_year`.
    """
    of_kinds = _of_kinds(tally, stars, popularity, said)
    return np.column_stack([of_users_and_items(tally, stars), _of_tempo(tally), of_kinds])


def of_users_and_items(tally: Tally, stars: FloatRows) -> Matrix:
    """Return how kind and how even the user is, and what the item gets."""
    everything = tally.of_all("stars", stars)
    overall = everything.total / np.maximum(everything.count, 1)
    by_user, by_item = tally.of_users(stars), tally.of_items("stars", stars)
    user_mean, item_mean = by_user.level(prior=overall), by_item.level(prior=overall)
    against_user = tally.of_items("stars beyond the users' means", stars - user_mean)
    squares = tally.of_items("squares of stars beyond the users' means", (stars - user_mean) ** 2)
    return np.column_stack(
        [
            np.log1p(by_user.count),
            tally.of_users(tally.ratings.liked).level(prior=0.5),
            user_mean,
            _spread(by_user, tally.of_users(stars**2)),
            tally.of_users(stars - item_mean).level(),
            np.log1p(by_item.count),
            item_mean,
            against_user.level(),
            _spread(against_user, squares),
        ]
    )


def _spread(values: Earlier, squares: Earlier) -> FloatRows:
    """Return the standard deviation, drawn towards 1; nan where there is nothing yet."""
    count = np.where(values.count > 0, values.count, np.nan)
    variance = squares.total / count - (values.total / count) ** 2
    return np.asarray(np.sqrt((count * variance.clip(min=0) + SMOOTHING) / (count + SMOOTHING)))


def _of_tempo(tally: Tally) -> Matrix:
    """Return for how long user and item are there, and how fast the user rates just now."""
    ratings = tally.ratings
    asked = np.isin(np.arange(len(ratings.times)), ratings.places)
    # How long before a record that shows it a rating was given is unknown: it tells nothing of the tempo there.
    times = np.where(asked, ratings.times, np.nextafter(ratings.times, np.inf))
    mine = ByKey.of(ratings.users, times)
    ordered, firsts = times[mine.order], np.flatnonzero(mine.begin == np.arange(len(times)))
    since = np.where(mine.end > mine.begin, ordered - ordered[np.maximum(mine.end - 1, 0)], np.nan)
    by_user = zip(firsts.tolist(), np.split(ordered, firsts[1:]), strict=True)
    day_ago = np.concatenate([first + np.searchsorted(own, own - DAY) for first, own in by_user])
    of_user = np.empty((len(times), 2))
    of_user[mine.order] = np.column_stack([since, mine.end - day_ago])
    first_of_user = np.empty(len(times))
    first_of_user[mine.order] = ratings.times[mine.order][mine.begin]
    return np.column_stack(
        [
            np.log1p((ratings.times - first_of_user) / DAY),
            np.log1p(of_user),
            np.log1p((ratings.times - tally.first_times()[ratings.items]) / DAY),
        ]
    )


def _of_kinds(tally: Tally, stars: FloatRows, popularity: FloatRows, said: Matrix) -> Matrix:
    """Return the item's age and popularity, and what the user made so far of items of its kind."""
    times, users, items = tally.ratings.times, tally.ratings.users, tally.ratings.items
    years = said[:, -2] * YEAR_SCALE + YEAR_ZERO
    year = years[items]
    against_item = stars - tally.of_items("stars", stars).level(prior=3.5)
    as_always = tally.of_users(against_item).level()

    def beyond(keys: Places, rows: Places) -> tuple[FloatRows, FloatRows]:
        known = ByKey.of(keys, times[rows]).earlier(against_item[rows])
        return (known.total - known.count * as_always[rows]) / (known.count + SMOOTHING), known.count

    everybody = np.arange(len(times))
    details = (said[:, :-2] > 0)[items]
    of_details, seen = np.full(details.shape, np.nan), np.full(details.shape, np.nan)
    rows, numbers = np.nonzero(details)
    of_details[rows, numbers], seen[rows, numbers] = beyond(users[rows] * details.shape[1] + numbers, rows)
    has_any = details.any(axis=1)
    summed = np.full((4, len(times)), np.nan)
    if has_any.any():
        kept, counts = of_details[has_any], tally.of_users(stars).count[has_any]
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
            popularity - tally.of_users(popularity).level(1.0),
            year - tally.of_users(year).level(1.0, YEAR_ZERO),
            *summed,
            beyond(users * 1_000 + decade, everybody)[0],
        ]
    )
