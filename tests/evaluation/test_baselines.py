"""Baselines find what is there to be found, never ask for what records lack, and give MovieLens its known figures."""

import csv
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.question import read_question, show_question
from likely.data.records import Labels, Record, read_records, write_records
from likely.data.timelines import build_timelines, make_rows
from likely.data.wording import MOVIES, show_rated
from likely.errors import LikelyError
from likely.evaluation.baselines import (
    always_yes,
    baseline_systems,
    item_and_user,
    item_like_rate,
    systems_of,
    user_like_rate,
)
from likely.evaluation.classifiers import logistic_regression
from likely.evaluation.features import history_fraction, likes_of
from likely.evaluation.given import Given
from likely.evaluation.metrics import auc, probability_metrics
from support import records_of


def record(item, liked, **extra):
    return Record("Liked?", "", "Yes" if liked else "No", item_id=item, extra=extra)


PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=30)


@given(PAIRS, st.floats(0.1, 50))
def test_a_like_rate_lies_between_the_candidates_own_and_the_overall_one(pairs, smoothing):
    train = [record(item, liked) for item, liked in pairs]
    overall = np.mean([liked for _, liked in pairs])
    for item in {item for item, _ in pairs}:
        own = np.mean([liked for other, liked in pairs if other == item])
        (rate,) = item_like_rate(train, [record(item, True)], Labels(), smoothing)
        assert min(own, overall) - 1e-9 <= rate <= max(own, overall) + 1e-9


@given(PAIRS)
def test_a_candidate_never_seen_gets_the_overall_rate(pairs):
    train = [record(item, liked) for item, liked in pairs]
    (rate,) = item_like_rate(train, [record("unseen", True)], Labels())
    assert rate == pytest.approx(np.mean([liked for _, liked in pairs]))


def test_a_like_rate_never_looks_at_the_truth_of_the_rows_it_answers():
    train = [record("a", True), record("b", False)]
    answered = [item_like_rate(train, [record("a", liked)], Labels())[0] for liked in (True, False)]
    assert answered[0] == answered[1]


def test_little_smoothing_leaves_the_share_of_likes_and_much_the_overall_rate():
    train = [record("a", True)] * 3 + [record("a", False)] + [record("b", False)] * 4
    rows = [record("a", True), record("b", True)]
    assert item_like_rate(train, rows, Labels(), 1e-9) == pytest.approx([0.75, 0.0], abs=1e-6)
    assert item_like_rate(train, rows, Labels(), 1e9) == pytest.approx([0.375, 0.375], abs=1e-6)


def test_records_that_lack_what_a_baseline_needs_are_an_error():
    with pytest.raises(LikelyError, match="item_id"):
        item_like_rate([record("a", True)], [record(None, True)], Labels())
    with pytest.raises(LikelyError, match="Row 2 has no history_likes"):
        history_fraction([record("a", True, history_likes=1, history_length=2), record("a", True)])


def test_of_an_empty_history_the_share_of_likes_knows_nothing():
    rows = [record("a", True, history_likes=likes, history_length=length) for likes, length in ((0, 0), (0, 2), (1, 2))]
    assert history_fraction(rows).tolist() == [0.5, 0.0, 0.5]


def test_always_yes_has_the_f1_of_knowing_nothing():
    liked = np.array([True] * 3 + [False] * 7)
    figures = probability_metrics(liked, always_yes([record("a", True)] * 10))
    assert figures["accuracy"] == pytest.approx(0.3)
    assert figures["f1"] == pytest.approx(2 * 0.3 / 1.3)
    assert figures["auc"] == 0.5


ALL = [
    "always Yes", "item like-rate", "user like-rate", "history fraction liked", "item + user like-rate",
    "matrix factorisation", "logistic regression", "boosted trees", "TF-IDF of the text",
]  # fmt: skip


