"""Likes are ranked among items that their user had not rated, by what was known then, and measured as elsewhere."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from likely.data.question import show_question
from likely.data.records import Labels, Record
from likely.data.wording import MOVIES, Words, show_rated
from likely.evaluation import ranking_metrics
from likely.evaluation.given import Given
from likely.evaluation.ranking_metrics import candidate_records, rank_items, requests_of, top_metrics

ITEMS, USERS = 40, 6


def record(user, item, time, like, history=()):
    shown = [show_rated(f"Film {one}", 4) for one in history]
    answer = "Yes" if like else "No"
    text = show_question(shown, f"Film {item}")
    return Record("?", text, answer, user_id=f"u{user}", item_id=f"i{item}", extra={"timestamp": time})


@pytest.fixture
def parts():
    """Each user's items in a random order: two of a warm-up, ten to train on, one eval row and four test rows."""
    random = np.random.default_rng(0)
    train, earlier, rows = [], [], []
    for user in range(USERS):
        items = random.permutation(ITEMS)[:17].tolist()
        mine = [
            record(user, item, 100 * place + user, item % 3 > 0 or place == 16, items[:place])
            for place, item in enumerate(items)
        ]
        train += mine[2:12]
        earlier += mine[12:13]
        rows += mine[13:]
    return train, earlier, rows


@pytest.mark.parametrize("seed", range(20))
def test_ndcg_is_scikit_learns_and_the_others_count_hits(seed):
    random = np.random.default_rng(seed)
    liked = random.random(30) < 0.2
    liked[3] = True
    scores = random.random(30)
    ndcg, hit, recall = top_metrics(liked, scores)
    assert ndcg == pytest.approx(ndcg_score([liked], [scores], k=10))
    found = liked[np.argsort(-scores)[:10]].sum()
    assert (hit, recall) == (found > 0, pytest.approx(found / liked.sum()))


def test_fewer_candidates_than_ten_are_all_on_top():
    assert top_metrics(np.array([False, True]), np.array([0.1, 0.9])) == (1, 1, 1)


def test_a_user_is_asked_about_its_likes_and_all_that_it_had_not_rated(parts):
    train, earlier, rows = parts
    for one in requests_of([*train, *earlier], rows, Labels(), 99):
        mine = [row for row in rows if row.user_id == one.first.user_id]
        assert one.first is mine[0]
        likes = {row.item_id for row in mine if row.output == "Yes"}
        assert {item for item, liked in zip(one.items, one.liked, strict=True) if liked} == likes
        rated = {f"i{line.split()[2]}" for line in one.first.input.split("\n") if line.startswith("- ")}
        assert len(rated) == 13  # the warm-up too, which is in no file
        known = {one.item_id for one in (*train, *earlier, *rows)}
        assert {*one.items} == known - rated
        assert len(set(one.items)) == len(one.items)


def test_items_that_are_shown_as_what_the_user_had_do_not_compete_whether_or_not_ratings_are_shown(parts):
    def changed(part):
        """The same records with films 30 to 39 shown as films 0 to 9, and without ratings."""
        texts = [re.sub(r"Film 3(\d)", r"Film \1", row.input).replace(" | rated 4", "") for row in part]
        return [replace(row, input=text) for row, text in zip(part, texts, strict=True)]

    train, earlier, rows = map(changed, parts)
    for one in requests_of([*train, *earlier], rows, Labels(), 99):
        shown = {int(line.removeprefix("- Film ")) for line in one.first.input.split("\n") if line.startswith("- ")}
        known = {int(row.item_id[1:]) for row in (*train, *earlier, *rows)}
        others = {int(item[1:]) for item, liked in zip(one.items, one.liked, strict=True) if not liked}
        likes = {int(item[1:]) for item in one.items} - others
        assert others == {item for item in known - likes if item % 30 not in shown}


@pytest.mark.parametrize("words", [Words("book", shows="nothing", verb="read"), Words("book", shows="label"), MOVIES])
def test_what_a_history_shows_in_any_words_is_no_candidate(words):
    def asked(user, item, history):
        shown = [show_rated(f"Book {one} | Poems", 1, words) for one in history]
        text = show_question(shown, f"Book {item} | Poems")
        return Record("?", text, "Yes", user_id=user, item_id=f"i{item}", extra={"timestamp": len(history)})

    before = [asked("b", 1, [5]), asked("b", 2, [5, 1]), asked("b", 3, [5, 1, 2]), asked("b", 4, [5, 1, 2, 3])]
    (request,) = requests_of(before, [asked("a", 3, [1, 2])], Labels(), 1, words=words)
    assert {*request.items} == {"i3", "i4"}
    twin = replace(before[0], item_id="i1, reprinted")
    for some in ([twin, *before], [*before, twin]):
        (request,) = requests_of(some, [asked("a", 3, [1, 2])], Labels(), 1, words=words)
        assert {*request.items} == {"i3", "i4"}


def test_who_is_asked_about_what_follows_the_seed(parts):
    train, earlier, rows = parts
    asked = [requests_of([*train, *earlier], rows, Labels(), 3, seed) for seed in (0, 0, 1)]
    assert [len(some) for some in asked] == [3, 3, 3]
    first, again, other = ([(one.first, one.items) for one in some] for some in asked)
    assert first == again != other


def test_a_system_that_knows_ranks_all_likes_on_top_and_baselines_do_not(parts):
    train, earlier, rows = parts
    likes = {(row.user_id, row.item_id) for row in rows if row.output == "Yes"}

    def knows(asked):
        return np.array([(one.user_id, one.item_id) in likes for one in asked], dtype=float)

    ranking, notes = rank_items(Given(train, rows, Labels(), earlier), 99, knows)
    assert notes == []
    results = {result.name: result.metrics for result in ranking.results}
    assert list(results) == ["popularity", "item like-rate", "matrix factorisation", "with the adapter"]
    assert results["with the adapter"]["ndcg"] == results["with the adapter"]["recall"] == (1, 1, 1)
    for name in ("popularity", "item like-rate", "matrix factorisation"):
        for estimate in results[name].values():
            assert estimate.low <= estimate.value <= estimate.high
        assert results[name]["ndcg"].value < 0.99


