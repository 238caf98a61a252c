"""What counting says of a history that is shown now is what an evaluation says of such a row at the end of time."""

from dataclasses import replace

import numpy as np
import pytest

from likely.data.protocol import SplitProtocol
from likely.data.question import show_question
from likely.data.records import Labels, Record
from likely.data.task import RecordsTask, ratings_task
from likely.data.wording import MOVIES, show_rated
from likely.evaluation import counted_now, rating_habits
from likely.evaluation import given as module_given
from likely.evaluation.answer import why_no_answer
from likely.evaluation.baselines import systems_of
from likely.evaluation.counted_columns import COLUMNS, TASTE
from likely.evaluation.counting import PARTS, RatedItem, fit_counting
from likely.evaluation.features import log_odds
from likely.evaluation.given import Given, everything_counted
from likely.evaluation.user_ridge import candidate_lines

LABELS = Labels()


def fitted(train, earlier, rows):
    return fit_counting(Given(train, rows, LABELS, earlier, MOVIES), MOVIES)


def at(record, time, history=()):
    """The record of somebody new at a time, which shows a history as lines and stars."""
    text = show_question([show_rated(item.shown, item.stars) for item in history], candidate_lines([record])[0])
    shown = {"history_likes": sum(item.liked for item in history), "history_length": len(history)}
    extra = {**record.extra, **shown, "timestamp": time}
    return replace(record, input=text, user_id="somebody new", extra=extra)


def rated(records, known_stars):
    """The history that these rows are; of the latest ones, stars are known, which nobody but their user gave so."""
    history = []
    for place, record in enumerate(records):
        liked = record.output == "Yes"
        stars = (4.0, 4.5, 5.0)[place % 3] if liked else (1.0, 2.5, 3.5)[place % 3]
        known = stars if place >= len(records) - known_stars else None
        history.append(RatedItem(candidate_lines([record])[0], liked, record.item_id, known))
    return history


@pytest.mark.parametrize("known_stars", [0, 5, 100])
def test_a_real_history_shown_now_gets_what_an_evaluation_gives_at_the_end_of_time(prepared, known_stars):
    train, tuned, test = prepared
    user = test[0].user_id
    mine = [record for record in (*train, *tuned) if record.user_id == user]
    others = [[record for record in part if record.user_id != user] for part in (train, tuned)]
    known = {record.item_id for record in others[0]} - {record.item_id for record in mine}
    asked = [record for record in test if record.item_id in known][:2]
    end = max(record.extra["timestamp"] for part in others for record in part) + 1
    told, history, answers, seen = rated(mine, known_stars), [at(record, end) for record in mine], [], []
    candidates = [at(record, end + 1, [item for item in told if item.stars is not None]) for record in asked]
    for candidate in candidates:
        given = Given([*others[0]], [*history, candidate], LABELS, others[1], MOVIES)
        counting, said = fit_counting(given, MOVIES)
        seen.append((counting.seen_now(told, [candidate]).columns[0], everything_counted(given)[1][-1]))
        answers.append((counting.known_now(told, [candidate])[0], said[-1]))
    assert len(asked) == 2
    assert len({answer[0][0] for answer in answers}) == 2
    for now, then in [*seen, *answers]:
        np.testing.assert_allclose(now, then, rtol=1e-6, atol=1e-12)  # likeness is summed in float32
    # Of several candidates at once, each gets what it gets alone.
    together = counting.known_now(told, candidates)
    np.testing.assert_allclose(together, [now for now, _ in answers], rtol=1e-6)


def test_candidates_get_the_same_in_many_small_pieces(prepared, counting, monkeypatch):
    train, _, test = prepared
    told = rated(train[:12], 12)
    whole = counting.known_now(told, test[:9])
    monkeypatch.setattr(counted_now, "MOST_PAIRS", 30)
    np.testing.assert_allclose(counting.known_now(told, test[:9]), whole, rtol=1e-9)
    assert counting.known_now(told, []).shape == (0, len(PARTS))


def test_a_long_history_knows_the_latest(prepared, counting, monkeypatch):
    train, _, test = prepared
    told = rated(train[:40], 40)
    whole = counting.seen_now(told, test[:3]).columns
    monkeypatch.setattr(counted_now, "MOST_RATINGS", 10)
    latest, taste = counting.seen_now(told, test[:3]).columns, COLUMNS.index(TASTE) - len(COLUMNS)
    assert (latest[:, taste] != whole[:, taste]).all()
    habits = slice(taste - 5 - len(rating_habits.COLUMNS), taste - 5)
    np.testing.assert_array_equal(latest[:, habits], whole[:, habits])


