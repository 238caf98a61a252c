"""What texts add shows where there is something to add: before counting alone, and before both controls."""

import numpy as np
import pytest

from likely.data.protocol import SplitProtocol
from likely.data.question import show_question
from likely.data.records import Labels, Record
from likely.data.task import ratings_task
from likely.data.wording import show_rated
from likely.evaluation.baselines import all_we_can_count
from likely.evaluation.features import likes_of
from likely.evaluation.given import Given
from likely.evaluation.metrics import auc
from likely.evaluation.text_rows import NGRAMS, SHUFFLED, can_compare_texts, text_systems

TASK = ratings_task(SplitProtocol())
ITEMS, KINDS = 240, 6
NAMES = np.random.default_rng(1).permutation(100_000)[:ITEMS]


def text_of(item):
    return f"{NAMES[item]} ({1950 + item % 60})"


def rated_records(users, seed=0):
    """Records of users who like half of six kinds of items; nothing but the item says which kind it is."""
    random = np.random.default_rng(seed)
    parts = {"train": [], "test": []}
    for user in range(users):
        likes = random.permutation(KINDS)[: KINDS // 2]
        items = random.permutation(ITEMS)[:36].tolist()
        liked = [bool(item % KINDS in likes) for item in items]
        lines = [show_rated(text_of(item), 5.0 if like else 2.0) for item, like in zip(items, liked, strict=True)]
        for place in range(6, 36):
            asked = show_question(lines[max(place - 8, 0) : place], text_of(items[place]))
            extra = {"timestamp": 1000 * place + user, "history_likes": sum(liked[max(place - 8, 0) : place])}
            extra |= {"history_length": min(place, 8)}
            answer = "Yes" if liked[place] else "No"
            one = Record("?", asked, answer, user_id=str(user), item_id=str(items[place]), extra=extra)
            parts["train" if place < 30 else "test"].append(one)
    return parts["train"], parts["test"]


def kinds_of(texts):
    """Vectors that tell the kind of an item, as a model might that knows them."""
    numbers = {text_of(item): item for item in range(ITEMS)}
    return np.array([np.eye(KINDS)[numbers[text] % KINDS] for text in texts])


def test_texts_add_what_they_know_and_controls_do_not():
    train, rows = rated_records(60)
    given = Given(train, rows, Labels(), (), TASK.words)
    assert can_compare_texts(given)
    systems = text_systems(given, TASK, kinds_of, "a model")
    assert [(one.name, one.kind) for one in systems] == [
        (SHUFFLED, "baseline"),
        (NGRAMS, "baseline"),
        ("all we can count + texts read by a model", "fusion"),
        ("all we can count + n-grams of texts, and read by a model", "fusion"),
    ]
    liked = likes_of(rows, Labels())
    shuffled, ngrams, read, both = (auc(liked, one.p_yes) for one in systems)
    counted = auc(liked, all_we_can_count(given))
    assert min(read, both) > 0.95 > 0.9 > max(shuffled, ngrams, counted)


def test_no_answer_of_a_row_changes_its_own_or_an_earlier_one():
    train, rows = rated_records(6)
    late = max(range(len(rows)), key=lambda place: rows[place].extra["timestamp"])
    turned = [*rows]
    turned[late] = Record(**{**vars(rows[late]), "output": "No" if rows[late].output == "Yes" else "Yes"})
    given = [Given(train, some, Labels(), (), TASK.words) for some in (rows, turned)]
    for before, after in zip(*(text_systems(one, TASK, kinds_of, "a model") for one in given), strict=True):
        np.testing.assert_array_equal(before.p_yes, after.p_yes)


@pytest.mark.parametrize("missing", ["user_id", "item_id", "timestamp", "text"])
def test_records_that_lack_something_have_no_texts_to_compare(missing):
    train, rows = rated_records(12)
    values = dict(vars(rows[0]))
    if missing == "timestamp":
        values["extra"] = {key: value for key, value in rows[0].extra.items() if key != "timestamp"}
    elif missing == "text":
        values["input"] = "Will they?"
    else:
        values[missing] = None
    assert not can_compare_texts(Given(train, [Record(**values), *rows[1:]], Labels(), (), TASK.words))
