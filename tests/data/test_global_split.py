"""One cut in time for everybody: training knows nothing that is later than any row held out."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from data.test_timelines import Rating, data_sets, make_data, one_user, protocols, read
from likely.cli import run
from likely.config.table_config import describe_table
from likely.data.preparation import prepare
from likely.data.protocol import SPLITS, SplitProtocol, protocol_of
from likely.data.ratings import read_ratings
from likely.data.task import read_task
from likely.data.timelines import build_timelines
from likely.errors import LikelyError
from likely.sources.invented_ratings import make_sample

SPREAD = [(user, movie, 4.0 if movie % 2 else 2.0, 20 * user + movie) for user in (7, 8, 9) for movie in range(1, 21)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ratings=data_sets, protocol=protocols, hints=st.booleans())
def test_no_training_row_is_later_than_any_held_out_row_and_no_history_than_its_candidate(
    tmp_path: Path, ratings: list[Rating], protocol: SplitProtocol, hints: bool
) -> None:
    data = make_data([*ratings, *SPREAD])
    shared = SplitProtocol(**{**vars(protocol), "split": "global-time", "hints": hints})
    try:
        summary = prepare(data, tmp_path, shared)
    except LikelyError:  # the shares leave nothing but ties at the beginning
        reject()
    written = read(tmp_path)
    times = {split: [row["timestamp"] for row in written[split]] for split in SPLITS}
    assert max(times["train"]) < min(times["eval"])
    assert max(times["eval"]) < min(times["test"])

    when = {(user, movie): time for user, movie, _, time in data.ratings.rows()}
    for row in (row for split in SPLITS for row in written[split]):
        lines = [line for line in row["input"].split("\n") if line.startswith("- ")]
        shown = [when[row["user_id"], int(line[2:].split(" | ")[0])] for line in lines]
        assert all(time <= row["timestamp"] for time in shown)
        assert len(shown) == row["history_length"] >= 1

    # Every rating after a warm-up is a row once, and parts are as large as asked, but for ties.
    rows = sum(map(len, times.values()))
    counts = data.ratings["user_id"].value_counts()["count"].to_list()
    assert rows == sum(max(count - protocol.warmup, 0) for count in counts)
    assert len(times["test"]) >= int(rows * protocol.test_fraction)
    later = [time for time in times["test"] if time > min(times["test"])]
    assert len(later) < max(rows * protocol.test_fraction, 1)

    seen = {movie for user, movie, _, time in data.ratings.rows() if time < min(times["eval"])}
    assert summary.test.cold == sum(row["item_id"] not in seen for row in written["test"])


def test_a_later_rating_changes_no_training_row(tmp_path: Path) -> None:
    some = [*SPREAD, *one_user(20)]
    protocol = SplitProtocol(warmup=3, split="global-time", hints=True)
    prepare(make_data(some), tmp_path, protocol)
    before = read(tmp_path)
    cut = min(row["timestamp"] for row in before["eval"])
    turned = [(user, movie, 6.0 - rating if time >= cut else rating, time) for user, movie, rating, time in some]
    prepare(make_data(turned), tmp_path, protocol)
    assert read(tmp_path)["train"] == before["train"]
    assert read(tmp_path)["test"] != before["test"]


def test_who_came_after_the_cut_is_counted_and_the_cut_is_kept(tmp_path: Path) -> None:
    late = [(5, movie, 4.0, 10_000 + movie) for movie in range(1, 8)]
    summary = prepare(make_data([*SPREAD, *late]), tmp_path, SplitProtocol(warmup=3, split="global-time"))
    (note,) = [note for note in summary.notes if "after the cut" in note]
    assert "1 of 2" in note
    mine = [row for row in read(tmp_path)["test"] if row["user_id"] == 5]
    assert [row["history_length"] for row in mine] == [3, 4, 5, 6]
    described = json.loads((tmp_path / "preparation.json").read_text())
    assert described["protocol"]["split"] == "global-time"
    assert described["first_moments"] == {
        split: min(row["timestamp"] for row in read(tmp_path)[split]) for split in ("eval", "test")
    }
    assert read_task(tmp_path).protocol.split == "global-time"  # type: ignore[union-attr]


def test_candidates_never_seen_are_counted_from_everybodys_cut_where_some_users_are_kept(tmp_path: Path) -> None:
    movies = {5: range(1, 8), 6: range(7, 0, -1)}
    late = [(user, movie, 4.0, 10_000 + place) for user in movies for place, movie in enumerate(movies[user])]
    protocol = SplitProtocol(warmup=3, split="global-time", eval_fraction=0.4)
    for seed in range(99):
        summary = prepare(make_data([*SPREAD, *late]), tmp_path, protocol, max_users=2, seed=seed)
        if {row["user_id"] for row in read(tmp_path)["test"]} == {5, 6}:
            break
    # Both came after the cut: what one of them had in its warm-up was not there to train on.
    assert summary.test.cold == summary.test.rows == 6


def test_rows_that_are_all_of_one_time_cannot_be_cut() -> None:
    data = make_data([(user, movie, 4.0, 7) for user in (1, 2) for movie in range(9)])
    with pytest.raises(LikelyError, match="too few different times"):
        build_timelines(data.ratings, SplitProtocol(warmup=1, split="global-time"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"eval_ratings": "e", "test_ratings": "t", "time": "when"}, "leave out eval_ratings"),
        ({"split": "other"}, "split"),
    ],
)
def test_what_does_not_go_with_one_cut_is_said(keys: dict[str, str], said: str) -> None:
    with pytest.raises(LikelyError, match=said):
        describe_table({"ratings": "r.csv", "split": "global-time", **keys}, "a test")


def test_a_table_without_times_has_no_clock_to_cut_by(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user_id,item_id,rating\n1,1,5\n")
    with pytest.raises(LikelyError, match="needs times"):
        read_ratings(describe_table({"ratings": str(tmp_path / "r.csv"), "split": "global-time"}, "a test"))


def test_the_command_and_a_description_say_the_same(tmp_path: Path) -> None:
    table = describe_table({"ratings": "r", "split": "global-time", "time": "when", "scale": "1-5"}, "a test")
    assert protocol_of(table).split == "global-time"
    make_sample(tmp_path / "ratings")
    common = ["prepare", "--source", str(tmp_path / "ratings"), "--max-users", "20", "--output"]
    assert run([*common, str(tmp_path / "one"), "--split", "global-time"]) == 0
    assert run([*common, str(tmp_path / "each")]) == 0
    one, each = (json.loads((tmp_path / name / "preparation.json").read_text()) for name in ("one", "each"))
    assert one["protocol"]["split"] == "global-time"
    assert "split" not in each["protocol"]
    assert "first_moments" not in each
