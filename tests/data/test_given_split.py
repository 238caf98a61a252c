"""A given split stays as it is: each row of its files is a record of that file, and histories run on in time."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.config.table_config import describe_table
from likely.data.preparation import prepare
from likely.data.protocol import SPLITS, protocol_of
from likely.data.ratings import read_ratings
from likely.errors import LikelyError

Row = tuple[str, int, int, int, int]
KEYS = {"user": "reader", "item": "book", "rating": "stars", "time": "when", "noun": "book", "scale": "1-10"}
KEYS |= {"like_threshold": "7"}
# A row is its part, user, book, stars and time; pairs and times occur again, also across parts.
rows = st.lists(
    st.tuples(st.sampled_from(SPLITS), st.integers(1, 3), st.integers(1, 6), st.integers(1, 10), st.integers(0, 9)),
    max_size=40,
).map(lambda some: [*some, *[(split, 9, 1 + place, 3 + 5 * (place % 2), place) for place, split in enumerate(SPLITS)]])


def write(folder: Path, some: list[Row], timed: bool = True) -> dict[str, str]:
    """Write a file for each part and return the keys that describe them."""
    paths = {split: folder / f"{split}.csv" for split in SPLITS}
    for split, path in paths.items():
        lines = [",".join(map(str, row[1:])) for row in some if row[0] == split]
        path.write_text("\n".join(["reader,book,stars,when", *lines]) + "\n")
    files = {"ratings": paths["train"], "eval_ratings": paths["eval"], "test_ratings": paths["test"]}
    return {key: str(path) for key, path in files.items()} | KEYS | ({} if timed else {"time": "none"})


def records(folder: Path, keys: dict[str, str], **options: Any) -> dict[str, list[dict[str, Any]]]:
    table = describe_table(keys, "a test")
    prepare(read_ratings(table), folder / "out", protocol_of(table, history_length=3, **options))
    return {split: json.loads((folder / "out" / f"{split}.json").read_text()) for split in SPLITS}


def shown(record: dict[str, Any]) -> list[tuple[int, int]]:
    """Return book and stars of the lines of a history."""
    lines = [line for line in record["input"].split("\n") if line.startswith("- ")]
    return [(int(line.split(" | ")[0][2:]), int(line.rpartition(" ")[2])) for line in lines]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=rows, history_from=st.sampled_from(["all", "train"]), window=st.sampled_from(["anchored", "sliding"]))
def test_rows_are_those_of_the_files_and_show_nothing_later(
    tmp_path: Path, some: list[Row], history_from: Literal["all", "train"], window: Literal["anchored", "sliding"]
) -> None:
    made = records(tmp_path, {**write(tmp_path, some), "history_from": history_from}, window=window)
    for split in SPLITS:
        asked = [(row["user_id"], row["item_id"], row["output"] == "Yes", row["timestamp"]) for row in made[split]]
        assert sorted(asked) == sorted((row[1], row[2], row[3] >= 7, row[4]) for row in some if row[0] == split)
        for record in made[split]:
            history = shown(record)
            until = [row for row in some if row[1] == record["user_id"] and row[4] <= record["timestamp"]]
            usable = [row for row in until if history_from == "all" or row[0] == "train"]
            assert set(history) <= {(row[2], row[3]) for row in usable}
            assert len(history) == record["history_length"] == sum(record["history_parts"].values())
            assert sum(stars >= 7 for _, stars in history) == record["history_likes"]
            assert set(record["history_parts"]) <= ({"train"} if history_from == "train" else {*SPLITS})
            before = [row for row in usable if row[4] < record["timestamp"]]
            assert len(history) >= min(len(before), 3)
            for part, count in record["history_parts"].items():
                assert count <= sum(row[0] == part for row in usable)


def test_histories_run_on_across_the_parts_or_stay_in_training(tmp_path: Path) -> None:
    some = [("train", 1, 1, 9, 10), ("eval", 1, 2, 2, 20), ("train", 1, 3, 8, 30), ("test", 1, 4, 9, 40)]
    keys = write(tmp_path, some)
    assert [shown(records(tmp_path, keys)[split][-1]) for split in SPLITS] == [
        [(1, 9), (2, 2)],
        [(1, 9)],
        [(1, 9), (2, 2), (3, 8)],
    ]
    (last,) = records(tmp_path, keys)["test"]
    assert last["history_parts"] == {"train": 2, "eval": 1}
    kept = records(tmp_path, {**keys, "history_from": "train"})
    assert [shown(kept[split][-1]) for split in SPLITS] == [[(1, 9)], [(1, 9)], [(1, 9), (3, 8)]]


def test_without_times_parts_follow_each_other_and_no_history_is_said(tmp_path: Path) -> None:
    some = [
        ("test", 1, 4, 9, 1),
        ("train", 1, 1, 9, 3),
        ("train", 1, 2, 2, 2),
        ("eval", 1, 3, 8, 1),
        ("test", 2, 1, 2, 0),
    ]
    keys = write(tmp_path, some, timed=False)
    table = describe_table(keys, "a test")
    notes = prepare(read_ratings(table), tmp_path / "out", protocol_of(table)).notes
    assert any(note.startswith("Records with an empty history") and note.endswith(": 2.") for note in notes)
    made = records(tmp_path, keys)
    assert shown(made["test"][0]) == [(1, 9), (2, 2), (3, 8)]
    assert made["test"][1]["input"] == "History, oldest first:\n(nothing yet)\nCandidate: 1"


def test_only_training_rows_are_warm_up_and_only_if_asked_for(tmp_path: Path) -> None:
    some = [("train", 1, 1, 9, 1), ("train", 1, 2, 2, 2), ("eval", 2, 3, 8, 1), ("test", 1, 4, 9, 3)]
    made = records(tmp_path, write(tmp_path, some), warmup=1)
    assert {split: len(made[split]) for split in SPLITS} == {"train": 1, "eval": 1, "test": 1}


@pytest.mark.parametrize(("one", "other"), [("1", "0"), ("Yes", "No"), ("true", "FALSE"), ("1.0", "0.0")])
def test_labels_may_be_given(tmp_path: Path, one: str, other: str) -> None:
    (tmp_path / "ratings.csv").write_text(f"user_id,item_id,label\n1,5,{one}\n1,6,{other}\n1,7,{one}\n")
    table = describe_table({"ratings": str(tmp_path / "ratings.csv"), "label": "label", "verb": "clicked"}, "a test")
    prepare(read_ratings(table), tmp_path / "out", protocol_of(table, warmup=2))
    (record,) = json.loads((tmp_path / "out" / "test.json").read_text())
    assert record["input"] == "History, oldest first:\n- 5 | clicked\n- 6 | not clicked\nCandidate: 7"
    assert (record["output"], record["history_likes"]) == ("Yes", 1)
    assert record["instruction"].endswith("Will the candidate item be clicked? Answer Yes or No.")


def test_a_label_that_is_none_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user_id,item_id,label\n1,5,1\n1,6,perhaps\n")
    table = describe_table({"ratings": str(tmp_path / "ratings.csv"), "label": "label"}, "a test")
    with pytest.raises(LikelyError, match=r"Line 3 of .* has no valid label"):
        read_ratings(table)


def test_hints_do_not_go_with_histories_from_training_alone(tmp_path: Path) -> None:
    keys = {**write(tmp_path, [("train", 1, 1, 9, 1)]), "history_from": "train"}
    with pytest.raises(LikelyError, match="leave one out"):
        protocol_of(describe_table(keys, "a test"), hints=True)
    with pytest.raises(LikelyError, match="implicit data have none"):
        protocol_of(describe_table({"ratings": "x", "implicit": "1", "negatives": "1"}, "a test"), hints=True)


@pytest.mark.parametrize("words", [False, True])
def test_an_id_is_the_same_where_a_file_has_it_with_a_fraction(tmp_path: Path, words: bool) -> None:
    some = [(split, user, 6 * part + item, 5 + 2 * item, 10 * part + item) for part, split in enumerate(SPLITS)
            for user in (1, 2) for item in range(3)]  # fmt: skip
    keys = write(tmp_path, some)
    expected = records(tmp_path, keys)
    for split in ("eval", "test"):
        path = tmp_path / f"{split}.csv"
        header, *lines = path.read_text().splitlines()
        floats = [".0,".join(line.split(",", 2)) for line in lines]
        path.write_text("\n".join([header, *floats, *(["ann.0,x,5,99"] if words else [])]) + "\n")
    made = records(tmp_path, keys)
    for split in SPLITS:
        found, right = ([(row["input"], str(row["user_id"])) for row in one[split]] for one in (made, expected))
        assert found[: len(right)] == right


def test_hints_go_with_a_given_split(tmp_path: Path) -> None:
    some = [("train", 1, 1, 9, 1), ("train", 2, 1, 2, 2), ("eval", 2, 3, 8, 4), ("test", 1, 3, 9, 3)]
    made = records(tmp_path, write(tmp_path, some), hints=True)
    assert made["train"][0]["input"].endswith("No other user has rated the candidate before.")
    assert "This user has rated no books before." in made["train"][0]["input"]
    assert made["train"][0]["shares"] == {}
    assert made["test"][0]["shares"]["above"] == 1


def test_ones_own_rating_in_an_earlier_part_is_no_opinion_of_others(tmp_path: Path) -> None:
    some = [("train", 1, 1, 9, 1), ("eval", 1, 1, 8, 2), ("test", 1, 1, 2, 3), ("test", 2, 1, 2, 3)]
    made = records(tmp_path, write(tmp_path, some), hints=True)
    assert made["eval"][0]["input"].endswith("No other user has rated the candidate before.")
    assert ["others" in record["shares"] for record in made["test"]] == [False, True]
