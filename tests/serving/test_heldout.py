"""A real user of the test rows, of any run, from the files that a run may have."""

import csv
import json
import shutil
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from likely.data.dataset_info import Columns
from likely.data.question import show_question
from likely.data.records import Labels
from likely.data.task import read_task
from likely.data.wording import MOVIES, Words, show_rated
from likely.errors import LikelyError
from likely.inference.loaded_run import config_of
from likely.inference.movies import history_of
from likely.serving.app import make_app
from likely.serving.catalogue import Catalogue
from likely.serving.served import held_out_of


@pytest.fixture(scope="module")
def rows(books):
    return json.loads(books.held_out.path.read_text(encoding="utf-8"))


def rows_of(rows, user):
    return [row for row in rows if row["user_id"] == user.user]


def check_user(books, rows, user):
    """The user has all of their rows, in the words of their prompts."""
    own, words = rows_of(rows, user), books.ranker.task.words
    assert [row["id"] for row in user.candidates] == [row["item_id"] for row in own]
    assert user.liked == [row["output"] == "Yes" for row in own]
    assert all(words.lowest <= row["rating"] <= words.highest for row in user.history)
    (record,) = books.ranker.records_of(history_of(user.history, "history", words), [books.catalogue.movies[0]])
    assert own[0]["input"].partition("\nCandidate: ")[0] == record.input.partition("\nCandidate: ")[0]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_every_reader_is_found_whole_at_some_place(books, rows, tmp_path, ending):
    path = tmp_path / f"test{ending}"
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n" if ending == ".jsonl" else "[\n" + ",\n".join(lines) + "\n]\n")
    file = replace(books.held_out, path=path)
    found = [file.user(place / 50) for place in range(50)]
    for user in found:
        check_user(books, rows, user)
    assert found[0].user == found[-1].user == rows[0]["user_id"]  # nobody begins in the last rows of all
    assert {user.user for user in found} == {row["user_id"] for row in rows}


def test_rows_that_were_prepared_otherwise_since_are_not_shown(served_folder, tmp_path, caplog):
    run, data = served_folder, served_folder.parent / "data"
    task, catalogue = read_task(run), Catalogue.load(run, MOVIES)
    config = config_of(run)
    held_out = held_out_of(run, config, MOVIES, catalogue)
    assert held_out.path == data / "test.json"
    other = shutil.copytree(data, tmp_path / "data")
    said = json.loads((other / "preparation.json").read_text(encoding="utf-8"))
    said["protocol"]["like_threshold"] = task.protocol.like_threshold - 1
    (other / "preparation.json").write_text(json.dumps(said), encoding="utf-8")
    moved = config.model_copy(update={"test_file": str(other / "test.json")})
    assert held_out_of(run, moved, MOVIES, catalogue) is None
    assert "are not shown" in caplog.text
    assert "(like_threshold 4.0 -> 3.0)" in caplog.text


def test_editions_of_one_book_are_told_apart(books):
    """Both are called the same in a prompt."""
    named = {
        item_id: books.catalogue.named("Volume 00 (1900) | Writer 0", item_id) for item_id in ("isbn-00", "isbn-01")
    }
    assert {item_id: row["id"] for item_id, row in named.items()} == {"isbn-00": "isbn-00", "isbn-01": "isbn-01"}


def test_a_book_that_the_catalogue_has_not_is_named_as_its_prompt_names_it(books, rows):
    empty = replace(books.catalogue, rows=[], movies=[], folded=[])
    user = replace(books.held_out, catalogue=empty).user(0)
    assert user.history[0].keys() == {"title", "year", "authors", "rating"}
    (record,) = books.ranker.records_of(
        history_of(user.history, "history", books.ranker.task.words), [books.catalogue.movies[0]]
    )
    own = rows_of(rows, user)
    assert own[0]["input"].partition("\nCandidate: ")[0] == record.input.partition("\nCandidate: ")[0]


def test_answers_and_columns_are_those_of_the_run(books, rows, tmp_path):
    renamed = [{"ask": row.pop("instruction"), "said": row.pop("output"), **row} for row in map(dict, rows)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in renamed))
    columns = Columns(prompt="ask", response="said", label_map={"yes": "Like", "no": "Dislike"})
    file = replace(
        books.held_out, path=tmp_path / "test.jsonl", columns=columns, labels=Labels("Like", "Dislike")
    )  # fmt: skip
    check_user(books, rows, file.user(0))


def test_a_rating_that_a_prompt_rounds_stays_on_the_scale(books):
    words = replace(books.held_out.words, lowest=1, highest=9.9999999)
    rows = [{"instruction": "?", "input": "- A | rated 10\nCandidate: B", "output": "Yes", "user_id": 1}]
    path = books.held_out.path.with_name("rounded.jsonl")
    path.write_text(json.dumps(rows[0]))
    assert replace(books.held_out, path=path, words=words).user(0.5).history[0]["rating"] == 9.9999999


def test_tables_are_said_to_be_none_and_not_offered(books, rows, tmp_path):
    with (tmp_path / "test.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["instruction", "input", "output", "user_id"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    file = replace(books.held_out, path=tmp_path / "test.csv")
    with TestClient(make_app(replace(books, held_out=file))) as client:
        assert client.get("/v1/run").json()["held_out"] is False
        refused = client.get("/v1/held-out")
    assert refused.status_code == 422
    assert "test.csv is csv; give the run" in refused.json()["detail"]


@pytest.mark.parametrize("content", ["[\n{}\n]", "", "[]", "[\n[1]\n]", "no JSON", '{"user_id": 1, "input": "x"}'])
def test_a_file_of_another_kind_is_said(books, tmp_path, content):
    (tmp_path / "test.json").write_text(content)
    with pytest.raises(LikelyError, match=r"test\.json has no rows of users"):
        replace(books.held_out, path=tmp_path / "test.json").user(0.5)


@pytest.mark.parametrize(
    ("words", "ratings"),
    [
        (Words("game", shows="quantity", verb="played", unit="hours", lowest=0, highest=90), [12.5, 0]),
        (Words("game", shows="label", verb="liked", lowest=0, highest=1), [1, 0]),
        (Words("game", shows="nothing", verb="played", lowest=0, highest=1), [None, None]),
    ],
    ids=lambda one: one.shows if isinstance(one, Words) else "",
)
def test_a_run_without_stars_has_real_users_too(books, tmp_path, words, ratings):
    shown = [show_rated(item, rating, words) for item, rating in zip(["A | Puzzle", "B"], ratings, strict=True)]
    row = {"instruction": "?", "input": show_question(shown, "C"), "output": "Yes", "user_id": 1}
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n")
    user = replace(books.held_out, path=tmp_path / "test.jsonl", words=words).user(0)
    assert [(row["title"], row["rating"]) for row in user.history] == list(zip("AB", ratings, strict=True))
    assert [movie.rating for movie in history_of(user.history, "history", words)] == ratings
