"""What stands in a record's words is read back as numbers, and no training row sees its own answer in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.question import show_question
from likely.data.records import Labels, Place, Record
from likely.data.wording import Words, show_item, show_rated
from likely.errors import LikelyError
from likely.evaluation.features import (
    FEATURES,
    feature_matrix,
    has_history_counts,
    likes_of,
    log_odds,
    not_among,
    share_matrix,
    times_of,
    unread_columns,
)
from likely.evaluation.like_counts import count_likes

TITLES = st.sampled_from(
    ["Heat", "2001: A Space Odyssey", "Candidate: the film", "Cosmos | rated 1", "(500) Days", "1984"]
)
MOVIES = st.tuples(TITLES, st.none() | st.integers(1900, 2030), st.lists(st.sampled_from(["Drama", "Sci-Fi"])))
HALF_STARS = st.integers(1, 10).map(lambda half: half / 2)
COUNTS = count_likes(["a", "a", "b"], np.array([True, False, True]))


def record(text, item="a", output="Yes", likes=1, length=2):
    return Record("Liked?", text, output, item_id=item, extra={"history_likes": likes, "history_length": length})


def features_of(one, words=None):
    return dict(zip(FEATURES, feature_matrix([one], COUNTS, words=words)[0], strict=True))


@pytest.mark.parametrize(("likes", "length"), [(9, 4), (-1, 2)])
def test_counts_that_cannot_be_are_refused(likes, length):
    one = replace(record("", likes=likes, length=length), place=Place(Path("own.csv"), 7))
    with pytest.raises(
        LikelyError, match=rf"own\.csv, row 7 has history_likes {likes} and history_length {length}; write"
    ):
        has_history_counts([one])


@given(
    st.lists(st.tuples(MOVIES, HALF_STARS), min_size=1, max_size=8), MOVIES, st.sampled_from(["", "Others liked it."])
)
def test_ratings_and_year_are_read_back_from_the_words_of_a_record(history, candidate, hint):
    lines = [show_rated(show_item(*movie), rating) for movie, rating in history]
    read = features_of(record(show_question(lines, show_item(*candidate), hint), length=len(lines)))
    ratings = [rating for _, rating in history]
    assert read["mean rating of the history"] == pytest.approx(np.mean(ratings))
    assert read["standard deviation of the history's ratings"] == pytest.approx(np.std(ratings))
    assert read["last rating of the history"] == ratings[-1]
    assert read["length of the history"] == len(ratings)
    assert read["fraction of the history liked"] == 1 / len(ratings)
    if candidate[1] is None:
        assert np.isnan(read["release year of the candidate"])
    else:
        assert read["release year of the candidate"] == candidate[1]


def test_foreign_words_leave_what_they_do_not_say_unknown():
    read = features_of(record("She saw Heat (1995) and liked it. What of Ronin (1998)?"))
    assert read["length of the history"] == 2
    assert np.isnan(read["mean rating of the history"])
    assert np.isnan(read["last rating of the history"])
    assert np.isnan(read["release year of the candidate"])


AMOUNTS = st.floats(0, 1e6).map(lambda amount: float(f"{amount:g}"))
SPOKEN = st.builds(
    Words,
    noun=st.just("Spiel"),
    shows=st.just("quantity"),
    verb=st.sampled_from(["gespielt", "Played", "听", "listened to"]),
    unit=st.sampled_from(["", "h/week", "Stunden", "小时", "CDs", "m2"]),
)


@given(st.lists(st.tuples(TITLES, AMOUNTS), min_size=1, max_size=8), SPOKEN)
def test_quantities_are_read_back_in_the_words_of_any_run(history, words):
    text = show_question([show_rated(title, amount, words) for title, amount in history], "Heat")
    amounts = [amount for _, amount in history]
    for read in (features_of(record(text), words), features_of(record(text))):
        assert read["mean rating of the history"] == pytest.approx(np.mean(amounts))
        assert read["last rating of the history"] == amounts[-1]


def test_what_a_user_took_has_no_rating_whatever_number_stands_in_its_line():
    words = Words("game", shows="nothing", verb="played")
    read = features_of(record(show_question([show_rated("FIFA | the 2006 edition", None, words)], "Heat")), words)
    assert np.isnan(read["mean rating of the history"])
    labels = Words("game", shows="label", verb="liked")
    lines = [show_rated("Heat", 1, labels), show_rated("Ronin", 0, labels)]
    assert features_of(record(show_question(lines, "Babe")), labels)["mean rating of the history"] == 0.5


def test_columns_that_no_record_tells_are_named():
    foreign = record("She saw Heat (1995) and liked it. What of Ronin (1998)?")
    (line,) = unread_columns(feature_matrix([foreign, foreign], COUNTS))
    assert "do without mean rating of the history, " in line
    assert line.endswith("last rating of the history, release year of the candidate.")
    prepared = record(show_question([show_rated("Heat (1995)", 4)], "Ronin (1998)"))
    assert unread_columns(feature_matrix([foreign, prepared], COUNTS)) == []


@pytest.mark.parametrize("name", ["of_genres", "of_details"])
def test_shares_of_likes_are_read_whatever_details_are_called(name):
    shares = {"of_all": 0.1, "above": 0.2, name: 0.3, "others": 0.5}
    one = Record("Liked?", "", "Yes", extra={"shares": shares})
    assert share_matrix([one])[0] == pytest.approx([0.1, 0.2, 0.3, np.nan, 0.5], nan_ok=True)


@pytest.mark.parametrize("share", ["much", "0.5", -0.1, 5, [0.5], {}])
def test_a_share_that_is_none_is_refused(share):
    one = Record("Liked?", "", "Yes", extra={"shares": {"of_all": share}}, place=Place(Path("in.json"), 3))
    with pytest.raises(LikelyError, match=r"in\.json, row 3, key 'shares': .* is no share of likes"):
        share_matrix([one])


def test_item_columns_of_training_rows_leave_the_row_out():
    train = [record("", "a"), record("", "a", "No"), record("", "b")]
    liked = likes_of(train, Labels())
    inside, outside = feature_matrix(train, COUNTS, own=liked), feature_matrix(train, COUNTS)
    assert inside[:, 1] == pytest.approx(np.log1p([1, 1, 0]))
    assert outside[:, 1] == pytest.approx(np.log1p([2, 2, 1]))
    assert inside[0, 0] < outside[0, 0] < inside[1, 0]


def test_log_odds_are_finite_even_of_certainty():
    odds = log_odds(np.array([0.0, 0.2, 1.0]))
    assert odds[1] == pytest.approx(np.log(0.2 / 0.8))
    assert odds[2] == pytest.approx(-odds[0])
    assert np.isfinite(odds).all()


def test_records_that_lack_something_are_an_error():
    bare = Record("Liked?", "", "Yes", item_id="a")
    assert not has_history_counts([record(""), bare])
    with pytest.raises(LikelyError, match="Row 2 has no history_likes"):
        feature_matrix([record(""), bare], COUNTS)
    with pytest.raises(LikelyError, match="item_id"):
        feature_matrix([record("", item=None)], COUNTS)


def test_a_record_is_known_again_by_user_item_and_time_and_by_its_words_where_nobody_is_named():
    first = replace(record("Heat"), user_id="u", extra={"timestamp": 5})
    again = replace(first, extra={"timestamp": 9})
    assert not_among([first, again], [again]) == [first]  # a user may come back to an item
    assert not_among([first], [replace(first, input="Heat, in other words")]) == []
    assert not_among([first], [replace(first, extra={})]) == []  # it cannot be told from a later one
    drawn = replace(first, output="No", extra={**first.extra, "drawn": True})  # for one of two likes of that time
    assert not_among([drawn], [replace(drawn, input="after another like")]) == [drawn]
    assert not_among([drawn], [replace(drawn)]) == []
    for nameless in (replace(first, user_id=None), replace(first, item_id=None)):
        assert not_among([nameless], [replace(nameless)]) == []
        assert not_among([nameless], [replace(nameless, input="Ronin")]) == [nameless]


@pytest.mark.parametrize("time", [None, "yesterday", float("nan"), float("inf"), pytest.param(10**400, id="huge")])
def test_a_time_that_is_none_leaves_the_order_of_all_records_unknown(time):
    known = [replace(record("Heat"), extra={"timestamp": one}) for one in (3, 2.5)]
    assert times_of(known).tolist() == [3, 2.5]
    assert times_of([*known, replace(record("Heat"), extra={"timestamp": time})]) is None
