"""Scores of others go to the rows that they are of, and to none by mistake."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from likely.data.records import Place
from likely.errors import LikelyError
from likely.evaluation.scores import read_scores
from support import records_of

ROWS = records_of([True, False, True])
BY_ID = [{"user_id": row.user_id, "item_id": row.item_id, "p_yes": place / 4} for place, row in enumerate(ROWS)]
BY_ROW = [{"row": place + 1, "p_yes": place / 4} for place in range(3)]


def read(path, lines):
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return read_scores(path, ROWS)


@pytest.mark.parametrize("lines", [BY_ID, BY_ROW, [*BY_ID, {**BY_ID[0], "item_id": 7}]])
def test_scores_come_by_ids_or_by_row_in_any_order(tmp_path, lines):
    np.testing.assert_array_equal(read(tmp_path / "other.jsonl", lines[::-1]), [0, 0.25, 0.5])


def test_scores_by_row_are_of_the_rows_of_the_file_where_some_are_left_out(tmp_path):
    rows = [
        replace(row, place=Place(tmp_path / "test.json", number)) for row, number in zip(ROWS, (2, 5, 6), strict=True)
    ]
    path = tmp_path / "other.jsonl"
    path.write_text("\n".join(json.dumps({"row": number, "p_yes": number / 8}) for number in range(1, 9)))
    np.testing.assert_array_equal(read_scores(path, rows), [0.25, 0.625, 0.75])
    path.write_text("\n".join(json.dumps(line) for line in BY_ROW))
    with pytest.raises(LikelyError, match="no score for 2 of 3 rows, such as row 5"):
        read_scores(path, rows)


def test_a_score_by_ids_is_of_one_row(tmp_path):
    rows, path = [ROWS[0], *ROWS], tmp_path / "other.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in BY_ID))
    with pytest.raises(LikelyError, match="by ids, and user a and item a0 have several rows; give row in each line"):
        read_scores(path, rows)
    lines = [{**line, "row": place + 1, "p_yes": place / 8} for place, line in enumerate([BY_ID[0], *BY_ID])]
    path.write_text("\n".join(json.dumps(line) for line in lines[::-1]))
    np.testing.assert_array_equal(read_scores(path, rows), [0, 0.125, 0.25, 0.375])
    del lines[2]["user_id"]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    np.testing.assert_array_equal(read_scores(path, rows), [0, 0.125, 0.25, 0.375])


def test_scores_may_be_a_table(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("row,p_yes\n2,0.25\n1,0\n3,1e-1\n")
    np.testing.assert_array_equal(read_scores(path, ROWS), [0, 0.25, 0.1])


@pytest.mark.parametrize("name", ["other.csv", "other.parquet"])
def test_scores_of_a_table_with_gaps_go_to_the_same_rows(tmp_path, name):
    rows = [replace(row, user_id="7", item_id=str(place)) for place, row in enumerate(ROWS)]
    columns = {"user_id": [7.0] * 4, "item_id": [0.0, 1.0, 2.0, 3.0], "p_yes": [0.0, 0.25, 0.5, 1.0]}
    table = pl.DataFrame(columns)
    table.write_csv(tmp_path / name) if name.endswith("csv") else table.write_parquet(tmp_path / name)
    np.testing.assert_array_equal(read_scores(tmp_path / name, rows), [0, 0.25, 0.5])


def test_scores_whose_ids_are_empty_go_by_row(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("user_id,item_id,row,p_yes\n,,2,0.25\n,,1,0\n,,3,0.5\n")
    np.testing.assert_array_equal(read_scores(path, ROWS), [0, 0.25, 0.5])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (BY_ID[1:], "no score for 1 of 3 rows, such as user a and item a0"),
        (BY_ROW[:1], "no score for 2 of 3 rows, such as row 2"),
        ([*BY_ROW, {"row": 4, "p_yes": 0.5}], "4 scores by row for 3 rows"),
        ([*BY_ID, BY_ID[0]], "row 4 has a second score for user a and item a0"),
        ([{**BY_ID[0], "p_yes": 1.5}], "p_yes 1.5; give a probability"),
        ([{**BY_ID[0], "p_yes": None}], "p_yes None; give a probability"),
        ([{"row": 1}], "p_yes None"),
        ([{"p_yes": 0.5}], "neither user_id and item_id nor row"),
        ([[1, 0.5]], "is no object"),
    ],
)
def test_scores_that_do_not_match_the_rows_are_refused_in_a_sentence(tmp_path, lines, said):
    with pytest.raises(LikelyError) as refusal:
        read(tmp_path / "other.jsonl", lines)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_scores_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(LikelyError, match=r"other\.csv is no file; name one with p_yes"):
        read_scores(tmp_path / "other.csv", ROWS)
