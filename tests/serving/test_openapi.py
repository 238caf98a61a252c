"""What the interface says of itself is enough to ask, and no malformed body made from it is a server's fault."""

import json
import random

import pytest
from fastapi.testclient import TestClient

from likely.serving.app import PATHS, make_app

ODD = [None, True, 0, -1, 10**30, 1e308, "", "catalogue", "\x00\u202e", "9" * 400, [], [[]], {}, [None], {"title": 1}]
"""Values that may stand where others should."""


def of_schema(schema, everything, draw):
    """Return a random value that a schema allows."""
    if "$ref" in schema:
        return of_schema(everything[schema["$ref"].split("/")[-1]], everything, draw)
    if "const" in schema:
        return schema["const"]
    if schema.get("examples") and draw.random() < 0.5:
        return draw.choice(schema["examples"])
    if "anyOf" in schema:
        return of_schema(draw.choice(schema["anyOf"]), everything, draw)
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        needed = schema.get("required", [])
        return {
            name: of_schema(field, everything, draw)
            for name, field in fields.items()
            if name in needed or draw.random() < 0.4
        } or {"title": "Heat", "rating": 4}
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return [of_schema(item, everything, draw) for item in schema["prefixItems"]]
        least = schema.get("minItems", 0)
        return [of_schema(schema["items"], everything, draw) for _ in range(draw.randint(least, least + 2))]
    scalars = {"integer": [1, 5], "number": [1.0, 0.5], "boolean": [True, False], "null": [None]}
    return draw.choice(scalars.get(schema.get("type"), ["Heat", "- Ronin | rated 4\nCandidate: Babe"]))


def spoilt(value, draw):
    """Return a value with something in it replaced, left out, added or repeated."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.25:
        return draw.choice(ODD)
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    place, kind = draw.choice(places), draw.random()
    changed = value.copy()
    if kind < 0.15:
        del changed[place]
    elif kind < 0.3 and isinstance(changed, dict):
        changed[draw.choice(["extra", "id", "earlier_likes", "liked_of_similar", ""])] = draw.choice(ODD)
    elif kind < 0.3:
        changed.append(changed[place])
    else:
        changed[place] = spoilt(changed[place], draw)
    return changed


@pytest.fixture(params=["served", "books"])
def client_of_any(request):
    with TestClient(make_app(request.getfixturevalue(request.param))) as client:  # which raises what the app raises
        yield client


def operations(openapi, method):
    return [(path, methods[method]) for path, methods in openapi["paths"].items() if method in methods]


def test_no_body_is_a_servers_fault(client_of_any):
    openapi = client_of_any.get("/openapi.json").json()
    everything, draw, statuses = openapi["components"]["schemas"], random.Random(0), []
    posts = operations(openapi, "post")
    assert {path for path, _ in posts} == {"/v1/rank", "/v1/predict", "/v1/score"}
    for path, about in posts:
        schema = about["requestBody"]["content"]["application/json"]["schema"]
        for number in range(40):
            body = of_schema(schema, everything, draw)
            for _ in range(number % 4):
                body = spoilt(body, draw)
            answer = client_of_any.post(path, json=body)
            said = answer.json()
            assert answer.status_code in (200, 422), (path, body, said)
            if answer.status_code == 422:
                assert "\n" not in said["detail"]
            else:
                shape = about["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
                assert said.keys() == everything[shape]["properties"].keys()
            statuses.append((path, answer.status_code))
    assert {(path, code) for path, _ in posts for code in (200, 422)} == set(statuses)


def test_every_path_is_counted_under_its_own_name(client):
    assert {"/", "/docs", *client.get("/openapi.json").json()["paths"]} == PATHS


def test_no_parameter_is_a_servers_fault(client_of_any):
    openapi, draw = client_of_any.get("/openapi.json").json(), random.Random(0)
    for path, about in operations(openapi, "get"):
        for _ in range(20):
            odd = {one["name"]: draw.choice(["", "-1", "nan", "1e999", "0.5", "x" * 300, "\x00"]) for one in
                   about.get("parameters", [])}  # fmt: skip
            assert client_of_any.get(path, params=odd).status_code in (200, 422), (path, odd)


def test_what_the_interface_shows_as_an_example_is_answered(client):
    properties = client.get("/openapi.json").json()["components"]["schemas"]["RankBody"]["properties"]
    history, (listed, all_of_them) = properties["history"]["examples"][0], properties["candidates"]["examples"]
    for candidates in (listed, all_of_them):
        body = json.dumps({"history": history, "candidates": candidates})
        assert client.post("/v1/rank", content=body, headers={"content-type": "application/json"}).status_code == 200
