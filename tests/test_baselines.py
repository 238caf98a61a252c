"""The simplest baselines count what they say, and the anchor figure of MovieLens comes out of them."""

import csv
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.baselines import always_yes, history_fraction, item_like_rate
from likely.errors import LikelyError
from likely.metrics import probability_metrics
from likely.records import Labels, Record, read_records


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


def test_always_yes_has_the_f1_of_knowing_nothing():
    liked = np.array([True] * 3 + [False] * 7)
    figures = probability_metrics(liked, always_yes([record("a", True)] * 10))
    assert figures["accuracy"] == pytest.approx(0.3)
    assert figures["f1"] == pytest.approx(2 * 0.3 / 1.3)
    assert figures["auc"] == 0.5


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


def test_the_history_fraction_on_movielens_is_that_of_the_ratings_themselves(shared_dir, tmp_path):
    from likely.movielens import read_movielens
    from likely.timelines import Protocol, prepare

    folder = shared_dir / "ml-latest-small"
    prepare(read_movielens(folder), tmp_path, Protocol(window="sliding"))
    test = read_records(tmp_path / "test.json", Labels())
    fractions, liked = zip(*fractions_from_csv(folder / "ratings.csv"), strict=True)
    assert history_fraction(test) == pytest.approx(fractions)
    assert [row.output == "Yes" for row in test] == list(liked)
    figures = probability_metrics(np.array(liked), history_fraction(test))
    assert len(test) == 8965
    assert figures["accuracy"] == pytest.approx(0.6918, abs=5e-5)
    assert figures["f1"] == pytest.approx(0.6666, abs=5e-5)
    assert figures["auc"] == pytest.approx(0.7680, abs=5e-5)
