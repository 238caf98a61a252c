"""What is counted of a row is from before it, whatever comes later, and does not depend on the order of the file."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from likely.data.question import show_question
from likely.data.records import Labels, Record
from likely.data.wording import show_item, show_rated
from likely.evaluation import counted_columns as module
from likely.evaluation.counted_columns import COLUMNS, TASTE, counted_columns
from likely.evaluation.features import likes_of
from likely.evaluation.metrics import auc

GENRES = ("Drama", "Comedy", "Horror")


def records_told(stars, order_of_users, warmup=2):
    """Records as they are prepared: each user rates some items in turn, and histories show all that was before.

    Args:
        stars: half stars of each user's items, in the order in which they are rated, by user.
        order_of_users: whose turn it is, at each second.
    """
    lines = {user: [] for user in stars}
    likes, records = dict.fromkeys(stars, 0), []
    turns = {user: iter(items) for user, items in stars.items()}
    for time, user in enumerate(order_of_users):
        item, given_stars = next(turns[user])
        shown = show_item(f"Movie {item}", 1980 + item, [GENRES[item % 3]])
        if len(lines[user]) >= warmup:
            extra = {"history_likes": likes[user], "history_length": len(lines[user]), "timestamp": float(time // 2)}
            text, label = show_question(lines[user], shown), "Yes" if given_stars >= 4 else "No"
            records.append(Record("Liked?", text, label, user_id=user, item_id=f"i{item}", extra=extra))
        lines[user].append(show_rated(shown, given_stars))
        likes[user] += given_stars >= 4
    return records


@st.composite
def worlds(draw):
    """Ratings of a few users, all mixed up, and a time in the midst of them."""
    items = st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 10)), min_size=3, max_size=9, unique_by=lambda one: one[0]
    )
    rated = draw(st.lists(items, min_size=2, max_size=4))
    stars = {f"u{user}": [(item, half / 2) for item, half in told] for user, told in enumerate(rated)}
    turns = draw(st.permutations([user for user, told in stars.items() for _ in told]))
    return stars, turns


def columns_of(records, fitted=None):
    fitted = np.ones(len(records), bool) if fitted is None else fitted
    return counted_columns(records, fitted, Labels())


def turned_later(world, time, users):
    """Records of the same world with later ratings of some users drawn anew, those of the warm-up left alone."""
    stars, turns = world
    random, rated = np.random.default_rng(0), dict.fromkeys(stars, 0)
    turned = {user: list(told) for user, told in stars.items()}
    for second, user in enumerate(turns):
        if second // 2 >= time and rated[user] >= 2 and user in users:
            turned[user][rated[user]] = turned[user][rated[user]][0], float(random.choice([0.5, 2.0, 4.0, 5.0]))
        rated[user] += 1
    return records_told(turned, turns)


@settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.generate])
@given(worlds(), st.integers(0, 9))
def test_what_anybody_rates_later_and_is_not_trained_on_changes_no_column(world, time):
    records = records_told(*world)
    times = np.array([one.extra["timestamp"] for one in records])
    turned = turned_later(world, time, world[0])
    before, after = (columns_of(rows, times < time) for rows in (records, turned))
    assert before[times <= time].tobytes() == after[times <= time].tobytes()


@settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.generate])
@given(worlds(), st.integers(0, 9))
def test_what_the_user_rates_later_changes_no_column_even_where_it_is_trained_on(world, time):
    """No training row sees its own label in what was fitted to it."""
    records, turned = records_told(*world), turned_later(world, time, {"u0"})
    asked = np.array([one.user_id == "u0" and one.extra["timestamp"] <= time for one in records], bool)
    assert columns_of(records)[asked].tobytes() == columns_of(turned)[asked].tobytes()


@settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.generate])
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_file_changes_no_column(world, random):
    records = records_told(*world)
    order = list(range(len(records)))
    random.shuffle(order)
    fitted = np.array([place % 3 > 0 for place in range(len(records))], bool)
    shuffled = counted_columns([records[place] for place in order], fitted[order], Labels())
    assert shuffled.tobytes() == counted_columns(records, fitted, Labels())[order].tobytes()


@settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.generate])
@given(worlds())
def test_what_users_are_called_changes_no_column(world):
    records = records_told(*world)
    turned = [replace(one, user_id=f"u{9 - int(one.user_id[1:])}") for one in records]
    np.testing.assert_allclose(columns_of(turned), columns_of(records), rtol=1e-4, atol=1e-5)


def test_the_last_row_is_the_same_whatever_its_answer():
    """A candidate's record, which nobody has answered yet."""
    random = np.random.default_rng(0)
    stars = {
        f"u{user}": [(int(item), float(random.integers(1, 11)) / 2) for item in random.permutation(12)]
        for user in range(5)
    }
    records = records_told(stars, random.permutation(np.repeat(list(stars), 12)).tolist())
    last = max(range(len(records)), key=lambda place: records[place].extra["timestamp"])
    fitted = np.arange(len(records)) != last
    turned = [*records]
    turned[last] = replace(records[last], output="No" if records[last].output == "Yes" else "Yes")
    everything = counted_columns(records, fitted, Labels())
    assert counted_columns(turned, fitted, Labels())[last].tobytes() == everything[last].tobytes()


def test_histories_too_long_for_one_piece_know_the_latest(monkeypatch):
    random = np.random.default_rng(1)
    stars = {"u0": [(int(item), float(random.integers(1, 11)) / 2) for item in random.permutation(30)]}
    records = records_told(stars, ["u0"] * 30)
    whole = columns_of(records)
    monkeypatch.setattr(module, "MOST_RATINGS", 10)
    pieces = columns_of(records)
    assert pieces.shape == whole.shape
    assert not np.isnan(pieces[:, COLUMNS.index(TASTE)]).any()
    assert pieces[:8] == pytest.approx(whole[:8], nan_ok=True)
    assert (pieces[20:, COLUMNS.index(TASTE)] != whole[20:, COLUMNS.index(TASTE)]).any()


def test_a_taste_that_like_rates_cannot_see_is_found():
    """Half of the users like one half of the items, the others the other; genres and years say nothing of it."""
    random = np.random.default_rng(2)
    kinds, of_user = random.choice([-1, 1], 60), random.choice([-1, 1], 40)
    stars = {
        f"u{user}": [
            (int(item), 4.5 if of_user[user] * kinds[item] > 0 else 2.0)
            # Users rate more of what they like, as people do.
            for item in random.permutation(60)
            if random.random() < (0.8 if of_user[user] * kinds[item] > 0 else 0.3)
        ]
        for user in range(40)
    }
    turns = random.permutation([user for user, told in stars.items() for _ in told]).tolist()
    records = records_told(stars, turns)
    liked = likes_of(records, Labels())
    late = np.array([one.extra["history_length"] > 10 for one in records])
    columns = columns_of(records)
    for name in (TASTE, "user on items with the same raters", "user on items with like opinions"):
        assert auc(liked[late], np.nan_to_num(columns[late, COLUMNS.index(name)])) > 0.8
    assert auc(liked[late], columns[late, COLUMNS.index("mean stars of the item")]) < 0.7


def test_foreign_words_and_items_without_anything_known_are_no_error():
    records = [
        Record("Liked?", "She saw Heat and liked it.", label, user_id=user, item_id=item, extra={"timestamp": time})
        for time, (user, item, label) in enumerate([("a", "x", "Yes"), ("b", "x", "No"), ("a", "y", "No")])
    ]
    columns = columns_of(records)
    assert columns.shape == (3, len(COLUMNS))
    assert np.isfinite(columns[:, COLUMNS.index(TASTE)]).all()
