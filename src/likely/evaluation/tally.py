"""Ratings counted and added up, as far as they are from strictly before each one: of its user, its item and of all.

Takes `told_ratings` and gives `rating_habits` the sums that its columns are made of. What there was of items by the end
can be kept (`Past`), so that ratings of somebody new go on from there (`counted_now`).
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from likely.evaluation.like_counts import SMOOTHING
from likely.evaluation.told_ratings import ToldRatings
from likely.model.answers import FloatRows, Matrix, Places

GRID = 2.0**-20

ITEM_SUMS = (
    "stars",
    "stars beyond the users' means",
    "squares of stars beyond the users' means",
    "likes beyond users, at first",
    "likes beyond users",
    "stars beyond users, at first",
    "stars beyond users",
)
"""What is added up of each item."""

ALL_SUMS, ANSWER_SUMS = ("likes", "stars"), ("shown stars", "ratings with shown stars")
"""What is added up of all ratings, and of all dislikes and all likes."""


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


@dataclass(frozen=True)
class ByKey:
    """Ratings in the order of their keys, and then of time.

    Attributes:
        order: places of the ratings in this order, int64 [ratings].
        begin: where in it the key of each of these begins, int64 [ratings].
        end: where in it those from strictly before end, int64 [ratings].
    """

    order: Places
    begin: Places
    end: Places

    @classmethod
    def of(cls, keys: Places, times: FloatRows) -> "ByKey":
        """Put ratings in order, given the key and the time of each."""
        order, numbers = np.lexsort((times, keys)), np.arange(len(keys))
        new_key = np.diff(keys[order], prepend=-1) != 0
        new_time = new_key | (np.diff(times[order], prepend=np.nan) != 0)
        begin, end = (np.maximum.accumulate(np.where(new, numbers, 0)) for new in (new_key, new_time))
        return cls(order, begin, end)

    def earlier(self, values: FloatRows) -> Earlier:
        """Count and add up, for each rating, those of the same key from strictly before, [ratings]."""
        # On such a grid sums are exact, so that nothing later shows in their last digits.
        until = np.r_[0, np.cumsum(on_grid(values[self.order]))]
        count, total = np.empty(len(values)), np.empty(len(values))
        count[self.order], total[self.order] = self.end - self.begin, until[self.end] - until[self.begin]
        return Earlier(count, total)


def on_grid(values: FloatRows) -> FloatRows:
    """Return values rounded so far that sums of them are exact."""
    return np.asarray(np.round(values / GRID) * GRID)


@dataclass(frozen=True)
class Totals:
    """What there was of all ratings together.

    Attributes:
        ratings: how many there are.
        last_time: of them, in seconds since 1970.
        of_all: sums, in the order of `ALL_SUMS`.
        of_answers: sums of dislikes and of likes, in the order of `ANSWER_SUMS` each.
    """

    ratings: int
    last_time: float
    of_all: tuple[float, ...]
    of_answers: tuple[tuple[float, ...], tuple[float, ...]]


NOTHING = Totals(0, -np.inf, (0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)))


@dataclass(frozen=True)
class Past:
    """What there was before the first of some ratings.

    Attributes:
        ratings: number of each item's, float64 [items].
        first_times: of each item's ratings, float64 [items]; infinite without any.
        sums: of each item, float64 [items, sums], in the order of `ITEM_SUMS`.
        totals: of all ratings.
    """

    ratings: FloatRows
    first_times: FloatRows
    sums: Matrix
    totals: Totals

    @classmethod
    def nothing(cls, items: int) -> "Past":
        """Return what there is before the first rating of all."""
        return cls(np.zeros(items), np.full(items, np.inf), np.zeros((items, len(ITEM_SUMS))), NOTHING)

    def of_items(self, places: Places) -> "Past":
        """Return the same for some items, int64 [some items]; of one beyond the last there was nothing."""
        known, at = places < len(self.ratings), np.minimum(places, len(self.ratings) - 1)
        ratings, sums = np.where(known, self.ratings[at], 0.0), np.where(known[:, None], self.sums[at], 0.0)
        return Past(ratings, np.where(known, self.first_times[at], np.inf), sums, self.totals)


@dataclass(frozen=True)
class Tally:
    """Sums over ratings from strictly before each.

    Attributes:
        ratings: of everybody, or of somebody new.
        past: what there was before the first of them.
    """

    ratings: ToldRatings
    past: Past
    _added: dict[str, FloatRows] = field(default_factory=dict)

    @cached_property
    def _by_user(self) -> ByKey:
        return ByKey.of(self.ratings.users, self.ratings.times)

    @cached_property
    def _by_item(self) -> ByKey:
        return ByKey.of(self.ratings.items, self.ratings.times)

    @cached_property
    def _by_time(self) -> ByKey:
        return ByKey.of(np.zeros_like(self.ratings.users), self.ratings.times)

    @cached_property
    def _by_answer(self) -> ByKey:
        return ByKey.of(self.ratings.liked.astype(np.int64), self.ratings.times)

    def of_users(self, values: FloatRows) -> Earlier:
        """Count and add up what each rating's user gave before, of whom there is nothing in the past."""
        return self._by_user.earlier(values)

    def of_items(self, name: str, values: FloatRows) -> Earlier:
        """Count and add up what each rating's item got before, one of `ITEM_SUMS`."""
        self._added[name] = values
        items, past = self.ratings.items, self.past
        known = self._by_item.earlier(values)
        return Earlier(known.count + past.ratings[items], known.total + past.sums[items, ITEM_SUMS.index(name)])

    def of_all(self, name: str, values: FloatRows) -> Earlier:
        """Count and add up all ratings before each, one of `ALL_SUMS`."""
        self._added[name] = values
        totals = self.past.totals
        known = self._by_time.earlier(values)
        return Earlier(known.count + totals.ratings, known.total + totals.of_all[ALL_SUMS.index(name)])

    def of_answers(self, name: str, values: FloatRows) -> Earlier:
        """Count and add up the ratings before each with the same answer, one of `ANSWER_SUMS`; counted is from now."""
        self._added[name] = values
        answers = self.ratings.liked.astype(np.int64)
        known = self._by_answer.earlier(values)
        before = np.array(self.past.totals.of_answers)[:, ANSWER_SUMS.index(name)]
        return Earlier(known.count, known.total + before[answers])

    def ended(self) -> Past:
        """Return what there is after the last rating, once everything has been asked for of all of them."""
        ratings, past = self.ratings, self.past
        assert past.totals == NOTHING
        answers = ratings.liked.astype(np.int64)

        def by(keys: Places, count: int, names: tuple[str, ...]) -> Matrix:
            return np.column_stack([np.bincount(keys, on_grid(self._added[name]), count) for name in names])

        of_all = by(np.zeros_like(ratings.users), 1, ALL_SUMS)[0]
        dislikes, likes = by(answers, 2, ANSWER_SUMS).tolist()
        of_answers = (tuple(dislikes), tuple(likes))
        totals = Totals(len(answers), float(ratings.times.max()), tuple(of_all.tolist()), of_answers)
        count = len(ratings.lines)
        counts = np.bincount(ratings.items, minlength=count).astype(float)
        return Past(counts, self.first_times(), by(ratings.items, count, ITEM_SUMS), totals)

    def first_times(self) -> FloatRows:
        """Return the time of each item's first rating, float64 [items]."""
        first = self.past.first_times.copy()
        np.minimum.at(first, self.ratings.items, self.ratings.times)
        return first
