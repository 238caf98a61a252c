"""A history tells half stars, and ratings that no record asks about."""

import numpy as np

from likely.data.records import Labels, Record
from likely.data.wording import MOVIES, Words, show_question, show_rated
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


def test_one_item_stands_for_what_is_shown_alike():
    told = told_ratings(RECORDS, Labels())
    assert len(told.lines) == len(set(told.lines)) == 4


def test_records_in_other_words_tell_what_they_ask():
    told = told_ratings(RECORDS, Labels(), Words("game", shows="quantity", verb="played"))
    assert len(told.users) == len(RECORDS)
    assert np.isnan(told.stars).all()
