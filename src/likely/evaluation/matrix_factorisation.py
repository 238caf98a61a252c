"""The baseline that gives users and items a few numbers each: what a user likes and what an item has of it.

Fitted to the training rows; of a user, it then goes on with what the user said later, as far as that is before the row
that is answered. `baselines` enters it beside those that count likes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import NDArray

from likely.data.records import Labels, Record
from likely.evaluation.features import item_keys, likes_of, times_of, user_keys
from likely.evaluation.like_counts import places_of
from likely.model.answers import BoolRows, FloatRows, Matrix, Places

FACTORS = 16
PENALTIES = (3.0, *[10.0] * FACTORS)
"""Of the squares of a bias and of each factor."""

STEPS = 60


@dataclass(frozen=True)
class Factors:
    """What was fitted; in each row of a table the bias comes first, and the last row is for the unknown.

    Attributes:
        user_names: ascending.
        item_names: ascending.
        users: float64 [users + 1, 1 + factors].
        items: float64 [items + 1, 1 + factors].
        overall: log-odds of a like.
    """

    user_names: NDArray[np.str_]
    item_names: NDArray[np.str_]
    users: Matrix
    items: Matrix
    overall: float


def matrix_factorisation(fitted: Factors, train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> FloatRows:
    """Return sigmoid(m + a_user + b_item + u_user . v_item), float64 [rows].

    Logistic matrix factorisation with biases (Johnson 2014; biases of Koren et al. 2009), m being the overall
    log-odds. `implicit` has one too, but it takes every pair that was not seen for a dislike; here dislikes are
    explicit and the unseen says nothing, and no further package is needed. Users and items without training rows have
    zeros.

    Args:
        fitted: to the training records.
        train: these.
        rows: records to answer. Where all records have times, the numbers of a user (those of items never) go on with
            the rows before the one that is answered, because these are in the histories that other systems see.
        labels: which output is a like.
    """
    if times_of([*train, *rows]) is not None:
        return _going_on(fitted, train, rows, labels)
    users, items = (fitted.users[_users(fitted, rows)], fitted.items[_items(fitted, rows)])
    return _answers(fitted.overall + items[:, 0], seen_by_user(items), users)


def fit_factors(train: Sequence[Record], labels: Labels) -> Factors:
    """Fit to the training rows by Adam over all of them at once.

    Penalties, factors and steps are those with the best AUC on the eval rows of MovieLens latest-small.
    """
    import torch

    liked = torch.from_numpy(likes_of(train, labels)).float()
    overall = torch.logit(liked.mean())
    penalties = torch.tensor(PENALTIES)
    random = torch.Generator().manual_seed(0)
    tables, places, names = [], [], []
    for keys in (user_keys(train), item_keys(train)):
        names.append(np.unique(np.array(keys)))
        places.append(torch.from_numpy(places_of(names[-1], keys)))
        table = 0.1 * torch.randn(len(names[-1]) + 1, 1 + FACTORS, generator=random)
        table[:, 0] = table[-1] = 0
        tables.append(table.requires_grad_())
    optimizer = torch.optim.Adam(tables, lr=0.1)
    for _ in range(STEPS):
        user, item = (table[place] for table, place in zip(tables, places, strict=True))
        predicted = overall + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(dim=1)
        misfit = torch.nn.functional.binary_cross_entropy_with_logits(predicted, liked, reduction="sum")
        penalty = torch.stack([(table.square() * penalties).sum() for table in tables]).sum()
        optimizer.zero_grad()
        ((misfit + penalty / 2) / len(liked)).backward()
        optimizer.step()
    users, items = (table.detach().double().numpy() for table in tables)
    return Factors(names[0], names[1], users, items, float(overall))


def _going_on(fitted: Factors, train: Sequence[Record], rows: Sequence[Record], labels: Labels) -> FloatRows:
    """Answer rows in the order of time, each user's numbers moved by each of its rows after that was answered.

    Rows that are candidates of one question are all answered first, for none of them is in the history of another.
    """
    times = times_of(rows)
    assert times is not None
    rows_of_user = _by_user(user_keys(rows), np.argsort(times, kind="stable"))
    liked, item_numbers = likes_of(rows, labels), fitted.items[_items(fitted, rows)]
    offsets, seen = fitted.overall + item_numbers[:, 0], seen_by_user(item_numbers)
    answers, drawn = np.empty(len(rows)), np.array([row.is_drawn for row in rows], bool)
    fitted_to = _curvatures(fitted, train, set(rows_of_user))
    for user, places in rows_of_user.items():
        numbers = fitted.users[places_of(fitted.user_names, [user])[0]].copy()
        curvature = fitted_to.get(user, np.diag(PENALTIES)).copy()
        questions = _questions(times[places], drawn[places])
        answers[places] = _follow(numbers, curvature, offsets[places], seen[places], liked[places], questions)
    return answers


def _questions(times: FloatRows, drawn: BoolRows) -> list[Places]:
    """Return which rows of a user are asked together: dislikes that were drawn, and the likes of the same time.

    Args:
        times: of the rows, ascending, float64 [rows].
        drawn: whether each is a dislike that was drawn, bool [rows].
    """
    goes_on = (times[1:] == times[:-1]) & np.isin(times[1:], times[drawn])
    return np.split(np.arange(len(times)), np.flatnonzero(~goes_on) + 1)


def after_history(overall: float, items: Matrix, liked: BoolRows) -> FloatRows:
    """Return the numbers of a user of whom nothing is known but a history, float64 [1 + factors].

    Args:
        overall: log-odds of a like.
        items: numbers of the items of the history in its order, float64 [history, 1 + factors].
        liked: whether the user liked each of them.
    """
    numbers = np.zeros(items.shape[1])
    one_by_one = [np.array([place]) for place in range(len(liked))]
    _follow(numbers, np.diag(PENALTIES), overall + items[:, 0], seen_by_user(items), liked, one_by_one)
    return numbers


def _follow(
    numbers: FloatRows,
    curvature: Matrix,
    offsets: FloatRows,
    seen: Matrix,
    liked: BoolRows,
    questions: Sequence[Places],
) -> FloatRows:
    """Answer questions of one user in turn, and move the user's numbers and their curvature, both in place, by each.

    The numbers are taken for a normal distribution around what was fitted, as wide as the curvature of the loss there
    says; a question moves it by one step of Newton's method (Spiegelhalter and Lauritzen, Sequential updating of
    conditional probabilities, 1990).
    """
    answers = np.empty(len(liked))
    for asked in questions:
        answer = answers[asked] = scipy.special.expit(offsets[asked] + seen[asked] @ numbers)
        curvature += (seen[asked] * (answer * (1 - answer))[:, None]).T @ seen[asked]
        numbers += np.linalg.solve(curvature, (liked[asked] - answer) @ seen[asked])
    return answers


def _curvatures(fitted: Factors, train: Sequence[Record], wanted: set[str]) -> dict[str, Matrix]:
    """Return the second derivatives of the loss by the numbers of each user, [1 + factors, 1 + factors] each."""
    item_numbers = fitted.items[_items(fitted, train)]
    seen = seen_by_user(item_numbers)
    p_yes = _answers(fitted.overall + item_numbers[:, 0], seen, fitted.users[_users(fitted, train)])
    weights = p_yes * (1 - p_yes)
    return {
        user: np.diag(PENALTIES) + (seen[places] * weights[places, None]).T @ seen[places]
        for user, places in _by_user(user_keys(train), np.arange(len(train))).items()
        if user in wanted
    }


def _by_user(users: Sequence[str], order: Places) -> dict[str, list[int]]:
    """Return the places of each user's rows in an order."""
    rows_of_user: dict[str, list[int]] = {}
    for place in order.tolist():
        rows_of_user.setdefault(users[place], []).append(place)
    return rows_of_user


def _answers(offsets: FloatRows, seen: Matrix, users: Matrix) -> FloatRows:
    return np.asarray(scipy.special.expit(offsets + (seen * users).sum(axis=1)))


def seen_by_user(items: Matrix) -> Matrix:
    """Return what a user's numbers are multiplied by: 1 for its bias, and the factors of each item."""
    return np.column_stack([np.ones(len(items)), items[:, 1:]])


def _users(fitted: Factors, records: Sequence[Record]) -> Places:
    return places_of(fitted.user_names, user_keys(records))


def _items(fitted: Factors, records: Sequence[Record]) -> Places:
    return places_of(fitted.item_names, item_keys(records))
