"""A served run that keeps an answer ranks by it, with adapter, counting and base model beside it."""

from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient

from likely.evaluation.answering import answers
from likely.inference.movies import candidates_of, history_of
from likely.serving.app import make_app


def body(served, **extra):
    rows = [dict(row) for row in served.catalogue.rows]
    history = [{**row, "rating": 0.5 + place % 10 / 2} for place, row in enumerate(rows[:6])]
    unknown = {"title": "Nobody Knows It", "id": 7, "year": 2030}
    return {"history": history, "candidates": [*rows[20:32], unknown], "top": None, **extra}


def test_candidates_come_in_the_order_of_the_answer_and_what_the_adapter_says_stays(answering):
    asked = body(answering)
    with TestClient(make_app(answering)) as client:
        ranked = client.post("/v1/rank", json=asked).json()["ranked"]
        best = client.post("/v1/rank", json={**asked, "top": 3}).json()["ranked"]
    rated, movies = history_of(asked["history"], "h"), candidates_of(asked["candidates"], "c")
    alone = {one.candidate.title: one.p_yes for one in answering.ranker.rank(rated, movies)}
    assert {row["title"]: row["p_yes"] for row in ranked} == pytest.approx(alone, abs=1e-5)
    p_yes = np.array([alone[movie.title] for movie in movies])
    said = answers(answering.blend, rated, answering.ranker.records_of(rated, movies), p_yes)
    order = np.argsort(-said.answer, kind="stable")
    assert [row["title"] for row in ranked] == [movies[place].title for place in order]
    assert [row["answer"] for row in ranked] == pytest.approx(said.answer[order].tolist(), abs=1e-5)
    assert [row["counting"] for row in ranked] == pytest.approx(said.counting[order].tolist())
    assert all(0 < row["base_p_yes"] < 1 for row in ranked)
    assert [row["title"] for row in best] == [row["title"] for row in ranked[:3]]


def test_a_run_that_keeps_none_answers_as_before(answering):
    without = replace(answering, blend=None)
    with TestClient(make_app(without)) as client:
        ranked = client.post("/v1/rank", json=body(without)).json()["ranked"]
    assert not any("answer" in row or "counting" in row for row in ranked)
    assert [row["p_yes"] for row in ranked] == sorted((row["p_yes"] for row in ranked), reverse=True)