def test_parts_are_the_baselines_and_are_fitted_once_for_both(prepared, monkeypatch):
    fitted_anew = []
    for name in ("fit_factors", "grow_trees"):
        fit = getattr(module_given, name)
        monkeypatch.setattr(module_given, name, lambda *of, fit=fit, **how: fitted_anew.append(fit) or fit(*of, **how))
    train, tuned, test = prepared
    given = Given(train, test, LABELS, tuned, MOVIES)
    baselines = {one.name: one.p_yes for one in systems_of(given)[0]}
    _, said = fit_counting(given, MOVIES)
    for part, name in (
        ("boosted trees", "boosted trees, all we can count"),
        ("Gaussian process of the user", "Gaussian process of each user"),
        ("ridge of the user", "ridge of each user"),
        ("matrix factorisation", "matrix factorisation"),
        ("item like-rate", "item like-rate"),
        ("user like-rate", "user like-rate"),
    ):
        np.testing.assert_allclose(said[len(tuned) :, PARTS.index(part)], log_odds(baselines[name]), rtol=1e-9)
    assert len(fitted_anew) == 2


@pytest.fixture(scope="module")
def counting(prepared):
    train, tuned, test = prepared
    return fitted(train, tuned, test)[0]


def new_record(shown="Never Heard Of It (1999) | Drama", **shares):
    extra = {"history_likes": 0, "history_length": 0, "shares": shares}
    return Record("", f"Candidate: {shown}", "Yes", extra=extra)


def test_of_an_item_that_is_unknown_the_parts_say_what_they_know_of_all(prepared, counting):
    likes, ratings = counting.facts.counts
    said = dict(zip(PARTS, counting.known_now([], [new_record()])[0], strict=True))
    overall = log_odds(np.array((likes + 1) / (ratings + 2)))
    assert said["item like-rate"] == said["user like-rate"] == pytest.approx(overall)
    assert said["ridge of the user"] == pytest.approx(overall)
    assert said["matrix factorisation"] == pytest.approx(counting.facts.overall)
    assert np.isfinite(said["boosted trees"])


def test_what_an_unknown_user_likes_moves_all_that_is_known_of_the_user(prepared, counting):
    names = candidate_lines(prepared[0])[:12]
    lovers, haters = ([RatedItem(name, liked) for name in names] for liked in (True, False))
    record = new_record()
    loved, hated = (dict(zip(PARTS, counting.known_now(one, [record])[0], strict=True)) for one in (lovers, haters))
    for part in ("ridge of the user", "matrix factorisation", "user like-rate"):
        assert loved[part] > hated[part] + 0.1


def test_what_is_kept_counts_nothing_of_the_rows_that_are_answered(prepared, counting):
    train, tuned, test = prepared
    turned = [replace(record, output="No" if record.output == "Yes" else "Yes") for record in test]
    again, _ = fitted(train, tuned, turned)
    assert again.facts.table.equals(counting.facts.table)
    assert counting.facts.counts[1] == len(train) + len(tuned)
    last = max(record.extra["timestamp"] for record in (*train, *tuned))
    assert any(record.extra["timestamp"] > last for record in test)


def test_no_row_is_told_of_its_own_time_or_later(prepared):
    train, tuned, test = prepared
    middle = np.median([record.extra["timestamp"] for record in (*tuned, *test)])
    later = [record.extra["timestamp"] >= middle for record in (*tuned, *test)]
    turned = [
        replace(record, output="No" if record.output == "Yes" else "Yes") if after else record
        for record, after in zip((*tuned, *test), later, strict=True)
    ]
    parts = [([*tuned, *test][: len(tuned)], test), (turned[: len(tuned)], turned[len(tuned) :])]
    # What trees are fitted to is of any time.
    before, after = (fitted(train, *rows)[1][:, 1:] for rows in parts)
    earlier = ~np.array(later)
    np.testing.assert_allclose(after[earlier], before[earlier], rtol=1e-9)
    assert not np.allclose(after[~earlier], before[~earlier])


def test_counting_is_kept_only_if_every_eval_record_says_what_it_takes(prepared):
    train, tuned, test = prepared
    task = ratings_task(SplitProtocol())
    assert why_no_answer(Given(train, test, LABELS, tuned), task) is None
    assert "how the records speak" in why_no_answer(Given(train, test, LABELS, tuned), RecordsTask())
    drawn = ratings_task(SplitProtocol(negatives=2))
    assert "dislikes were drawn" in why_no_answer(Given(train, test, LABELS, tuned), drawn)

    def without(**missing):
        kept = {key: value for key, value in tuned[0].extra.items() if key != missing.get("key")}
        fields = {name: None for name in missing if name != "key"}
        return why_no_answer(Given(train, test, LABELS, [replace(tuned[0], extra=kept, **fields), *tuned[1:]]), task)

    assert "timestamp" in without(key="timestamp")
    assert "history_likes" in without(key="history_likes")
    assert "item_id" in without(item_id=True)
    assert "user_id" in without(user_id=True)
