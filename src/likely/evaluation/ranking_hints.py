"""What a hint says of candidates that no record asks about, at the moment of a user's first row.

Takes the records of all parts and gives `ranking_metrics` the sentences in which the adapter's prompts end. They count
what `data.opinions` and `data.liked_shares` count, as far as records tell it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from likely.data.liked_shares import share_of_genres
from likely.data.opinions import opinion_of_others
from likely.data.records import Labels, Record
from likely.data.shares import Shares
from likely.data.wording import Words, hint
from likely.evaluation.features import has_shares, share_matrix, times_of
from likely.evaluation.like_counts import LikeCounts, count_likes, known_of
from likely.evaluation.told_ratings import ToldRatings, told_ratings
from likely.evaluation.user_ridge import details_in
from likely.model.answers import Places


@dataclass(frozen=True)
class Hints:
    """What hints are made of.

    Attributes:
        records: training records and then all others, with users, items and times.
        training: how many of them are for training.
        labels: which output is a like.
        words: in which they speak of ratings.
        short: whether hints are in their short form.
    """

    records: Sequence[Record]
    training: int
    labels: Labels
    words: Words
    short: bool = False

    def can_be_said(self, rows: Sequence[Record]) -> bool:
        """Say whether records have times, and rows the shares that `likely prepare --hints` writes."""
        return bool(self.training) and times_of(self.records) is not None and has_shares(rows)

    def of_candidates(self, row: Record, items: Sequence[str], lines: Sequence[str]) -> list[str]:
        """Return the hint of each candidate after the history of a row; of similar items it says nothing.

        Args:
            row: one of the records.
            items: ids of candidates that its user had not rated before.
            lines: how records show them, [candidates].
        """
        told, mine = self._told, self._history_of(row)
        others = known_of(self._opinions, items, np.full(len(items), float(row.extra["timestamp"])))
        details = [tuple(details_in(line)) for line in lines]
        different = sorted(set(details))  # many candidates have the same ones
        history = [details_in(told.lines[item]) for item in told.items[mine].tolist()]
        shares_of_these = share_of_genres(told.liked[mine].astype(np.float32), history, different)
        of_these = dict(zip(different, shares_of_these.tolist(), strict=True))
        of_all, above = share_matrix([row])[0, :2].tolist()
        shares = [
            Shares(of_all, above, of_these[one], math.nan, opinion_of_others(int(likes), int(ratings)))
            for one, likes, ratings in zip(details, others.likes, others.ratings, strict=True)
        ]
        return [hint(one, self.words, self.short) for one in shares]

    @cached_property
    def _told(self) -> ToldRatings:
        return told_ratings(self.records, self.labels, self.words)

    @cached_property
    def _opinions(self) -> LikeCounts:
        """What others said: ratings of training and, in histories alone, of the warm-up."""
        told = self._told
        is_record = np.isin(np.arange(len(told.records)), told.places)
        known = ~is_record | (told.records < self.training)
        names = [told.names[item] for item in told.items[known].tolist()]
        return count_likes(names, told.liked[known], told.times[known])

    def _history_of(self, row: Record) -> Places:
        """Return which ratings come before a row in its user's timeline; at equal times, those of an earlier part."""
        told, number = self._told, self._numbers[id(row)]
        mine = np.flatnonzero(told.users == told.users[told.places[number]])
        time = row.extra["timestamp"]
        is_before = (told.times[mine] < time) | ((told.times[mine] == time) & (told.records[mine] < number))
        return np.asarray(mine[is_before])

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {id(record): number for number, record in enumerate(self.records)}
