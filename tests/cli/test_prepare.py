"""What `likely prepare` says of a table: what is wrong in what order, what it replaced, and what to type next."""

import pytest

from likely.cli import run
from likely.data.task import read_task

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


def test_a_second_preparation_says_that_it_replaced_the_first(table, capsys):
    command = ["prepare", "--ratings", "stars.csv", "--output", "out"]
    assert run(command) == 0
    assert "in place of what was there" not in said(capsys)
    assert run([*command, "--format", "parquet"]) == 0
    assert "in place of what was there" in said(capsys)
