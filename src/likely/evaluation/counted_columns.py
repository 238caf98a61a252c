"""All that is counted of each record, in one matrix: habits of users and items, neighbours, and each user's taste.

Takes records and gives `baselines` the columns of its richest trees; `counted_now` asks here for a history that is
shown right now. What is told of a rating is from strictly before its own time. Only which items are alike is fitted, to
the training ratings of all others (`likeness`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from likely.data.records import Labels, Record
from likely.data.wording import Words
from likely.evaluation import neighbours, rating_habits, taste_process, user_ridge
from likely.evaluation.likeness import Others, likeness, tell_likeness
from likely.evaluation.neighbours import neighbour_columns
from likely.evaluation.rating_habits import habit_columns, levels, of_users_and_items, stars_of
from likely.evaluation.tally import Past, Tally
from likely.evaluation.taste_process import linear_columns, taste_columns
from likely.evaluation.told_ratings import ToldRatings, told_ratings
from likely.evaluation.user_ridge import details_and_year, frequent_details
from likely.model.answers import BoolRows, FloatRows, Matrix, Places

TASTE = "answer of the user's taste"
COLUMNS = (*rating_habits.COLUMNS, *neighbours.COLUMNS, TASTE, *taste_process.COLUMNS)
"""Of :func:`counted_columns`."""

RISING = (-len(COLUMNS) - len(user_ridge.COLUMNS), COLUMNS.index(TASTE) - len(COLUMNS))
"""Of the columns of the users' ridge and these, the answers, which a higher chance of a like never lowers."""

MOST_RATINGS = 3_000
"""Of a user at once, since time and memory grow with the square of them; a later one still knows of half as many."""


def counted_columns(
    records: Sequence[Record],
    fitted: BoolRows,
    labels: Labels,
    words: Words | None = None,
) -> Matrix:
    """Return what was known of each record before its own time, float64 [records, columns], the columns of `COLUMNS`.

    Args:
        records: of all parts, with `user_id`, `item_id` and `timestamp`, in any order.
        fitted: which of them are for training, bool [records].
        labels: which output is a like.
        words: in which the records speak of ratings; None for a guess.
    """
    ratings = told_ratings(records, labels, words)
    others = likeness_of(ratings, fitted)
    is_asked = np.zeros(len(ratings.users), bool)
    is_asked[ratings.places] = True
    counted = count(Tally(ratings, Past.nothing(len(ratings.lines))), frequent_details(ratings.lines))
    columns = np.full((len(ratings.users), len(COLUMNS)), np.nan)
    for rows, answered in _stretches(ratings.users, is_asked):
        times = ratings.times[rows]
        known = (times < times[:, None]).astype(float)
        alike = likeness(others, int(ratings.users[rows[0]]), ratings.items[rows])
        near = neighbour_columns(alike, counted.beyond[rows], ratings.liked[rows], known)
        taste = taste_columns(times, counted.linear[rows], alike.raters, counted.wanted[rows], known)
        columns[rows[answered]] = counted.columns(rows, near, taste)[answered]
    return columns[ratings.places]


def past_of(ratings: ToldRatings) -> Past:
    """Return what there is of items after the last rating, from which :func:`count` goes on."""
    tally = Tally(ratings, Past.nothing(len(ratings.lines)))
    stars = stars_of(tally)
    levels(tally, "likes", ratings.liked)
    levels(tally, "stars", stars)
    of_users_and_items(tally, stars)
    return tally.ended()


def likeness_of(ratings: ToldRatings, fitted: BoolRows) -> Others:
    """Collect what tells which items are alike, from ratings and which records are for training, bool [records]."""
    # What stands in for stars that no history shows is made of other users' ratings, and would tell of them.
    shown = ratings.liked if np.isnan(ratings.stars).all() else ratings.stars
    # A rating that no record asks about belongs to the part whose record shows it first.
    return tell_likeness(ratings, shown, fitted[ratings.records])


@dataclass(frozen=True)
class Counted:
    """What is counted of each rating, and what its user's neighbours and taste are then made of.

    Attributes:
        habits: `rating_habits.COLUMNS`, float64 [ratings, columns].
        level: share of likes that is expected of the item, float64 [ratings].
        wanted: the like less that, float64 [ratings].
        beyond: stars less those that are expected of the item, float64 [ratings].
        linear: of `taste_process.linear_columns`, float64 [ratings, columns].
    """

    habits: Matrix
    level: FloatRows
    wanted: FloatRows
    beyond: FloatRows
    linear: Matrix

    def columns(self, rows: Places, near: Matrix, taste: Matrix) -> Matrix:
        """Return `COLUMNS` of some ratings, given the columns of their neighbours and of their user's taste."""
        return np.column_stack([self.habits[rows], near, self.level[rows] + taste[:, 0], taste])


def count(tally: Tally, details: Sequence[str]) -> Counted:
    """Count ratings, given the details that tastes are about, see `user_ridge.frequent_details`."""
    ratings, stars = tally.ratings, stars_of(tally)
    of_likes, of_stars = levels(tally, "likes", ratings.liked), levels(tally, "stars", stars)
    said = details_and_year(ratings.lines, details)
    return Counted(
        habits=habit_columns(tally, stars, of_stars.popularity, said),
        level=of_likes.overall + of_likes.of_item,
        wanted=ratings.liked - of_likes.overall - of_likes.of_item,
        beyond=stars - of_stars.overall - of_stars.of_item,
        linear=linear_columns(said[ratings.items], of_likes),
    )


def taste_answers(columns: Matrix) -> FloatRows:
    """Return what the Gaussian process of each row's user expects, float64 [rows], from columns that end with these."""
    return columns[:, COLUMNS.index(TASTE) - len(COLUMNS)].clip(0.01, 0.99)


def _stretches(users: Places, asked: BoolRows) -> Iterator[tuple[Places, BoolRows]]:
    """Yield places of ratings of one user, in the order of time, and which of them are to be answered among these."""
    order = np.argsort(users, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(users[order])) + 1):
        step = MOST_RATINGS // 2
        for first in range(0, max(len(places) - step, 1), step):
            rows = places[first : first + MOST_RATINGS]
            answered = asked[rows] & ((np.arange(len(rows)) >= step) | (first == 0))
            if answered.any():
                yield rows[: np.flatnonzero(answered)[-1] + 1], answered[: np.flatnonzero(answered)[-1] + 1]
