"""What `likely prepare` says of a table: what is wrong in what order, what it replaced, and what to type next."""

import pytest

from likely.cli import run
from likely.data.task import read_task
from likely.locking import alone_at

TABLE = ["user_id,item_id,rating,timestamp"]
TABLE += [f"{user},{item},{1 + (user * item) % 5},{item}" for user in range(1, 4) for item in range(1, 25)]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table of five stars in the working folder, whose columns have the usual names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stars.csv").write_text("\n".join(TABLE))
    return tmp_path


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_five_stars_need_neither_a_scale_nor_a_threshold(table, capsys):
    assert run(["prepare", "--ratings", "stars.csv", "--output", "data/stars"]) == 0
    assert "likely train dataset_dir=data dataset=stars" in said(capsys)
    assert read_task(table / "data/stars").protocol.like_threshold == 4


@pytest.mark.parametrize("other", [["--ratings", "stars.csv"], ["--source", "."]])
def test_two_sources_of_ratings_are_refused(table, capsys, other):
    assert run(["prepare", "--dataset", "ml-1m", *other, "--output", "data/stars"]) == 2
    assert "--dataset ml-1m names a release to fetch, and another option other ratings" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not (table / "data").exists()


def test_another_scale_that_is_found_in_the_data_needs_a_threshold(table, capsys):
    (table / "stars.csv").write_text("\n".join([*TABLE, "9,9,10,9"]))
    assert run(["prepare", "--ratings", "stars.csv", "--output", "out"]) == 2
    assert "Nothing says from which rating on a user likes an item" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--ratings", "nope.csv"], "nope.csv does not exist"),
        (["--ratings", "stars.csv", "--rating", "ratng"], "did you mean rating?"),
    ],
)
def test_a_missing_file_or_column_is_said_before_a_missing_threshold(table, capsys, options, sentence):
    assert run(["prepare", *options, "--output", "out"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("highest", "options", "status", "sentence"),
    [
        (5, [], 0, "The scale is that of the ratings, 1 to 5."),
        (10, [], 2, "Nothing says from which rating on a user likes an item; name it with like_threshold"),
        (10, ["--like-threshold", "8"], 0, "The scale is that of the ratings, 1 to 10."),
        (10, ["--like-threshold", "11"], 2, "set it above 1 and at most to 10"),
        (5, ["--split", "global-time"], 2, "split global-time needs times"),
    ],
)
def test_a_release_of_any_scale_is_asked_what_a_table_is_asked(table, capsys, highest, options, status, sentence):
    rows = [(user, item, 1 + (user * item) % 5) for user in range(1, 4) for item in range(1, 25)]
    lines = [
        "user_id:token\titem_id:token\trating:float",
        *("\t".join(map(str, row)) for row in [*rows, (3, 99, highest)]),
    ]
    (table / "stars").mkdir()
    (table / "stars/stars.inter").write_text("\n".join(lines))
    assert run(["prepare", "--source", "stars", "--output", "out", *options]) == status
    told = capsys.readouterr()
    assert sentence in " ".join((told.out + told.err).split())


def test_what_is_out_of_range_is_said_before_anything_is_fetched(table, capsys, monkeypatch):
    monkeypatch.setattr("likely.cli.prepare.fetch", lambda console, name: pytest.fail(f"{name} was fetched"))
    assert run(["prepare", "--window", "wide", "--output", "out"]) == 2
    assert "window is 'wide'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["train.json", "catalogue.json", "test.parquet"])
def test_what_somebody_else_wrote_is_not_replaced(table, capsys, name):
    (table / "out").mkdir()
    (table / "out" / name).write_text("mine")
    kind = "parquet" if name.endswith("parquet") else "json"
    assert run(["prepare", "--ratings", "stars.csv", "--output", "out", "--format", kind]) == 2
    assert (
        f"out/{name} is of no earlier preparation, or was changed since, and would be lost" in capsys.readouterr().err
    )
    assert [(path.name, path.read_text()) for path in (table / "out").iterdir()] == [(name, "mine")]


def test_two_preparations_do_not_write_the_same_folder_at_once(table, capsys):
    (table / "out").mkdir()
    with alone_at(table / "out"):
        assert run(["prepare", "--ratings", "stars.csv", "--output", "out"]) == 2
    assert "out is being written by another command" in " ".join(capsys.readouterr().err.split())
    assert [*(table / "out").iterdir()] == []


def test_a_second_preparation_says_that_it_replaced_the_first(table, capsys):
    command = ["prepare", "--ratings", "stars.csv", "--output", "out"]
    assert run(command) == 0
    assert "in place of what was there" not in said(capsys)
    assert run([*command, "--format", "parquet"]) == 0
    assert "in place of what was there" in said(capsys)
