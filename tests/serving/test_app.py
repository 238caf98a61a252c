"""The server answers what the run answers, whoever else asks, and says in a sentence what is wrong with a request."""

import asyncio
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urljoin

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from likely.data.catalogue_file import CATALOGUE_FILE
from likely.data.records import Labels, Record, read_records
from likely.inference import loaded_run
from likely.inference.movies import candidates_of, history_of
from likely.model import masks
from likely.model.kept_history import Histories
from likely.model.kept_history import history_of as history_of_records
from likely.model.masks import Reach
from likely.serving.app import CLIENT_LEFT, make_app
from likely.serving.bodies import RankBody
from likely.serving.line import Ask, Portion
from likely.serving.served import Served
from likely.serving.service import Service


def catalogue_rows(served, count, start=0):
    return list(served.catalogue.rows[start : start + count])


def some_history(served, count, start=20):
    rows = catalogue_rows(served, count, start)
    return [{**row, "rating": 0.5 + place % 10 / 2} for place, row in enumerate(rows)]


def expected_ranking(served, history, candidates):
    return [
        (one.candidate.title, one.p_yes)
        for one in served.ranker.rank(history_of(history, "history"), candidates_of(candidates, "candidates"))
    ]


def check_ranking(answer, expected):
    """Titles in order, and P(Yes) to 1e-5."""
    assert [row["title"] for row in answer["ranked"]] == [title for title, _ in expected]
    assert [row["p_yes"] for row in answer["ranked"]] == pytest.approx([p_yes for _, p_yes in expected], abs=1e-5)
    assert [row["rank"] for row in answer["ranked"]] == list(range(1, len(expected) + 1))


def test_a_ranking_is_the_one_of_ranker_rank(served, client):
    history, candidates = some_history(served, 5), catalogue_rows(served, 15)
    answer = client.post("/v1/rank", json={"history": history, "candidates": candidates, "top": None}).json()
    expected = expected_ranking(served, history, candidates)
    assert max(p for _, p in expected) - min(p for _, p in expected) > 1e-3
    check_ranking(answer, expected)
    assert answer["candidates"] == 15
    assert {row["id"] for row in answer["ranked"]} == {row["id"] for row in candidates}
    with served.run.model.disable_adapter():
        of_base = dict(expected_ranking(served, history, candidates))
    for row in answer["ranked"]:
        assert row["base_p_yes"] == pytest.approx(of_base[row["title"]], abs=1e-5)


def test_a_model_that_is_exact_in_padded_rows_only_answers_from_those_and_says_so_once(
    served, served_folder, client, monkeypatch, caplog
):
    """Trees hide here what is more than eight tokens away, as of a model whose windows nobody knows of."""
    asked = {"history": some_history(served, 5), "candidates": catalogue_rows(served, 6), "top": None, "base": False}
    expected = client.post("/v1/rank", json=asked).json()["ranked"]
    monkeypatch.setattr(masks, "reaches", lambda config: {"full_attention": Reach(window=8)})
    with TestClient(make_app(Served.load(served_folder, served.limits))) as other:
        for _ in range(2):
            check_ranking(other.post("/v1/rank", json=asked).json(), [(row["title"], row["p_yes"]) for row in expected])
    assert [note for note in caplog.messages if "so each record is scored in a row of its own" in note] == [
        note for note in caplog.messages if "is not exact with batching: tree" in note
    ]
    assert sum("is not exact" in note for note in caplog.messages) == 1


