"""A history tells half stars, and ratings that no record asks about."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from likely.data.question import show_question
from likely.data.records import Labels, Record
from likely.data.wording import MOVIES, Words, show_rated
from likely.evaluation.counted_columns import counted_columns
from likely.evaluation.told_ratings import told_ratings


def record(user, item, liked, time, history, likes):
    extra = {"timestamp": time, "history_likes": likes, "history_length": len(history)}
    lines = [show_rated(title, stars) for title, stars in history]
    text = show_question(lines, f"{item} (1999) | Drama")
    return Record("Liked?", text, "Yes" if liked else "No", user_id=user, item_id=item, extra=extra)


HEAT, RONIN, BABE = "Heat (1995)", "Ronin (1998)", "Babe (1999) | Drama"
RECORDS = [
    record("a", "Babe", False, 50.0, [(HEAT, 3.5), (RONIN, 4.5)], 1),
    record("a", "Emma", True, 60.0, [(RONIN, 4.5), (BABE, 2.5)], 1),
    record("b", "Babe", True, 55.0, [], 0),
]


def by_user_and_line(told):
    return {
        (int(user), told.lines[item]): (stars, liked, time)
        for user, item, stars, liked, time in zip(
            told.users, told.items, told.stars, told.liked, told.times, strict=True
        )
    }


def test_what_histories_show_is_told_beside_what_records_ask():
    for words in (None, MOVIES):
        told = told_ratings(RECORDS, Labels(), words)
        assert len(told.users) == 5
        known = by_user_and_line(told)
        before = np.nextafter(50.0, 0)
        assert known[0, HEAT] == (3.5, 0.0, before)
        assert known[0, RONIN] == (4.5, 1.0, before)
        assert known[0, BABE] == (2.5, 0.0, 50.0)
        assert known[0, "Emma (1999) | Drama"][1:] == (1.0, 60.0)
        assert np.isnan(known[1, BABE][0])  # no history shows it
        assert (np.diff(told.times) >= 0).all()
        assert [told.liked[place] for place in told.places] == [0, 1, 1]
        assert told.records[told.places].tolist() == [0, 1, 2]
        only_shown = np.setdiff1d(np.arange(5), told.places)
        assert told.records[only_shown].tolist() == [0, 0]


def test_a_dislike_that_was_drawn_takes_no_rating_that_was_given_later():
    drawn = replace(RECORDS[0], extra={**RECORDS[0].extra, "timestamp": 40.0, "drawn": True})
    told = told_ratings([drawn, *RECORDS], Labels(), MOVIES)
    np.testing.assert_array_equal(told.stars[told.places], [np.nan, 2.5, np.nan, np.nan])


def test_an_item_that_a_record_asks_about_is_not_told_again_by_a_history():
    told = told_ratings(RECORDS, Labels())
    assert len(told.lines) == len(set(told.lines)) == 4


def rated_in_turn(names, seed, warmup=0):
    """Users rate all items in an order drawn at random, and histories show all that was before.

    Args:
        names: how each item is shown.
        seed: of order and stars.
        warmup: ratings of each user that no record asks about.
    """
    random, records = np.random.default_rng(seed), []
    for user in ("a", "b", "c"):
        history = []
        for place, item in enumerate(random.permutation(len(names)).tolist()):
            stars = float(random.integers(1, 11)) / 2
            if place >= warmup:
                likes = sum(known >= 4 for _, known in history)
                asked = record(user, names[item], stars >= 4, 10.0 * place, history, likes)
                records.append(replace(asked, item_id=f"i{item}"))
            history.append((f"{names[item]} (1999) | Drama", stars))
    return records


APART, ALIKE = (["Emma", second, "Babe", "Heat", third, "Ronin"] for second, third in (("Clue", "Big"), ("Emma",) * 2))


@pytest.mark.parametrize("seed", range(5))
def test_items_that_are_shown_alike_have_their_line_and_their_own_ratings(seed):
    apart, alike = (told_ratings(rated_in_turn(names, seed), Labels()) for names in (APART, ALIKE))
    assert dict(zip(alike.names, alike.lines, strict=True)) == {
        f"i{item}": f"{name} (1999) | Drama" for item, name in enumerate(ALIKE)
    }
    for name in ("users", "items", "times", "liked", "stars", "records", "places"):
        np.testing.assert_array_equal(getattr(alike, name), getattr(apart, name), name)


def test_items_that_are_shown_alike_are_counted_as_if_they_were_not():
    apart, alike = (rated_in_turn(names, seed=0) for names in (APART, ALIKE))
    columns = [counted_columns(records, np.ones(len(records), bool), Labels()) for records in (apart, alike)]
    np.testing.assert_array_equal(*columns)


@pytest.mark.parametrize("seed", range(5))
def test_no_rating_is_lost_where_a_history_alone_tells_of_items_that_are_shown_alike(seed):
    """Which of them it is of, nobody can tell: it goes to the first."""
    told = []
    for names in (APART, ALIKE):
        one = told_ratings(rated_in_turn(names, seed, warmup=3), Labels())
        told.append(Counter(zip(one.users, one.times, one.liked, one.stars.astype(str), strict=True)))
    assert told[0] == told[1]
    assert told[0].total() == 3 * len(ALIKE)


def test_a_history_whose_likes_were_counted_elsewhere_tells_nothing():
    told = [replace(one, extra={**one.extra, "history_length": 9, "history_likes": 9}) for one in RECORDS]
    assert len(told_ratings(told, Labels()).users) == len(RECORDS)


def test_records_in_other_words_tell_what_they_ask():
    told = told_ratings(RECORDS, Labels(), Words("game", shows="quantity", verb="played"))
    assert len(told.users) == len(RECORDS)
    assert np.isnan(told.stars).all()
