"""A record's words say what is known, are read back as they were meant, and differ at the end only."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.question import read_candidate, show_question
from likely.data.shares import Shares
from likely.data.wording import (
    OPINIONS,
    RATED_LINE,
    Words,
    hint,
    make_instruction,
    opinion,
    read_rated,
    show_item,
    show_rated,
)

SHARE = st.floats(0, 1) | st.just(math.nan)
TITLES = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20)
HALF_STARS = st.integers(1, 10).map(lambda halves: halves / 2)


@given(
    st.builds(Shares, of_all=st.floats(0, 1), above=st.floats(0, 1), of_genres=SHARE, of_similar=SHARE, others=SHARE)
)
def test_a_hint_tells_every_share_that_there_is(shares):
    text = hint(shares)
    assert text.startswith(f"This user {opinion(shares.of_all)} earlier movies, {opinion(shares.above)} those above")
    for share, name in ((shares.of_genres, "these genres"), (shares.of_similar, "similar movies")):
        assert (name in text) == (not math.isnan(share))
        assert math.isnan(share) or f", {opinion(share)} {name}" in text
    said = "No other user has rated" if math.isnan(shares.others) else f"Other users {opinion(shares.others)} the"
    assert f". {said}" in text


@given(
    st.builds(Shares, of_all=st.floats(0, 1), above=SHARE, of_genres=SHARE, of_similar=SHARE, others=SHARE),
    st.sampled_from(["genres", "Authors"]),
)
def test_a_short_hint_tells_the_same_opinions(shares, details):
    words = Words(details=details)
    told = hint(shares, words, short=True).removesuffix(".").split(", ")
    names = ["Earlier", "above", details, "similar", "others"]
    verbs = {"had mixed feelings about": "mixed"}
    expected = [
        f"{name} {verbs.get(opinion(share), opinion(share))}"
        for name, share in zip(names, vars(shares).values(), strict=True)
        if not math.isnan(share)
    ]
    assert told == expected + (["others unknown"] if math.isnan(shares.others) else [])


def test_opinions_rise_with_the_share_of_likes():
    words = [opinion(share / 100) for share in range(101)]
    assert list(dict.fromkeys(words)) == [word for _, word in OPINIONS]


@given(st.lists(st.tuples(TITLES, HALF_STARS), min_size=1, max_size=5), TITLES)
def test_ratings_and_the_candidate_are_read_back(rated, candidate):
    text = show_question([show_rated(title, stars) for title, stars in rated], candidate)
    assert [float(stars) for stars in RATED_LINE.findall(text)] == [stars for _, stars in rated]
    assert read_candidate(text) == candidate


def test_records_of_one_history_differ_after_it_only():
    lines = [show_rated(show_item("Heat", 1995, ["Crime"]), 4.5), show_rated(show_item("Cosmos", None, []), 2.0)]
    first, second = (show_question(lines, title, "A hint.") for title in ("Ronin (1998)", "Babe (1995)"))
    shared = "History, oldest first:\n- Heat (1995) | Crime | rated 4.5\n- Cosmos | rated 2\nCandidate: "
    assert (first, second) == (f"{shared}Ronin (1998)\nA hint.", f"{shared}Babe (1995)\nA hint.")


@pytest.mark.parametrize(("threshold", "said"), [(4.0, "rate it 4 or higher"), (3.5, "rate it 3.5 or higher")])
def test_the_question_names_the_rating_that_is_a_like(threshold, said):
    assert said in make_instruction(threshold)


KINDS_OF_LINES = [
    Words(),
    Words("game", shows="quantity", verb="joué (soirées)", unit="h/week"),
    Words("book", shows="label", verb="liked"),
    Words("song", shows="nothing", verb="played"),
]


@given(st.sampled_from(KINDS_OF_LINES), TITLES, st.sampled_from([0.0, 1.0]))
def test_a_line_of_any_run_is_read_back_in_its_own_words(words, title, rating):
    expected = None if words.shows == "nothing" else rating
    assert read_rated(show_rated(title, rating, words), words) == (title, expected)
