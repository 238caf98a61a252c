"""Everything that is counted of candidates for a history that is shown right now, by somebody new.

Takes what `item_facts` keeps of items and which of them are alike, and gives `counting` the columns of
`counted_columns` by the very same functions, at a cost that does not grow with the number of ratings there ever were.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likely.evaluation.counted_columns import COLUMNS, MOST_RATINGS, Counted, count
from likely.evaluation.likeness import Others, likeness_to, likeness_to_itself
from likely.evaluation.neighbours import neighbour_columns
from likely.evaluation.tally import Past, Tally
from likely.evaluation.taste_process import Taste
from likely.evaluation.told_ratings import ToldRatings
from likely.model.answers import BoolRows, FloatRows, Matrix, Places

MOST_PAIRS = 1_000_000
"""Of a candidate and an item of the history that are looked at together; memory grows with them."""


@dataclass(frozen=True)
class Rated:
    """A history, each of [history].

    Attributes:
        places: of its items in the table of items, int64; the length of the table for an unknown one.
        lines: how records show them.
        liked: whether the user liked each, bool.
        stars: what the user gave, float64; nan where unknown.
    """

    places: Places
    lines: Sequence[str]
    liked: BoolRows
    stars: FloatRows


@dataclass(frozen=True)
class KnownOfItems:
    """What is known by the end of all ratings.

    Attributes:
        past: of each item in the table of items.
        others: tell which of these are alike; their last item is an unknown one.
        details: that tastes are about.
    """

    past: Past
    others: Others
    details: Sequence[str]

    def columns(self, rated: Rated, places: Places, lines: Sequence[str]) -> Matrix:
        """Return `COLUMNS` of candidates, float64 [candidates, columns].

        The history is taken for ratings a second after the last that is known, and the question comes a second later.
        Of histories longer than `MOST_RATINGS`, neighbours and tastes go by the latest.

        Args:
            rated: the history.
            places: of the candidates in the table of items, int64 [candidates].
            lines: how records show them, [candidates].
        """
        history = len(rated.places)
        past, others, items, lines_of = self._of_these(np.r_[rated.places, places], [*rated.lines, *lines])
        ratings = ToldRatings(
            users=np.zeros(len(items), np.int64),
            items=items,
            times=past.totals.last_time + 1 + (np.arange(len(items)) >= history).astype(np.float64),
            liked=np.r_[rated.liked, np.zeros(len(places))].astype(float),
            stars=np.r_[rated.stars, np.full(len(places), np.nan)],
            names=lines_of,
            lines=lines_of,
            records=np.zeros(len(items), np.int64),
            places=np.arange(len(items)),
        )
        counted = count(Tally(ratings, past), self.details)
        told, asked = np.split(np.arange(len(items)), [history])
        return _columns(ratings, counted, others, told[-MOST_RATINGS:], asked)

    def _of_these(self, places: Places, lines: Sequence[str]) -> tuple[Past, Others, Places, list[str]]:
        """Return what is known of some items alone, the number of each among these, and how these are shown."""
        table = len(self.past.ratings)
        # Unknown items have nothing to do with each other, unless they are shown alike.
        unknown: dict[str, int] = {}
        apart = [
            place if place < table else table + unknown.setdefault(line, len(unknown))
            for place, line in zip(places.tolist(), lines, strict=True)
        ]
        found, items = np.unique(np.array(apart, np.int64), return_inverse=True)
        line_of = dict(zip(items.tolist(), lines, strict=True))
        others = self.others.of_items(np.minimum(found, table))
        return self.past.of_items(found), others, items, [line_of[item] for item in range(len(found))]


def _columns(ratings: ToldRatings, counted: Counted, others: Others, told: Places, asked: Places) -> Matrix:
    """Return `COLUMNS` of the ratings that are asked about, all from after the others, which are solved for once."""
    times, items, linear, liked = ratings.times, ratings.items, counted.linear, ratings.liked[told]
    raters = likeness_to(others, items[told], items[told]).raters
    taste = Taste.of(times[told], linear[told], raters, counted.wanted[told])
    pieces = [np.empty((0, len(COLUMNS)))]
    for rows in np.array_split(asked, len(asked) * len(told) // MOST_PAIRS + 1):
        alike = likeness_to(others, items[rows], items[told])
        near = neighbour_columns(alike, counted.beyond[told], liked, np.ones(alike.raters.shape))
        said = taste.columns(times[rows], linear[rows], alike.raters, likeness_to_itself(others, items[rows]))
        pieces.append(counted.columns(rows, near, said))
    return np.vstack(pieces)