def test_nothing_that_is_said_from_the_first_row_on_changes_a_baseline(parts):
    train, earlier, rows = parts
    requests = requests_of([*train, *earlier], rows, Labels(), 1)
    moment = requests[0].first.extra["timestamp"]
    early = [row for row in rows if row.extra["timestamp"] < moment]
    from_then_on = [row for row in rows if row.extra["timestamp"] >= moment]
    assert early
    assert from_then_on
    later = [replace(row, extra={"timestamp": row.extra["timestamp"] + 10_000}) for row in from_then_on]
    flipped = [replace(row, output="No" if row.output == "Yes" else "Yes") for row in from_then_on]

    def counted(known):
        return ranking_metrics._counted([*train, *earlier, *known], requests, Labels())

    expected = counted(rows)
    for others in ([], later, flipped):
        found = counted([*early, *others])
        assert all((found[name] == expected[name]).all() for name in expected)
    first_flipped = [replace(row, output="No" if row.output == "Yes" else "Yes") for row in early]
    found = counted([*first_flipped, *from_then_on])
    assert any((found[name] != expected[name]).any() for name in expected)


def test_where_there_are_many_items_some_are_drawn_and_that_is_said(parts, monkeypatch):
    monkeypatch.setattr(ranking_metrics, "SAMPLED", 5)
    train, earlier, rows = parts
    ranking, _ = rank_items(Given(train, rows, Labels(), earlier), 99)
    assert (ranking.others, ranking.sampled, ranking.users) == (5, True, USERS)


def test_negatives_that_were_drawn_compete_and_are_no_sign_of_popularity(parts):
    def taken(part):
        return [replace(row, output="Yes") for row in part]

    def with_drawn(part):
        """Each like and, with its history, an item that its user never took."""
        mine = {user: {row.item_id for some in parts for row in some if row.user_id == user} for user in users}
        others = {user: sorted(items - mine[user]) for user in users}
        items_of = [others[row.user_id][place % 9] for place, row in enumerate(part)]
        drawn = [
            replace(
                row,
                output="No",
                item_id=item,
                input=f"{row.input.rpartition(' ')[0]} {item[1:]}",
                extra={**row.extra, "drawn": True},
            )
            for row, item in zip(part, items_of, strict=True)
        ]
        return [one for pair in zip(part, drawn, strict=True) for one in pair]

    train, earlier, rows = map(taken, parts)
    users, items = ({getattr(row, key) for part in parts for row in part} for key in ("user_id", "item_id"))
    more = [with_drawn(part) for part in (train, earlier, rows)]
    requests = requests_of([*train, *earlier], rows, Labels(), 99)
    of_more = requests_of([*more[0], *more[1]], more[2], Labels(), 99)
    assert [(one.first, one.items) for one in of_more] == [(one.first, one.items) for one in requests]
    popularity = [
        ranking_metrics._counted(some, requests, Labels(), drawn=True)["popularity"].tolist()
        for some in ([*train, *earlier, *rows], [row for part in more for row in part])
    ]
    assert popularity[0] == popularity[1]
    asked = requests[0]
    drawn = next(row for row in more[0] if row.is_drawn and row.user_id == asked.first.user_id)
    assert drawn.item_id in asked.items
    known = [replace(row, extra={**row.extra, "drawn": False}) if row is drawn else row for row in more[0]]
    (of_known,) = (
        one
        for one in requests_of([*known, *more[1]], more[2], Labels(), 99)
        if one.first.user_id == asked.first.user_id
    )
    assert {*of_known.items} == {*asked.items} - {drawn.item_id}  # what a user disliked does not compete
    ranking, _ = rank_items(Given(more[0], more[2], Labels(), more[1]), 99, drawn=True)
    assert ranking.others == max(len(one.items) - one.liked.sum() for one in requests)


def test_records_of_candidates_are_the_first_row_with_another_last_line(parts):
    train, earlier, rows = parts
    everything = [*train, *earlier, *rows]
    (request,) = requests_of([*train, *earlier], rows, Labels(), 1)
    for item, asked in zip(request.items, candidate_records(everything, [request]), strict=True):
        assert asked.input == request.first.input.rpartition(" ")[0] + f" {item[1:]}"
        assert asked.item_id == item


def test_records_that_say_more_of_a_candidate_than_its_name_are_not_asked(parts):
    train, earlier, rows = parts
    hinted = [replace(row, input=f"{row.input}\nOther users liked the candidate.") for row in rows]
    ranking, notes = rank_items(Given(train, hinted, Labels(), earlier), 99, lambda _: pytest.fail("it was asked"))
    assert "with the adapter" not in {result.name for result in ranking.results}
    assert "do not end in a candidate's name" in notes[0]
    ranking, notes = rank_items(
        Given(train, hinted, Labels(), earlier, MOVIES), 99, lambda _: pytest.fail("it was asked")
    )
    assert "do not end in a candidate's name" in notes[0]


def test_rows_without_ids_or_likes_are_not_ranked(parts):
    train, earlier, rows = parts
    nameless = [replace(row, item_id=None) for row in rows]
    dislikes = [replace(row, output="No") for row in rows]
    for some in (nameless, dislikes):
        ranking, (note,) = rank_items(Given(train, some, Labels(), earlier), 9)
        assert ranking is None
        assert note.startswith("Nothing is ranked among all items")