def test_a_ranking_of_several_turns_computes_its_history_once(served, client):
    """Of the adapter and, whose keys and values are others, of the base model; a small request comes in between."""
    history, candidates = some_history(served, 6, start=50), catalogue_rows(served, 40)
    asked = {"history": history, "candidates": candidates, "top": None, "base": True}
    expected = client.post("/v1/rank", json=asked).json()["ranked"]
    records = served.ranker.records_of(history_of(history, "history"), candidates_of(candidates, "candidates"))
    encoded = served.ranker.builder.encode_all(records)
    plan = served.run.plan
    budget = replace(plan.budget, tokens=max(len(record.input_ids) for record in encoded) + 100)
    narrow = replace(served, run=replace(served.run, plan=replace(plan, budget=budget)), histories=Histories())
    narrow.run.exact_plan(encoded)
    computed = []
    embedding = served.run.model.get_input_embeddings()
    hook = embedding.register_forward_hook(lambda module, inputs, output: computed.append(inputs[0].numel()))
    with TestClient(make_app(narrow)) as other:
        answer = other.post("/v1/rank", json=asked).json()
    hook.remove()
    shared = len(history_of_records(encoded))
    assert [width for width in computed if width >= shared] == [shared, shared]
    assert len(computed) > 8
    assert answer["cost"]["tokens"] == sum(computed)
    check_ranking(answer, [(row["title"], row["p_yes"]) for row in expected])
    for row, one in zip(answer["ranked"], expected, strict=True):
        assert row["base_p_yes"] == pytest.approx(one["base_p_yes"], abs=1e-5)


def test_a_request_of_several_turns_whose_records_share_nothing_is_answered(served, client):
    """With the items first, there is no history that could be computed once."""
    items = [[10 + number, *range(50 + number, 90)] for number in range(30)]
    asked = {"query": [5, 6], "items": items, "item_first": True, "label_token_ids": [11, 12]}
    plan = served.run.plan
    narrow = replace(plan, budget=replace(plan.budget, tokens=200))
    with TestClient(make_app(replace(served, run=replace(served.run, plan=narrow), histories=Histories()))) as other:
        scores = other.post("/v1/score", json=asked).json()["scores"]
    alone = [client.post("/v1/score", json={**asked, "items": [item]}).json()["scores"][0] for item in items]
    np.testing.assert_allclose(scores, alone, atol=1e-6)


def test_requests_that_wait_together_get_the_answers_that_they_get_alone(served, client):
    """Rankings of several lengths, a prediction and a score at once; more than fit into a turn."""
    asked = [(some_history(served, 3 + n % 4, start=10 + n), catalogue_rows(served, 5 + 9 * n)) for n in range(5)]
    bodies = [{"history": history, "candidates": rows, "top": None, "base": n % 2 == 0} for n, (history, rows) in
              enumerate(asked)]  # fmt: skip
    record = {"instruction": "Liked?", "input": "- Heat | rated 5\nCandidate: Ronin"}
    score = {"query": [5, 6, 7], "items": [[8], [9, 10]], "label_token_ids": [11, 12], "apply_softmax": True}
    paths = [("/v1/rank", body) for body in bodies] + [("/v1/predict", {"records": [record]}), ("/v1/score", score)]
    alone = [client.post(path, json=body).json() for path, body in paths]
    with ThreadPoolExecutor(len(paths)) as clients:
        together = list(clients.map(lambda asking: client.post(asking[0], json=asking[1]).json(), paths))
    for n, (history, candidates) in enumerate(asked):
        check_ranking(together[n], expected_ranking(served, history, candidates))
        assert (together[n]["ranked"][0]["base_p_yes"] is None) == (n % 2 == 1)
    assert max(answer["cost"]["together"] for answer in together[:-1]) > 1
    assert together[5]["p_yes"] == pytest.approx(alone[5]["p_yes"], abs=1e-5)
    np.testing.assert_allclose(together[6]["scores"], alone[6]["scores"], atol=1e-5)


def test_tokens_are_counted(served, client):
    history, candidates = some_history(served, 6), catalogue_rows(served, 10)
    body = {"history": history, "candidates": candidates, "base": False}
    cost = client.post("/v1/rank", json=body).json()["cost"]
    records = served.ranker.records_of(history_of(history, ""), candidates_of(candidates, ""))
    encoded = served.ranker.builder.encode_all(records)
    tree = {tuple(record.input_ids[:length]) for record in encoded for length in range(1, len(record.input_ids) + 1)}
    assert cost["tokens_alone"] == sum(len(record.input_ids) for record in encoded)
    assert cost["tokens"] == len(tree)  # all of them fit into one row
    assert cost["tokens_saved"] == cost["tokens_alone"] - cost["tokens"]
    assert cost["milliseconds"] > 0
    page = client.get("/metrics").text
    assert f"likely_tokens_computed_total {float(cost['tokens'])}" in page
    assert f"likely_tokens_saved_total {float(cost['tokens_saved'])}" in page
    assert 'likely_requests_total{path="/v1/rank",status="200"} 1.0' in page
    assert 'likely_request_seconds_bucket{le="120.0",path="/v1/rank"} 1.0' in page
    assert "likely_requests_under_way 0.0" in page