def rated(user, item, stars, history):
    """A record as it is prepared, whose user rated `history` before."""
    lines = [show_rated("Heat (1995)", rating) for rating in history]
    likes = sum(rating >= 4 for rating in history)
    return Record(
        "Liked?",
        show_question(lines, f"Movie {item} (1999)"),
        "Yes" if stars >= 4 else "No",
        user_id=user,
        item_id=item,
        extra={"history_likes": likes, "history_length": len(history)},
    )


def world(seed, users=40, items=30, hidden=0.0):
    """Ratings made of a user's and an item's kindness and, as much as `hidden` says, of a taste they share or not."""
    random = np.random.default_rng(seed)
    kindness = random.normal(size=users), random.normal(size=items)
    taste = random.choice([-1, 1], users), random.choice([-1, 1], items)
    records = []
    for user in range(users):
        stars = kindness[0][user] + kindness[1] + hidden * taste[0][user] * taste[1] + 0.3 * random.normal(size=items)
        stars = np.clip(np.round(2 * (3.5 + stars)) / 2, 0.5, 5).tolist()
        order = random.permutation(items)
        seen = [stars[item] for item in order]
        rows = [rated(f"u{user}", f"i{item}", stars[item], seen[max(0, n - 5) : n]) for n, item in enumerate(order)]
        records.append(rows[5:])
    return [row for rows in records for row in rows[:-5]], [row for rows in records for row in rows[-5:]]


def area(rows, p_yes):
    return auc(likes_of(rows, Labels()), p_yes)


def test_every_baseline_beats_chance_where_there_is_something_to_learn():
    train, rows = world(0)
    systems, left_out = baseline_systems(train, rows, Labels())
    assert [system.name for system in systems] == ALL
    assert left_out == []
    areas = {system.name: area(rows, system.p_yes) for system in systems}
    assert areas.pop("always Yes") == 0.5
    assert min(areas.values()) > 0.6
    assert areas["item + user like-rate"] > max(areas["item like-rate"], areas["user like-rate"])
    for system in systems:
        assert (system.says_yes == (system.p_yes >= 0.5)).all()
        assert (system.says_no == ~system.says_yes).all()


def factorised(train, rows, labels, earlier=()):
    return Given(train, rows, labels, earlier).factorised


def test_matrix_factorisation_finds_a_taste_that_like_rates_cannot_see():
    train, rows = world(1, users=80, items=80, hidden=2.0)
    assert area(rows, factorised(train, rows, Labels())) > area(rows, item_and_user(train, rows, Labels())) + 0.1


def test_matrix_factorisation_knows_nothing_of_users_and_items_without_training_rows():
    train, _ = world(0)
    stranger = rated("nobody", "nothing", 5, [4.0])
    (p_yes,) = factorised(train, [stranger], Labels())
    assert p_yes == pytest.approx(likes_of(train, Labels()).mean(), abs=1e-5)


@pytest.mark.parametrize("answer", [user_like_rate, item_and_user, factorised])
def test_the_truth_of_the_answered_rows_changes_no_answer(answer):
    train, rows = world(0, users=8, items=15)
    turned = [replace(row, output="No" if row.output == "Yes" else "Yes") for row in rows]
    assert (answer(train, rows, Labels()) == answer(train, turned, Labels())).all()


def timed(seed, **options):
    """A world whose records have times, users all mixed up; eval rows are the first of those that are held out."""
    train, rows = world(seed, **options)
    random = np.random.default_rng(seed)
    clock = {user: random.random() for user in {row.user_id for row in rows}}

    def later(record):
        clock[record.user_id] += random.random()
        return replace(record, extra={**record.extra, "timestamp": clock[record.user_id]})

    train, rows = [later(one) for one in train], [later(one) for one in rows]
    return train, rows[::2], rows[1::2]


def turned_after(records, time):
    """Everybody's ratings from after a time turned around."""
    return [
        replace(one, output="No" if one.output == "Yes" else "Yes") if one.extra["timestamp"] > time else one
        for one in records
    ]


COUNTING = ["item like-rate", "user like-rate", "item + user like-rate", "ridge of each user"]


