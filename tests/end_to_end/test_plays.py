"""What users played, with hours and without, becomes records, a run, its evaluation and its rankings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likely.cli import run
from likely.data.records import Labels, read_records
from likely.data.task import RatingsTask, read_task
from likely.evaluation.features import FEATURES, feature_matrix, item_keys, likes_of, times_of
from likely.evaluation.like_counts import count_likes
from support import train_prepared

pytestmark = pytest.mark.usefixtures("sketched")

OPTIONS = ["--user", "player", "--item", "game", "--time", "day", "--details", "genre", "--noun", "game"]
OPTIONS += ["--implicit", "--verb", "played", "--warmup", "3", "--history-len", "3"]
HOURS = ["--rating", "hours", "--unit", "hours", "--like-threshold", "5"]
GENRES = ("Puzzle", "Racing", "Strategy", "Horror")


def write_plays(folder: Path, users: int = 8, games: int = 24) -> None:
    """Write what users played, and for how long: a user plays two genres for long, and each first game twice."""
    draw = np.random.default_rng(0)
    lines = ["player,game,genre,hours,day"]
    for user in range(users):
        loved = draw.permutation(4)[:2]
        played = draw.permutation(games)[:16].tolist()
        for time, game in enumerate([*played, played[0]]):
            hours = draw.integers(10, 90) / 2 if game % 4 in loved else draw.integers(0, 10) / 2
            lines.append(f"p{user},g{game},{GENRES[game % 4]},{hours},2024-01-{1 + time:02d}")
    (folder / "plays.csv").write_text("\n".join(lines))


def prepared(folder: Path, *options: str) -> dict[str, list[dict[str, Any]]]:
    write_plays(folder)
    files = ["--ratings", str(folder / "plays.csv"), "--output", str(folder / "data")]
    assert run(["prepare", *files, *OPTIONS, *options]) == 0
    return {split: json.loads((folder / "data" / f"{split}.json").read_text()) for split in ("train", "eval", "test")}


def test_a_like_is_a_quantity_of_at_least_the_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = prepared(tmp_path, *HOURS)["train"]
    # Of what a user played twice, the first line counts.
    assert "8 lines are left out because the user had played the same game before." in " ".join(
        capsys.readouterr().out.split()
    )
    lines = (tmp_path / "plays.csv").read_text().splitlines()[1:]
    hours: dict[tuple[str, str], float] = {}
    for player, game, _, time, _ in (line.split(",") for line in lines):
        hours.setdefault((player, game), float(time))
    for row in rows:
        assert row["output"] == ("Yes" if hours[row["user_id"], row["item_id"]] >= 5 else "No")
        for line in row["input"].split("\n")[1:-1]:
            game = line[2:].split(" | ")[0]
            assert line.endswith(f" | played {hours[row['user_id'], game]:g} hours")
    assert "reach 5 hours or more with it?" in rows[0]["instruction"]
    assert not any("rated" in row["instruction"] + row["input"] for row in rows)
    records = list(read_records(tmp_path / "data" / "train.json", Labels()))
    liked = likes_of(records, Labels())
    counts = count_likes(item_keys(records), liked, times_of(records))
    columns = dict(zip(FEATURES, feature_matrix(records, counts).T, strict=True))
    assert columns["mean rating of the history"][-1] == pytest.approx(
        np.mean([float(line.split()[-2]) for line in records[-1].input.split("\n")[1:-1]])
    )


@pytest.fixture(scope="module", params=[HOURS, ["--negatives", "2"]], ids=["hours", "negatives"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """Folder of the plays, their records and a run trained on them."""
    folder = tmp_path_factory.mktemp("plays")
    prepared(folder, *request.param)
    train_prepared(folder, tiny_base)
    return folder


def test_a_run_evaluates_and_ranks_in_its_own_words(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = read_task(trained / "run")
    assert isinstance(task, RatingsTask)
    with_hours = task.words.shows == "quantity"
    assert (task.words.verb, task.words.unit, task.protocol.negatives) == (
        ("played", "hours", 0) if with_hours else ("played", "", 2)
    )
    game = {"title": "g3", "details": ["Horror"], **({"rating": 40.5} if with_hours else {})}
    (trained / "history.json").write_text(json.dumps([game]))
    (trained / "candidates.json").write_text(json.dumps([{"title": "g7"}, {"title": "g8"}]))
    files = ["--history", str(trained / "history.json"), "--candidates", str(trained / "candidates.json")]
    assert run(["rank", *files, "--run", str(trained / "run")]) == 0
    assert run(["evaluate", "--run", str(trained / "run"), "--no-base"]) == 0
    page = (trained / "run" / "report.html").read_text()
    asked = "Will this user like this game?" if with_hours else "Will this game be played next?"
    assert asked in page
    capsys.readouterr()
    (trained / "history.json").write_text(json.dumps([{**game, "rating": -1}]))
    assert run(["rank", *files, "--run", str(trained / "run")]) == (2 if with_hours else 0)
    assert ("write a quantity of 0 or more" in capsys.readouterr().err) == with_hours
