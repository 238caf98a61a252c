"""Files that say when and whose, but not what their histories hold, are counted; nothing later enters."""

from dataclasses import replace

import numpy as np

from likely.data.records import Labels, Record
from likely.evaluation.baselines import baseline_systems
from likely.evaluation.derived_histories import with_histories


def records(times, user="a", start=0):
    return [
        Record(
            "Given the preference, answer.",
            "",
            "Yes" if time % 3 else "No",
            user_id=user,
            item_id=f"i{place}",
            extra={"timestamp": time},
        )
        for place, time in enumerate(times, start)
    ]


def parts():
    train = [*records(range(8)), *records(range(5, 12), "b")]
    return train, records((9, 9, 10), start=20), records((11, 14, 13), start=30)


def test_likes_and_lengths_are_those_of_the_users_strictly_earlier_records():
    everything = [record for part in parts() for record in part]
    done, (note,) = with_histories(*parts(), Labels())
    assert "counted from each user's earlier records" in note
    for part, before in zip(done, parts(), strict=True):
        assert [replace(one, extra={"timestamp": one.extra["timestamp"]}) for one in part] == before
        for one in part:
            earlier = [
                other
                for other in everything
                if other.user_id == one.user_id and other.extra["timestamp"] < one.extra["timestamp"]
            ]
            assert one.extra["history_length"] == len(earlier)
            assert one.extra["history_likes"] == sum(other.output == "Yes" for other in earlier)


def test_rows_that_are_the_eval_records_count_once():
    train, held_out, _ = parts()
    for part in (held_out, [replace(one, item_id=None) for one in held_out]):
        (_, _, rows), _ = with_histories(train, part, part, Labels())
        assert [row.extra["history_length"] for row in rows] == [8, 8, 10]


def test_rows_that_are_training_records_count_once():
    train, held_out, rows = parts()
    (expected, *_), _ = with_histories(train, held_out, rows, Labels())
    (counted, _, answered), _ = with_histories(train, [*held_out, *train[:3]], [*rows, *train], Labels())
    assert counted == answered[len(rows) :] == expected


def test_what_a_file_says_itself_or_cannot_be_known_stays():
    train, held_out, rows = parts()
    known = [[replace(one, extra={**one.extra, "history_likes": 1, "history_length": 2}) for one in p] for p in parts()]
    assert with_histories(*known, Labels()) == (tuple(known), [])
    nameless = [replace(one, user_id=None) for one in rows]
    assert with_histories(train, held_out, nameless, Labels()) == ((train, held_out, nameless), [])
    timeless = [replace(one, extra={}) for one in rows]
    assert with_histories(train, held_out, timeless, Labels()) == ((train, held_out, timeless), [])


def test_baselines_on_counted_features_take_part_and_say_which_columns_the_words_do_not_tell():
    random = np.random.default_rng(0)
    train = [
        replace(one, output="Yes" if random.random() < 0.5 else "No")
        for user in range(8)
        for one in records(range(20), f"u{user}")
    ]
    rows = [one for user in range(8) for one in records(range(30, 34), f"u{user}")]
    names = ("history fraction liked", "logistic regression")
    without, left_out = baseline_systems(train, rows, Labels(), only=names)
    assert without == []
    assert any(said.startswith("logistic regression is left out") for said in left_out)
    (train, _, rows), _ = with_histories(train, [], rows, Labels())
    systems, said = baseline_systems(train, rows, Labels(), only=names)
    assert [one.name for one in systems] == [*names]
    assert any("do without mean rating of the history" in line for line in said)
