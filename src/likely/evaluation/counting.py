"""All that counting says of a candidate, part by part, for rows of the past and for a history that is shown right now.

Takes records as `baselines` does. `answer` fits the weights of the parts; `blend` keeps what is needed to ask them
again in the folder of a run, and asks here for `rank`, `predict` and `serve`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import NDArray

from likely.data.records import Labels, Record
from likely.data.wording import Words
from likely.evaluation.baselines import Given, prior_log_odds
from likely.evaluation.classifiers import grow_trees, known_columns
from likely.evaluation.features import FEATURES, SHARES, feature_columns, has_shares, log_odds, share_matrix
from likely.evaluation.item_facts import ItemFacts
from likely.evaluation.kept_trees import KeptTrees
from likely.evaluation.like_counts import Known, like_rates
from likely.evaluation.matrix_factorisation import after_history, fit_factors, going_on, seen_by_user
from likely.evaluation.user_ridge import (
    COLUMNS,
    candidate_lines,
    details_and_year,
    log_share,
    online_ridge,
    tastes,
    user_ridge,
)
from likely.model.answers import FloatRows

Matrix = NDArray[np.float64]

PARTS = ("boosted trees", "ridge of the user", "matrix factorisation", "item like-rate", "user like-rate")
"""Columns of :func:`fit_counting` and :meth:`Counting.known_now`."""

OF_RIDGE = [COLUMNS.index(name) for name in COLUMNS if name != "overall like-rate, and what item and user add"]
"""Columns of the ridge that trees know; the rates of item and user say the same as the one that is left out."""


def tree_columns(hinted: bool) -> int:
    """Return how many columns the trees go by."""
    return len(FEATURES) + hinted * len(SHARES) + len(OF_RIDGE)


@dataclass(frozen=True)
class RatedItem:
    """An item of a history.

    Attributes:
        shown: its name, as prompts have it.
        liked: whether the user liked it.
        item_id: where known.
    """

    shown: str
    liked: bool
    item_id: str | None = None


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
        """Return log-odds of `PARTS` for candidates after a history, float64 [records, 5].

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
        wanted = np.r_[liked - before - facts.levels[rated], np.zeros(len(asked))]
        times = np.r_[np.zeros(len(rated)), np.ones(len(asked))]
        added = online_ridge(by_user, wanted, np.zeros(len(times), dtype=np.int64), times)[len(rated) :]

        def of_all(value: float) -> FloatRows:
            return np.full(len(asked), float(value))

        of_items = Known(facts.ratings[asked], facts.likes[asked], of_all(overall))
        of_user = Known(of_all(len(liked)), of_all(liked.sum()), of_all(overall))
        level, popularity = facts.levels[asked], log_share(of_items.ratings, of_all(ratings + len(liked)))
        ridge = np.column_stack([overall + level + added, added, of_all(np.nan), level, popularity])
        features = feature_columns(records, of_items, of_user, self.words)
        items, numbers = facts.factors[asked], after_history(facts.overall, facts.factors[rated], liked)
        factorised = facts.overall + items[:, 0] + seen_by_user(items) @ numbers
        rates = np.column_stack([log_odds(like_rates(of_items)), log_odds(like_rates(of_user))])
        columns = _tree_columns(features, share_matrix(records) if self.hinted else None, ridge)
        return Seen(columns, _others(ridge, scipy.special.expit(factorised), rates))


@dataclass(frozen=True)
class Seen:
    """What is counted of some rows.

    Attributes:
        columns: that trees go by, float64 [rows, columns].
        others: log-odds of all parts but the trees, float64 [rows, 4].
    """

    columns: Matrix
    others: Matrix


def _tastes(facts: ItemFacts, places: NDArray[np.int64], shown: Sequence[str], everything: float) -> Matrix:
    """Return the columns of a user's ridge for items, given how many ratings there are of all."""
    popularity = log_share(facts.ratings[places], np.full(len(places), everything))
    return tastes(details_and_year(shown, facts.details), popularity, facts.levels[places])


def fit_counting(
    train: Sequence[Record], earlier: Sequence[Record], rows: Sequence[Record], labels: Labels, words: Words
) -> tuple[Counting, Matrix]:
    """Fit counting to training records, and ask it about others as of their own time.

    Args:
        train: records to fit to, with users, items, times and histories.
        earlier: held-out records that count for what is kept, too; nothing is fitted to them.
        rows: more records, of which nothing is kept. Each of both counts for later ones.
        labels: which output is a like.
        words: in which the records speak of ratings.

    Returns:
        What is kept, and log-odds of `PARTS` for `earlier` and then `rows`, float64 [rows, 5].
    """
    given = Given(train, [*earlier, *rows], labels, words=words)
    hinted = has_shares((*given.train, *given.rows))
    shares = [share_matrix(records) for records in (given.train, given.rows)] if hinted else [None, None]
    fitted_on, answered = (_tree_columns(*known) for known in zip(given.features, shares, given.ridge, strict=True))
    rising = [fitted_on.shape[1] - len(OF_RIDGE)]
    model = grow_trees(given.liked, fitted_on, rising, slowly=True)
    trees = KeptTrees.of(model, known_columns(fitted_on))
    factors = fit_factors(train, labels)
    facts = ItemFacts.of([*train, *earlier], labels, factors)
    others = _others(
        given.ridge[1],
        going_on(factors, train, given.rows, labels, []),
        prior_log_odds(given.counted, given.rows, labels),
    )
    counting = Counting(trees, facts, hinted, words)
    return counting, counting.known_of_all([Seen(answered, others)])


def _tree_columns(features: Matrix, shares: Matrix | None, ridge: Matrix) -> Matrix:
    return np.hstack([features, *([] if shares is None else [shares]), ridge[:, OF_RIDGE]])


def _others(ridge: Matrix, factorised: FloatRows, rates: Matrix) -> Matrix:
    return np.column_stack([log_odds(user_ridge(ridge)), log_odds(factorised), rates])