@pytest.mark.parametrize("name", COUNTING)
def test_what_anybody_rates_later_changes_no_count(name):
    parts = timed(0, users=8, items=15)
    time = float(np.median([one.extra["timestamp"] for one in parts[2]]))
    until = np.array([one.extra["timestamp"] <= time for one in parts[2]])
    before, after = (answers_by_name(*world)[name] for world in (parts, [turned_after(part, time) for part in parts]))
    assert before[until] == pytest.approx(after[until], rel=1e-12)  # sums are taken in another order
    assert (before[~until] != after[~until]).any()


@pytest.mark.parametrize("name", COUNTING)
def test_what_others_said_before_counts_whatever_part_it_is_in(name):
    """A system in use at that time would have known it."""
    train, earlier, rows = timed(0, users=8, items=15)
    everything = answers_by_name(train, earlier, rows)[name]
    for part in ([train, turned_after(earlier, -1), rows], [train, earlier, turned_after(rows, -1)]):
        assert (answers_by_name(*part)[name] != everything).any()


def answers_by_name(train, earlier, rows):
    return {one.name: one.p_yes for one in baseline_systems(train, rows, Labels(), earlier)[0]}


def test_what_anybody_rates_later_changes_no_feature():
    train, earlier, rows = timed(1, users=8, items=15)
    time = float(np.median([one.extra["timestamp"] for one in rows]))
    turned, turned_rows, turned_earlier = (turned_after(part, time) for part in (train, rows, earlier))
    now, then = Given(train, rows, Labels(), earlier), Given(turned, turned_rows, Labels(), turned_earlier)
    ridges = ((given._ridge_of_all[: len(train)], given.ridge) for given in (now, then))
    for columns in ((now.features, then.features), tuple(ridges)):
        for part, before, after in zip((train, rows), *columns, strict=True):
            until = np.array([one.extra["timestamp"] <= time for one in part])
            np.testing.assert_allclose(before[until], after[until], rtol=1e-10, atol=1e-12)
    assert (now.ridge != then.ridge).any()


def test_matrix_factorisation_goes_on_with_a_users_earlier_rows_and_never_with_later_ones():
    train, earlier, rows = timed(2, users=12, items=20)
    answers = factorised(train, rows, Labels(), earlier)
    time = float(np.median([row.extra["timestamp"] for row in rows]))
    turned = factorised(train, turned_after(rows, time), Labels(), turned_after(earlier, time))
    until = np.array([row.extra["timestamp"] <= time for row in (*earlier, *rows)])
    assert (answers[until] == turned[until]).all()
    assert (answers[~until] != turned[~until]).any()


def test_candidates_of_one_question_tell_matrix_factorisation_nothing_of_each_other():
    """A dislike that was drawn has the time of the like that it was drawn for, and stands behind it in the file."""
    train, _, rows = timed(2, users=12, items=20)

    def question(row):
        drawn = [replace(row, item_id=f"i{place}", output="No", extra={**row.extra, "drawn": True}) for place in (1, 2)]
        return [replace(row, output="Yes", extra={**row.extra, "drawn": False}), *drawn]

    asked = [one for row in rows for one in question(row)]
    answers = factorised(train, asked, Labels())
    np.testing.assert_allclose(factorised(train, asked[::-1], Labels())[::-1], answers, rtol=1e-9)
    first = min(range(0, len(asked), 3), key=lambda place: asked[place].extra["timestamp"])
    others = [replace(one, output="No") if one is asked[first] else one for one in asked]
    others_know = factorised(train, others, Labels())
    np.testing.assert_array_equal(others_know[first : first + 3], answers[first : first + 3])
    assert (others_know != answers).any()  # rows that come later know


def test_a_user_of_whom_nothing_was_trained_on_is_known_after_a_few_rows():
    train, *_ = timed(3)
    kind = [replace(train[0], user_id="new", item_id="new", output="Yes") for _ in range(6)]
    rows = [replace(one, extra={**one.extra, "timestamp": 99.0 + place}) for place, one in enumerate(kind)]
    answers = factorised(train, rows, Labels())
    assert (np.diff(answers) > 0).all()
    assert answers[0] == pytest.approx(likes_of(train, Labels()).mean(), abs=1e-5)


