"""What counting says of a history that is shown now is what an evaluation says of such a row at the end of time."""

from dataclasses import replace

import numpy as np
import pytest

from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, Record, read_records
from likely.data.wording import MOVIES
from likely.evaluation.counting import PARTS, RatedItem, fit_counting
from likely.evaluation.features import log_odds
from likely.evaluation.user_ridge import candidate_lines

LABELS = Labels()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Training, eval and test records of invented ratings, with hints."""
    from likely.data.movielens import read_movielens
    from likely.data.preparation import prepare
    from likely.sources.invented_ratings import make_sample

    folder = tmp_path_factory.mktemp("counting")
    data = read_movielens(make_sample(folder / "sample", users=16, movies=40, ratings_per_user=30))
    prepare(data, folder / "data", SplitProtocol(warmup=6, history_length=6, hints=True))
    return [read_records(folder / "data" / f"{split}.json", LABELS) for split in ("train", "eval", "test")]


def at(record, time):
    return replace(record, user_id="somebody new", extra={**record.extra, "timestamp": time})


def rated(records):
    """The history that these rows are."""
    liked = (record.output == "Yes" for record in records)
    names = candidate_lines(records)
    return [RatedItem(*known) for known in zip(names, liked, (r.item_id for r in records), strict=True)]


def test_a_real_history_shown_now_gets_what_an_evaluation_gives_at_the_end_of_time(prepared):
    train, tuned, test = prepared
    user = test[0].user_id
    mine = [record for record in (*train, *tuned) if record.user_id == user]
    others = [[record for record in part if record.user_id != user] for part in (train, tuned)]
    known = {record.item_id for record in others[0]} - {record.item_id for record in mine}
    asked = [record for record in test if record.item_id in known][:2]
    end = max(record.extra["timestamp"] for part in others for record in part) + 1
    history, answers = [at(record, end) for record in mine], []
    for record in asked:
        candidate = at(record, end + 1)
        counting, said = fit_counting(others[0], others[1], [*history, candidate], LABELS, MOVIES)
        answers.append((counting.known_now(rated(mine), [candidate])[0], said[-1]))
    assert len(asked) == 2
    assert len({answer[0][0] for answer in answers}) == 2
    for now, then in answers:
        np.testing.assert_allclose(now, then, rtol=1e-8)
    # Of several candidates at once, each gets what it gets alone.
    together = counting.known_now(rated(mine), [at(record, end + 1) for record in asked])
    np.testing.assert_allclose(together, [now for now, _ in answers], rtol=1e-6)


@pytest.fixture(scope="module")
def counting(prepared):
    train, tuned, test = prepared
    return fit_counting(train, tuned, test, LABELS, MOVIES)[0]


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
    again, _ = fit_counting(train, tuned, turned, LABELS, MOVIES)
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
    before, after = (fit_counting(train, *rows, LABELS, MOVIES)[1][:, 1:] for rows in parts)
    earlier = ~np.array(later)
    np.testing.assert_allclose(after[earlier], before[earlier], rtol=1e-9)
    assert not np.allclose(after[~earlier], before[~earlier])
