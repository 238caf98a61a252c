"""All that counting says of a candidate, part by part, for rows of the past and for a history that is shown right now.

Takes records as `baselines` does. `answer` fits the weights of the parts; `blend` keeps what is needed to ask them
again in the folder of a run, and asks here for `rank`, `predict` and `serve`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special

from likely.data.records import Record
from likely.data.wording import Words
from likely.evaluation import counted_columns, user_ridge
from likely.evaluation.baselines import prior_log_odds
from likely.evaluation.counted_now import Rated
from likely.evaluation.features import FEATURES, SHARES, feature_columns, log_odds, share_matrix
from likely.evaluation.given import Given, earlier_counted, everything_counted
from likely.evaluation.item_facts import ItemFacts
from likely.evaluation.kept_trees import KeptTrees
from likely.evaluation.like_counts import SMOOTHING, Known, like_rates
from likely.evaluation.matrix_factorisation import after_history, seen_by_user
from likely.evaluation.user_ridge import candidate_lines, details_and_year, log_share, online_ridge, tastes
from likely.model.answers import FloatRows, Matrix, Places

PARTS = (
    "boosted trees",
    "Gaussian process of the user",
    "ridge of the user",
    "matrix factorisation",
    "item like-rate",
    "user like-rate",
)
"""Columns of :func:`fit_counting` and :meth:`Counting.known_now`."""


def tree_columns(hinted: bool) -> int:
    """Return how many columns the trees go by."""
    return len(FEATURES) + hinted * len(SHARES) + len(user_ridge.COLUMNS) + len(counted_columns.COLUMNS)


@dataclass(frozen=True)
class RatedItem:
    """An item of a history.

    Attributes:
        shown: its name, as prompts have it.
        liked: whether the user liked it.
        item_id: where known.
        stars: what the user gave, on the scale of the data, where known.
    """

    shown: str
    liked: bool
    item_id: str | None = None
    stars: float | None = None


@dataclass(frozen=True)
class Counting:
    """What is kept of counting.

    Attributes:
        trees: boosted trees on everything that is counted.
        facts: of all items.
        hinted: whether the trees know the shares of likes that hints put into words.
        words: in which records speak of ratings.
    """

    trees: KeptTrees
    facts: ItemFacts
    hinted: bool
    words: Words

    def known_now(self, history: Sequence[RatedItem], records: Sequence[Record]) -> Matrix:
        """Return log-odds of `PARTS` for candidates after a history, float64 [records, 6].

        They are what :func:`fit_counting` gives for rows of a user of whom nothing else is known, whose ratings were
        all given at one time after the last that is known, and who is asked right after that. An item that is unknown
        has what is known of all, and an empty history leaves what is known of items.

        Args:
            history: all that the user rated, in the order of time, whatever the records show of it.
            records: with `history_likes` and `history_length`, and with `shares` where hints are told.
        """
        return self.known_of_all([self.seen_now(history, records)])

    def known_of_all(self, seen: Sequence["Seen"]) -> Matrix:
        """Return the same for what was seen after several histories, at little more than the cost of one."""
        trees = self.trees.log_odds(np.vstack([one.columns for one in seen]))
        return np.column_stack([trees, np.vstack([one.others for one in seen])])

    def seen_now(self, history: Sequence[RatedItem], records: Sequence[Record]) -> "Seen":
        """Return what :meth:`known_now` goes by."""
        facts, liked = self.facts, np.array([one.liked for one in history], dtype=bool)
        lines = candidate_lines(records)
        rated = facts.places([one.shown for one in history], [one.item_id for one in history])
        asked = facts.places(lines, [record.item_id for record in records])
        likes, ratings = facts.counts
        # One of each label is imagined, as `like_counts` does.
        before = (likes + 1) / (ratings + 2)
        overall = (likes + liked.sum() + 1) / (ratings + len(liked) + 2)
        of_history = _tastes(facts, rated, [one.shown for one in history], ratings)
        by_user = np.vstack([of_history, _tastes(facts, asked, lines, ratings + len(liked))])
        of_user_beyond = (liked - before - facts.levels_at_first[rated]).sum() / (len(liked) + SMOOTHING)
        wanted = np.r_[liked - before - facts.levels[rated], np.zeros(len(asked))]
        times = np.r_[np.zeros(len(rated)), np.ones(len(asked))]
        added = online_ridge(by_user, wanted, np.zeros(len(times), dtype=np.int64), times)[len(rated) :]

        def of_all(value: float) -> FloatRows:
            return np.full(len(asked), float(value))

        of_items = Known(facts.ratings[asked], facts.likes[asked], of_all(overall))
        of_user = Known(of_all(len(liked)), of_all(liked.sum()), of_all(overall))
        level, popularity = facts.levels[asked], log_share(of_items.ratings, of_all(ratings + len(liked)))
        of_item = overall + level
        ridge = np.column_stack([of_item + added, added, of_item + of_user_beyond, level, popularity])
        features = feature_columns(records, of_items, of_user, self.words)
        items, numbers = facts.factors[asked], after_history(facts.overall, facts.factors[rated], liked)
        factorised = facts.overall + items[:, 0] + seen_by_user(items) @ numbers
        rates = np.column_stack([log_odds(like_rates(of_items)), log_odds(like_rates(of_user))])
        shares = [share_matrix(records)] if self.hinted else []
        counted = facts.of_everybody.columns(_rated(history, rated), asked, lines)
        columns = np.hstack([features, *shares, ridge, counted])
        return Seen(columns, _parts_beside_trees(columns, scipy.special.expit(factorised), rates))


@dataclass(frozen=True)
class Seen:
    """What is counted of some rows.

    Attributes:
        columns: that trees go by, float64 [rows, columns].
        others: log-odds of all parts but the trees, float64 [rows, 5].
    """

    columns: Matrix
    others: Matrix


def _tastes(facts: ItemFacts, places: Places, shown: Sequence[str], everything: float) -> Matrix:
    """Return the columns of a user's ridge for items, given how many ratings there are of all."""
    popularity = log_share(facts.ratings[places], np.full(len(places), everything))
    return tastes(details_and_year(shown, facts.details), popularity, facts.levels[places])