def test_answers_are_the_same_each_time():
    train, rows = world(0, users=10)
    first, second = (baseline_systems(train, rows, Labels())[0] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert (one.p_yes == other.p_yes).all()


def without(records, *keys):
    return [replace(row, **dict.fromkeys(keys)) for row in records]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda train, rows: ([], rows), {"always Yes", "history fraction liked"}),
        (lambda train, rows: ([row for row in train if row.output == "Yes"], rows), {ALL[0], ALL[3]}),
        (lambda train, rows: (train, without(rows, "item_id")), {"always Yes", "user like-rate", ALL[3], ALL[8]}),
        (lambda train, rows: (without(train, "user_id"), rows), {ALL[0], ALL[1], ALL[3], ALL[6], ALL[7], ALL[8]}),
        (lambda train, rows: ([replace(row, extra={}) for row in train], rows), {*ALL[:6], ALL[8]}),
        (lambda train, rows: (train, [replace(row, extra={}) for row in rows]), {*ALL[:3], ALL[4], ALL[5], ALL[8]}),
        (
            lambda train, rows: (without(train, "user_id", "item_id"), [replace(row, extra={}) for row in rows]),
            {ALL[0], ALL[8]},
        ),
    ],
    ids=["no training", "one label", "no items", "no users", "no training histories", "no histories", "foreign"],
)
def test_what_records_lack_leaves_out_the_baselines_that_need_it_and_says_so(change, left):
    train, rows = change(*world(0, users=6, items=15))
    systems, left_out = baseline_systems(train, rows, Labels())
    assert {system.name for system in systems} == left
    assert [line.partition(" is left out: it needs ")[0] for line in left_out] == [n for n in ALL if n not in left]
    assert all(line.endswith(".") for line in left_out)


def test_features_that_are_unknown_everywhere_do_not_stop_the_fitted_baselines():
    """Records in other words, with the ids and counts that the features need but no ratings and years to read."""
    train, rows = ([replace(row, input="Heat, Ronin") for row in part] for part in world(0, users=10))
    systems, _ = baseline_systems(train, rows, Labels())
    assert [system.name for system in systems] == ALL
    assert all(np.isfinite(system.p_yes).all() for system in systems)


def test_baselines_know_the_same_where_the_candidate_is_shown_as_a_line(prepared):
    train, earlier, rows = prepared

    def reworded(records):
        return [replace(one, input=replace(read_question(one.input), as_line=True).text) for one in records]

    systems, left_out = systems_of(Given(train, rows, Labels(), earlier, MOVIES))
    others, also_left_out = systems_of(Given(reworded(train), reworded(rows), Labels(), reworded(earlier), MOVIES))
    assert left_out == also_left_out
    pairs = [(one, other) for one, other in zip(systems, others, strict=True) if one.name != "TF-IDF of the text"]
    assert len(pairs) == len(systems) - 1
    assert all(one.name == other.name and (one.p_yes == other.p_yes).all() for one, other in pairs)


def test_three_more_baselines_know_what_hints_tell_the_model():
    """A share that nothing else holds, here the truth itself, is used by those alone."""
    train, rows = world(3)

    def hinted(records, shares):
        return [replace(one, extra={**one.extra, "shares": share}) for one, share in zip(records, shares, strict=True)]

    def truth(records):
        return [{"of_all": 0.5, "others": float(record.output == "Yes")} for record in records]

    systems, _ = baseline_systems(hinted(train, truth(train)), hinted(rows, truth(rows)), Labels())
    plain, _ = baseline_systems(train, rows, Labels())
    assert [c.name for c in systems] == [
        *ALL,
        "logistic regression, hints",
        "boosted trees, hints",
        "the hint's words alone",
    ]
    for one, other in zip(systems, plain, strict=False):
        assert one.p_yes == pytest.approx(other.p_yes)
    assert all(area(rows, system.p_yes) == 1 for system in systems[-3:])
    assert [c.name for c in baseline_systems(hinted(train, truth(train)), rows, Labels())[0]] == ALL