def test_the_catalogue_is_ranked_without_what_was_rated(served, client):
    rated = some_history(served, 4, start=0)
    body = {"history": rated, "candidates": "catalogue", "most_rated": 12, "top": 5}
    answer = client.post("/v1/rank", json=body).json()
    expected = expected_ranking(served, rated, catalogue_rows(served, 12, start=4))
    check_ranking(answer, expected[:5])
    assert answer["candidates"] == 12


@pytest.mark.parametrize("told", [("title", "year"), ("title",), ("title", "id")])
def test_the_catalogue_leaves_out_what_was_rated_however_little_is_said_of_it(served, client, told):
    full = some_history(served, 4, start=0)
    rated = [{key: movie[key] for key in (*told, "rating")} for movie in full]
    body = {"history": rated, "candidates": "catalogue", "most_rated": 12, "top": None}
    ranked = client.post("/v1/rank", json=body).json()["ranked"]
    rows = catalogue_rows(served, 12, start=4)
    assert {movie["title"] for movie in ranked} == {row["title"] for row in rows}
    rated[0] |= {"year": 1777, "id": "of another data set"}
    anew = client.post("/v1/rank", json={**body, "history": rated}).json()["ranked"]
    assert full[0]["title"] in {movie["title"] for movie in anew}


def test_a_prediction_is_the_runs_own_answer(served, client):
    path = served.held_out.path
    records = read_records(path, Labels())[:7]
    rows = json.loads(path.read_text())[:7]
    answer = client.post("/v1/predict", json={"records": rows, "base": True}).json()
    assert answer["p_yes"] == pytest.approx(served.run.answers(records).p_yes.tolist(), abs=1e-5)
    of_base = served.run.answers(records, adapter=False).p_yes.tolist()
    assert answer["base_p_yes"] == pytest.approx(of_base, abs=1e-5)


def test_turns_and_systems_of_a_record_are_read(served, client):
    row = {"instruction": "Liked?", "input": "Ronin", "system": "Be brief.", "history": [["Hello", "Hi"]]}
    record = Record("Liked?", "Ronin", "Yes", "Be brief.", (("Hello", "Hi"),))
    answer = client.post("/v1/predict", json={"records": [row]}).json()
    assert answer["p_yes"] == pytest.approx(served.run.answers([record]).p_yes.tolist(), abs=1e-5)
    assert answer["base_p_yes"] is None


def test_a_record_over_http_is_read_as_loaded_run_predict_reads_it(served, client):
    rows = [
        {"instruction": "Liked?", "input": None, "system": None, "history": None, "output": "who knows"},
        {"instruction": "Liked?", "input": "Ronin", "user_id": 7, "history": []},
    ]
    answer = client.post("/v1/predict", json={"records": rows}).json()
    assert answer["p_yes"] == pytest.approx(served.run.predict(rows).tolist(), abs=1e-5)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("item_first", [False, True])