def _rated(history: Sequence[RatedItem], places: Places) -> Rated:
    """Return a history, given the places of its items in the table."""
    stars = np.array([np.nan if one.stars is None else one.stars for one in history], dtype=float)
    return Rated(places, [one.shown for one in history], np.array([one.liked for one in history], dtype=bool), stars)


def fit_counting(given: Given, words: Words) -> tuple[Counting, Matrix]:
    """Fit counting to training records, and ask it about others as of their own time.

    Args:
        given: records to fit to, with users, items, times and histories. Its earlier records count for what is kept,
            too; nothing is fitted to them. Of its rows nothing is kept. Each of both counts for later ones.
        words: in which the records speak of ratings.

    Returns:
        What is kept, and log-odds of `PARTS` for the earlier records and then the rows, float64 [rows, 6].
    """
    columns = np.vstack([earlier_counted(given), everything_counted(given)[1]])
    rates = prior_log_odds(given.counted, [*given.earlier, *given.rows], given.labels)
    others = _parts_beside_trees(columns, given.factorised, rates)
    counting = Counting(given.trees, ItemFacts.of(given), given.hinted, words)
    return counting, counting.known_of_all([Seen(columns, others)])


def _parts_beside_trees(columns: Matrix, factorised: FloatRows, rates: Matrix) -> Matrix:
    """Return log-odds of all parts but the trees, given the columns of these, which end with all that is over time."""
    ridge = columns[:, -len(user_ridge.COLUMNS) - len(counted_columns.COLUMNS) :]
    answers = (counted_columns.taste_answers(columns), user_ridge.user_ridge(ridge), factorised)
    return np.column_stack([*(log_odds(answer) for answer in answers), rates])
