"""What records tell of items: every candidate by its text, and of a warm-up what the first history shows."""

import numpy as np

from likely.data.protocol import SplitProtocol
from likely.data.question import show_question
from likely.data.records import Labels, Record
from likely.data.task import ratings_task
from likely.data.wording import show_rated
from likely.evaluation.told_items import candidate_texts, told_items

TASK = ratings_task(SplitProtocol(like_threshold=4.0))


def record(user, candidate, time, liked=True, history=()):
    shown = [show_rated(item, rating) for item, rating in history]
    return Record(
        "?", show_question(shown, candidate), "Yes" if liked else "No", user_id=user, extra={"timestamp": time}
    )


def opinions(told):
    """User, text and like, in the order of user and time."""
    order = np.lexsort((told.told.times, told.told.users))
    return [(int(told.told.users[n]), told.texts[told.told.items[n]], bool(told.liked[n])) for n in order]


RECORDS = [
    record("b", "Emma (1996) | Romance", 20, False, [("Heat (1995) | Crime", 4.5), ("Babe (1995) | Children", 1.0)]),
    record("a", "Heat (1995) | Crime", 10, True, [("Alien (1979)", 3.5)]),
    record("b", "Ronin (1998)", 30, True, [("Babe (1995) | Children", 1.0), ("Emma (1996) | Romance", 2.0)]),
]


def test_opinions_are_those_of_records_and_of_the_first_history():
    told = told_items(RECORDS, candidate_texts(RECORDS), Labels(), TASK)
    assert told.texts == sorted(
        {"Heat (1995) | Crime", "Babe (1995) | Children", "Emma (1996) | Romance", "Alien (1979)", "Ronin (1998)"}
    )
    assert opinions(told) == [
        (0, "Alien (1979)", False),
        (0, "Heat (1995) | Crime", True),
        (1, "Heat (1995) | Crime", True),
        (1, "Babe (1995) | Children", False),
        (1, "Emma (1996) | Romance", False),
        (1, "Ronin (1998)", True),
    ]
    assert [told.texts[item] for item in told.asked.items] == candidate_texts(RECORDS)
    assert told.asked.times.tolist() == [20, 10, 30]
    assert told.told.times[: -len(RECORDS)].max() < 10


def test_without_a_task_only_records_are_read():
    told = told_items(RECORDS, candidate_texts(RECORDS), Labels(), None)
    assert [text for _, text, _ in opinions(told)] == ["Heat (1995) | Crime", "Emma (1996) | Romance", "Ronin (1998)"]


def test_records_in_other_words_have_no_texts():
    assert candidate_texts([*RECORDS, Record("?", "Is this spam?", "No")]) is None
    assert candidate_texts([record("a", "", 1)]) is None