def test_scores_are_what_sglang_defines(served, client, softmax, item_first):
    """Probabilities of the labels after each text, tokenised as a whole, from one plain forward pass each."""
    run, query, items = served.run, "A user rated movies. Candidate: ", ["River (1990)", "Garden | Drama", "x"]
    labels = [*run.builder.first_tokens, 7]
    body = {"query": query, "items": items, "label_token_ids": labels, "apply_softmax": softmax}
    answer = client.post("/v1/score", json={**body, "item_first": item_first, "model": "mine"}).json()
    tokens = 0
    for item, scores in zip(items, answer["scores"], strict=True):
        ids = run.builder.tokenizer(item + query if item_first else query + item, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = run.model(input_ids=ids).logits[0, -1]
        expected = logits[labels].softmax(-1) if softmax else logits.softmax(-1)[labels]
        assert scores == pytest.approx(expected.tolist(), abs=1e-6)
        tokens += ids.shape[1]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
    usage |= {"prompt_tokens_details": None, "reasoning_tokens": 0}
    assert answer == {"scores": answer["scores"], "model": "mine", "usage": usage, "object": "scoring"}


def test_a_history_that_candidates_would_fill_the_memory_with_is_refused(client, monkeypatch):
    monkeypatch.setattr("likely.serving.service.MOST_CHARACTERS", 1_000_000)
    body = {"history": [{"title": "x" * 11_000, "rating": 4}], "candidates": [{"title": "y"}] * 100}
    answer = client.post("/v1/rank", json=body)
    assert answer.status_code == 413
    assert "the server takes 1,000,000 in all; send fewer candidates" in answer.json()["detail"]


def test_requests_that_want_too_many_probabilities_for_one_turn_get_the_same(served, monkeypatch):
    history = history_of(HISTORY, "", served.ranker.task.words)
    records = served.run.encode(served.ranker.records_of(history, served.catalogue.movies[:6]))

    def computed():
        asks = [
            Ask(records[:4], (1, 5), True, None),
            Ask(records, (2, 3, 9), True, None),
            Ask(records[2:], (7,), True, None),
        ]
        served.compute([Portion(ask, [*range(len(ask.encoded))]) for ask in asks])
        return [ask.log_probs for ask in asks]

    together = computed()
    monkeypatch.setattr("likely.serving.served.MOST_PROBABILITIES", 1)
    for one, other in zip(together, computed(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_single_text_no_items_and_a_temperature(served, client):
    labels = list(served.run.builder.first_tokens)
    body = {"query": "A user", "items": " rated", "label_token_ids": labels, "apply_softmax": True}
    warm, warmer = (client.post("/v1/score", json={**body, "temperature": t}).json()["scores"][0] for t in (1, 2))
    cold = client.post("/v1/score", json={**body, "temperature": 1e-320}).json()["scores"][0]
    assert sorted(cold) == [0, 1]
    assert np.log(warmer[0] / warmer[1]) == pytest.approx(np.log(warm[0] / warm[1]) / 2, rel=1e-4)
    assert client.post("/v1/score", json={**body, "items": []}).json()["scores"] == []


def nested(levels):
    """A list in a list in a list."""
    value = []
    for _ in range(levels):
        value = [value]
    return value


HISTORY = [{"title": "Heat", "rating": 4.5}]
RANK = {"history": HISTORY, "candidates": [{"title": "Ronin"}]}
SCORE = {"query": [1], "items": [[2]], "label_token_ids": [3]}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/rank", b"{", "The body is not JSON"),
        ("/v1/rank", b"", "The body"),
        ("/v1/rank", b"\xff\xfe", "The body"),
        ("/v1/rank", b"[" * 100_000, "body"),
        ("/v1/rank", b"9" * 5000, "body"),
        ("/v1/rank", [], "The body"),
        ("/v1/rank", {"history": HISTORY}, "candidates: field required"),
        ("/v1/rank", {**RANK, "limit": 3}, "limit: "),
        ("/v1/rank", {**RANK, "top": 0}, "top: "),
        ("/v1/rank", {**RANK, "history": []}, "history holds an empty list"),
        ("/v1/rank", {**RANK, "candidates": []}, "There are no candidates"),
        ("/v1/rank", {**RANK, "history": [{"title": "Heat"}]}, "history, row 1: the key 'rating' is missing"),
        ("/v1/rank", {**RANK, "history": [{"title": "Heat", "rating": 6}]}, "outside 0.5 to 5"),
        ("/v1/rank", b'{"history": [{"title": "Heat", "rating": NaN}], "candidates": [{"title": "x"}]}', "rating is"),
        ("/v1/rank", {**RANK, "candidates": [{"title": "  "}]}, "candidates, row 1: title is"),
        ("/v1/rank", {**RANK, "candidates": [{"title": "word " * 3000}]}, "cutoff_len"),
        ("/v1/rank", {**RANK, "candidates": "everything"}, "candidates"),
        ("/v1/score", {**SCORE, "query": [1] * 9000, "items": [[2], [3, 4]]}, "the query with item 2 has 9,002 tokens"),
        ("/v1/score", {**SCORE, "query": "word " * 9000, "items": ["a", "b c"]}, "the query with item 2 has"),
        ("/v1/rank", b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        ("/v1/rank", b'{"history": ' + b"9" * 5000 + b"}", "holds a number that is too long"),
        ("/v1/rank", b'{"history": "\xff\xfe"}', "not UTF-8"),
        ("/v1/rank", {**RANK, "candidates": [{"title": "Ronin", "x": nested(300)}]}, "nested in more than 100 levels"),
        ("/v1/rank", {**RANK, "history": [{**HISTORY[0], "x": nested(600)}]}, "nested in more than 100 levels"),
        ("/v1/predict", {"records": []}, "There are no records"),
        ("/v1/predict", {"records": [{"instruction": "?", "inputs": "x"}]}, "'inputs' would not be read"),
        ("/v1/predict", {"records": [{"input": "x"}]}, "records.0.instruction: field required"),
        ("/v1/score", {**SCORE, "items": ["text"]}, "different kinds"),
        ("/v1/score", {**SCORE, "label_token_ids": []}, "label_token_ids"),
        ("/v1/score", {**SCORE, "label_token_ids": [10**9]}, "label_token_ids: 1000000000 is no token"),
        ("/v1/score", {**SCORE, "items": [[-1]]}, "item 1: -1 is no token"),
        ("/v1/score", {**SCORE, "query": [], "items": [[]]}, "item 1 has 0 tokens"),
        ("/v1/score", {**SCORE, "items": [[2] * 800]}, "cutoff_len"),
        ("/v1/score", {**SCORE, "return_pooled_hidden_states": True}, "return_pooled_hidden_states"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(client, path, body, words):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    said = answer.json()["detail"]
    assert words in said
    assert "\n" not in said
    assert client.post("/v1/rank", json=RANK).status_code == 200  # nothing is left behind


def test_a_history_that_grows_does_not_wait_for_a_check_at_every_title(served, monkeypatch):
    checked = []
    monkeypatch.setattr(loaded_run, "check_exactness", lambda *_: checked.append(1))

    fresh = replace(served, run=replace(served.run, _checked={}))

    def rank(*titles):
        history = [{"title": title, "rating": 4} for title in titles]
        assert client.post("/v1/rank", json={**RANK, "history": history}).status_code == 200
        return len(checked)

    with TestClient(make_app(fresh)) as client:
        assert [rank("Heat"), rank("Heat", "Ronin"), rank("Heat", "Ronin", "Babe")] == [1, 1, 1]
        fresh.run._checked.update(dict.fromkeys(fresh.run._checked, 10))  # as if no prompt had had more tokens
        assert rank("Heat") == 2


def test_titles_may_hold_anything(client):
    titles = ["<script>alert(1)</script>", "a\x00b\x1b[31m", "\u202eevil", "half \\ud83d pair", "🎬" * 20, "<|im_end|>"]
    rows = [{"title": title, "note": float("inf")} for title in titles]
    body = json.dumps({"history": [{**rows[0], "rating": 3}], "candidates": rows}).replace("\\\\ud83d", "\\ud83d")
    answer = client.post("/v1/rank", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert {row["title"] for row in answer.json()["ranked"]} == {*titles[:3], "half \ufffd pair", *titles[4:]}
    assert {row["note"] for row in answer.json()["ranked"]} == {None}


def test_too_much_is_refused_before_anything_is_computed(client):
    many = client.post("/v1/rank", json={**RANK, "candidates": [{"title": "x"}] * 101})
    assert many.status_code == 413
    assert "101 candidates are more than 100" in many.json()["detail"]
    long = client.post("/v1/rank", json={**RANK, "candidates": [{"title": "x" * 200_000}]})
    assert long.status_code == 413
    assert "100,000 bytes" in long.json()["detail"]
    in_pieces = client.post("/v1/rank", content=(b" " * 50_000 for _ in range(3)))
    assert in_pieces.status_code == 413


def held_up(served, monkeypatch):
    """Let every turn wait for the second event, and set the first once one does."""
    waits, go_on = threading.Event(), threading.Event()
    compute = served.compute

    def slow(self, turn):
        waits.set()
        assert go_on.wait(30)
        compute(turn)

    monkeypatch.setattr(type(served), "compute", slow)
    return waits, go_on


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def test_who_finds_no_place_is_sent_away_and_may_come_again(served, monkeypatch):
    _, go_on = held_up(served, monkeypatch)
    with TestClient(make_app(served)) as client, ThreadPoolExecutor(8) as clients:
        waiting = [clients.submit(client.post, "/v1/rank", json=RANK) for _ in range(8)]
        wait_for(lambda: client.app.state.service.line.taken == 8)
        full = client.post("/v1/rank", json=RANK)
        assert (full.status_code, full.headers["retry-after"]) == (503, "1")
        assert "All 8 places are taken" in full.json()["detail"]
        assert client.get("/health").json() == {"status": "ok"}
        assert "likely_requests_under_way 8.0" in client.get("/metrics").text
        go_on.set()
        assert {one.result().status_code for one in waiting} == {200}
        assert client.post("/v1/rank", json=RANK).status_code == 200


def asgi_request(app, body, messages):
    """Ask an app as a server would; returns the status of its answer."""
    statuses = []
    incoming = iter([{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}, *messages])

    async def receive():
        message = next(incoming, None)
        if message is None:
            await asyncio.Event().wait()
        if isinstance(message, dict):
            return message
        return await message()

    async def send(message):
        statuses.append(message.get("status"))

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/rank", "headers": headers, "query_string": b""}
    return app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1"}, receive, send), statuses


def test_a_client_that_goes_away_frees_its_place_and_is_not_computed_for(served, monkeypatch):
    waits, go_on = held_up(served, monkeypatch)
    asked = []

    async def scene():
        app = make_app(served)
        async with app.router.lifespan_context(app):
            line = app.state.service.line
            leave = asyncio.Event()

            async def disconnect():
                await leave.wait()
                return {"type": "http.disconnect"}

            (first, _), (second, statuses) = (asgi_request(app, RANK, messages) for messages in ([], [disconnect]))
            staying = asyncio.create_task(first)
            await until(waits.is_set)  # only then is the second sure to miss its turn
            leaving = asyncio.create_task(second)
            await until(lambda: line._waiting)
            leave.set()
            await leaving
            await asyncio.sleep(0)
            asked.append((line.taken, statuses[0]))
            go_on.set()
            await staying
            asked.append(line.taken)

    asyncio.run(scene())
    assert asked == [(1, CLIENT_LEFT), 0]


def test_a_turn_that_fails_fails_for_those_who_shared_it_alone(served, monkeypatch):
    compute = served.compute

    def failing(self, turn):
        monkeypatch.setattr(type(served), "compute", lambda self, turn: compute(turn))
        raise RuntimeError("out of memory")

    with TestClient(make_app(served), raise_server_exceptions=False) as client:
        client.app.state.service.line._compute = lambda turn: failing(served, turn)
        assert client.post("/v1/rank", json=RANK).status_code == 500
        client.app.state.service.line._compute = compute
        assert client.post("/v1/rank", json=RANK).status_code == 200
        assert client.app.state.service.line.taken == 0


def test_the_key_opens_and_nothing_else_does(served):
    with TestClient(make_app(served, "sesame")) as client:
        for key in (None, "Bearer sesam", "Bearer sesame ", "sesame", "Bearer sésame"):
            headers = {} if key is None else {"Authorization": key.encode("utf-8")}
            refused = client.post("/v1/rank", json=RANK, headers=headers)
            assert refused.status_code == 401
            assert "Authorization: Bearer KEY" in refused.json()["detail"]
        assert client.get("/metrics").status_code == client.get("/v1/run").status_code == 401
        assert client.get("/health").status_code == client.get("/").status_code == 200
        assert client.post("/v1/rank", json=RANK, headers={"Authorization": "Bearer sesame"}).status_code == 200


def test_a_run_without_catalogue_or_question_says_so(served):
    poor = replace(served, catalogue=None, ranker=None, no_ranker="It has records of its own.", held_out=None)
    with TestClient(make_app(poor)) as client:
        refused = client.post("/v1/rank", json=RANK)
        assert (refused.status_code, refused.json()["detail"]) == (422, poor.no_ranker)
        record = {"instruction": "Liked?", "input": "Ronin"}
        assert client.post("/v1/predict", json={"records": [record]}).status_code == 200
        assert client.get("/v1/run").json()["can_rank"] is False
    with TestClient(make_app(replace(served, catalogue=None))) as client:
        refused = client.post("/v1/rank", json={"history": HISTORY, "candidates": "catalogue"})
        assert refused.status_code == 422
        assert "has no catalogue" in refused.json()["detail"]
        assert client.get("/v1/catalogue").status_code == 422


def test_the_page_is_served_and_fetches_nothing_from_elsewhere(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    todo, seen = ["/", "/docs"], set()
    while todo:
        path = todo.pop()
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert not re.search(r"(?:src|href|url\(|from |import )\s*=?\s*['\"(]?(?:https?:)?//", answer.text), path
        assert not re.search(r"<script>|<style>|\son\w+=|\sstyle=", answer.text), path
        links = re.findall(r"(?:src|href)=\"([^\"#]+)\"|from \"([^\"]+)\"", answer.text)
        found = {urljoin(path, first or second) for first, second in links}
        todo += found - seen - {*todo, "/openapi.json", "/metrics"}
    assert {"/static/page.js", "/static/api.js", "/static/style.css", "/static/icon.svg", "/static/docs.js"} <= seen
    assert client.get("/openapi.json").status_code == 200


def test_the_page_is_told_what_it_needs(served, client):
    told = client.get("/v1/run").json()
    assert (told["noun"], told["catalogue"], told["can_rank"], told["held_out"]) == ("movie", 60, True, True)
    assert (told["plural"], told["details"], told["scale"]) == ("movies", "genres", [0.5, 5])
    assert told["label_token_ids"] == list(served.run.builder.first_tokens)
    title = served.catalogue.rows[3]["title"]
    word = title.split()[-1]
    found = client.get("/v1/catalogue", params={"text": word.upper(), "limit": 100}).json()["found"]
    assert served.catalogue.rows[3] in found
    assert all(word.lower() in row["title"].lower() for row in found)
    assert client.get("/v1/catalogue").json()["found"] == catalogue_rows(served, 10)


@pytest.mark.parametrize("place", [0, 0.3, 0.999])
def test_a_real_user_is_one_of_the_test_rows(served, client, place):
    user = client.get("/v1/held-out", params={"place": place}).json()
    rows = [row for row in json.loads(served.held_out.path.read_text()) if str(row["user_id"]) == user["user"]]
    assert user["liked"] == [row["output"] == "Yes" for row in rows]
    assert [row["id"] for row in user["candidates"]] == [row["item_id"] for row in rows]
    history = history_of(user["history"], "history")
    lines = [f"- {rated.movie.shown} | rated {rated.rating:g}" for rated in history]
    assert rows[0]["input"].startswith("\n".join(["History, oldest first:", *lines, "Candidate: "]))


def test_a_service_belongs_to_no_request(served):
    """Two servers of one run have lines of their own."""

    async def ask_twice():
        answers = []
        for _ in range(2):
            service = Service(served)
            working = asyncio.create_task(service.line.work())
            answers.append(await service.rank(RankBody(**RANK)))
            working.cancel()
            service.close()
        return answers

    first, second = asyncio.run(ask_twice())
    assert first.ranked == second.ranked


def test_training_keeps_the_catalogue_of_its_records(served_folder):
    assert (served_folder / CATALOGUE_FILE).read_bytes() == (
        served_folder.parent / "data" / CATALOGUE_FILE
    ).read_bytes()