def test_logistic_regression_does_not_care_for_the_scale_of_a_column():
    random = np.random.default_rng(0)
    columns = random.normal(size=(200, 3))
    liked = columns[:, 0] + random.normal(size=200) > 0
    plain = logistic_regression(liked, columns, columns)
    scaled = columns * [1000, 1, 0.01]
    assert logistic_regression(liked, scaled, scaled) == pytest.approx(plain)


SLIDING = SplitProtocol(window="sliding")


def fractions_from_csv(path):
    """Likes among the 15 ratings before each user's last 10%, counted without any of the package's code."""
    ratings = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            ratings[int(row["userId"])].append((int(row["timestamp"]), int(row["movieId"]), float(row["rating"])))
    for user in sorted(ratings):
        likes = [stars >= 4 for _, _, stars in sorted(ratings[user])]
        tested = max(1, (len(likes) - 15) // 10)
        for place in range(len(likes) - tested, len(likes)):
            yield sum(likes[place - 15 : place]) / 15, likes[place]


def test_the_history_fraction_on_movielens_is_that_of_the_ratings_themselves(shared_dir, latest_small, tmp_path):
    timelines = build_timelines(latest_small.ratings, SLIDING)
    write_records(tmp_path / "test.json", make_rows(timelines, latest_small, "test", SLIDING))
    test = read_records(tmp_path / "test.json", Labels())
    fractions, liked = zip(*fractions_from_csv(shared_dir / "ml-latest-small" / "ratings.csv"), strict=True)
    assert history_fraction(test) == pytest.approx(fractions)
    assert likes_of(test, Labels()).tolist() == list(liked)
    figures = probability_metrics(np.array(liked), history_fraction(test))
    assert len(test) == 8965
    assert figures["accuracy"] == pytest.approx(0.6918, abs=5e-5)
    assert figures["f1"] == pytest.approx(0.6666, abs=5e-5)
    assert figures["auc"] == pytest.approx(0.7680, abs=5e-5)


@pytest.mark.minutes
def test_the_baselines_reach_their_known_figures_on_movielens(latest_small, tmp_path):
    """LightGBM had 0.8049 with the future of others counted in; what is known of each user's taste makes up for it."""
    prepare(latest_small, tmp_path, SLIDING)
    train, held_out, test = (read_records(tmp_path / f"{split}.json", Labels()) for split in ("train", "eval", "test"))
    systems, _ = baseline_systems(train, test, Labels(), held_out)
    figures = {each.name: probability_metrics(likes_of(test, Labels()), each.p_yes) for each in systems}
    assert figures["always Yes"]["f1"] == pytest.approx(0.635, abs=1e-3)
    assert figures["history fraction liked"]["auc"] == pytest.approx(0.7680, abs=3e-3)
    assert figures["boosted trees"]["auc"] == pytest.approx(0.8011, abs=3e-3)
    assert figures["boosted trees"]["accuracy"] == pytest.approx(0.7246, abs=8e-3)
    assert figures["boosted trees"]["f1"] == pytest.approx(0.6846, abs=8e-3)
    assert figures["logistic regression"]["auc"] > 0.795
    assert figures["ridge of each user"]["auc"] > 0.795
    assert figures["boosted trees, all we can count"]["auc"] > 0.8049 + 0.01
    assert figures["matrix factorisation"]["auc"] > figures["item + user like-rate"]["auc"]


def test_eval_records_that_name_no_item_take_no_baseline_away_where_nothing_is_counted_by_time():
    train, rows = records_of([True, False, True]), records_of([True, False])
    nameless = [replace(one, item_id=None) for one in records_of([True, False], "b")]
    systems, left_out = baseline_systems(train, rows, Labels(), nameless)
    assert "matrix factorisation" in {one.name for one in systems}
    assert not any("item_id" in line for line in left_out)
