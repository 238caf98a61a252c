"""A run on a table of books speaks of books from the first record to the ranking and the page, and never of movies."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from likely.cli import run
from likely.data.protocol import SPLITS
from likely.data.records import Labels, read_records
from likely.data.task import RatingsTask, read_task
from support import train_prepared

pytestmark = pytest.mark.usefixtures("sketched")

WRITERS = ("Ursula K. Le Guin", "Jane Austen", "Italo Calvino", "Toni Morrison")
OPTIONS = ["--item", "isbn", "--rating", "stars", "--time", "when", "--title", "name", "--details", "by {writer}"]
OPTIONS += ["--noun", "book", "--details-noun", "authors", "--scale", "1-10", "--like-threshold", "7"]


def write_books(folder: Path, users: int = 8, books: int = 24) -> None:
    """Write ratings and books: a user likes half of the writers."""
    draw = np.random.default_rng(0)
    names = [f"isbn,name,writer\n{place:07d}X,Volume {place},{WRITERS[place % 4]}\n" for place in range(books)]
    (folder / "books.csv").write_text(names[0] + "".join(name.partition("\n")[2] for name in names[1:]))
    lines = ["user_id,isbn,stars,when"]
    for user in range(users):
        likes = draw.permutation(4)[:2]
        for time, book in enumerate(draw.permutation(books)):
            stars = draw.integers(7, 11) if book % 4 in likes else draw.integers(1, 7)
            lines.append(f"reader {user},{book:07d}X,{stars},2024-01-{1 + time:02d}")
    (folder / "ratings.csv").write_text("\n".join(lines))


def command(folder: Path, *options: str) -> list[str]:
    files = ["--ratings", str(folder / "ratings.csv"), "--items", str(folder / "books.csv")]
    return ["prepare", *files, *OPTIONS, *options]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """Folder of the tables, their records and a run trained on them."""
    folder = tmp_path_factory.mktemp("books")
    write_books(folder)
    assert run(command(folder, "--hints", "--output", str(folder / "data"))) == 0
    train_prepared(folder, tiny_base)
    return folder


def test_records_and_task_speak_of_books(trained: Path) -> None:
    rows = json.loads((trained / "data" / "train.json").read_text())
    assert rows[0]["instruction"].startswith("A user rated books on a scale from 1 to 10. ")
    assert "like the candidate book, that is, rate it 7 or higher?" in rows[0]["instruction"]
    assert "Volume 3 | by Toni Morrison" in "".join(row["input"] for row in rows)
    assert any("these authors" in row["input"] for row in rows)
    assert rows[0]["user_id"] == "reader 0"
    for path in (*(trained / "data").glob("*.json"), trained / "run" / "task.json", trained / "run" / "README.md"):
        text = path.read_text().lower()
        assert not any(word in text for word in ("movie", "these genres", " stars")), path
    task = read_task(trained / "run")
    assert isinstance(task, RatingsTask)
    assert (task.noun, task.words.details, task.words.highest) == ("book", "authors", 10)


def test_a_ranking_and_the_page_speak_of_books(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = {"title": "Volume 5", "authors": ["by Jane Austen"]}
    (trained / "history.json").write_text(json.dumps([{**book, "rating": 9}]))
    (trained / "candidates.json").write_text(json.dumps([{**book, "title": "Volume 9", "shelf": 3}]))
    files = ["--history", str(trained / "history.json"), "--candidates", str(trained / "candidates.json")]
    output = ["--run", str(trained / "run"), "--output", str(trained / "ranked.jsonl")]
    assert run(["rank", *files, *output]) == 0
    assert run(["evaluate", "--run", str(trained / "run"), "--no-base"]) == 0
    shown = capsys.readouterr().out
    assert "book" in shown
    assert "Volume 9 | by Jane Austen" in shown
    (line,) = (trained / "ranked.jsonl").read_text().splitlines()
    assert json.loads(line) == {**json.loads(line), **book, "title": "Volume 9", "shelf": 3}
    page = (trained / "run" / "report.html").read_text()
    assert "Will this user like this book?" in page
    assert "movie" not in (shown + page + line).lower().replace(str(trained), "")
    (trained / "history.json").write_text(json.dumps([{**book, "rating": 11}]))
    assert run(["rank", *files, *output]) == 2
    assert "rating is 11, outside 1 to 10" in capsys.readouterr().err


def test_yaml_writes_what_options_write(tmp_path: Path) -> None:
    write_books(tmp_path)
    assert run(command(tmp_path, "--output", str(tmp_path / "options"))) == 0
    keys = [f"{OPTIONS[place][2:].replace('-', '_')}: '{OPTIONS[place + 1]}'\n" for place in range(0, len(OPTIONS), 2)]
    files = f"ratings: {tmp_path / 'ratings.csv'}\nitems: {tmp_path / 'books.csv'}\n"
    (tmp_path / "books.yaml").write_text("".join([files, *keys]))
    assert run(["prepare", "--data", str(tmp_path / "books.yaml"), "--output", str(tmp_path / "yaml")]) == 0
    for path in (tmp_path / "options").iterdir():
        assert (tmp_path / "yaml" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--item", "ISBN"], "names no column 'ISBN'; did you mean isbn?"),
        (["--title", "nam"], "names no column 'nam'; did you mean name?"),
        (["--scale", "1-5", "--like-threshold", "4"], "outside of the scale 1 to 5"),
        (["--like-threshold", "11"], "like_threshold 11 would make all ratings or none a like"),
        (["--source", "ml-1m"], "--source names a release and --ratings a table"),
        (["--warmup", "30"], "No user of ratings has more than 30 ratings"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    write_books(tmp_path)
    assert run(command(tmp_path, *options, "--output", str(tmp_path / "out"))) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert run(["prepare", "--noun", "book"]) == 2
    assert "add --ratings FILE" in capsys.readouterr().err


def test_users_with_too_few_ratings_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_books(tmp_path)
    with (tmp_path / "ratings.csv").open("a") as file:
        file.write("\nreader 99,0000001X,5,2024-02-01\n")
    assert run(command(tmp_path, "--output", str(tmp_path / "out"))) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Users without records, because they have at most 15 ratings, the warm-up: 1 of 9." in said


def test_parquet_gives_the_records_and_the_training_that_json_gives(
    tmp_path: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_books(tmp_path)
    prepared, losses, figures = {}, {}, {}
    for kind in ("json", "parquet"):
        data = tmp_path / kind / "books"
        assert run(command(tmp_path, "--hints", "--format", kind, "--output", str(data))) == 0
        assert {path.name for path in data.iterdir()} == {
            *(f"{split}.{kind}" for split in ("train", "eval", "test")),
            "catalogue.json",
            "preparation.json",
        }
        keys = [f"dataset_dir={tmp_path / kind}", "dataset=books", f"model_name_or_path={tiny_base}", "max_steps=2"]
        keys += [f"output_dir={tmp_path / kind / 'run'}", "cutoff_len=2048", "eval_steps=2", "logging_steps=1"]
        assert run(["train", "--config", "smollm2_movielens_cpu", *keys]) == 0
        assert run(["evaluate", "--run", str(tmp_path / kind / "run"), "--no-base"]) == 0
        metrics = json.loads((tmp_path / kind / "run" / "metrics.json").read_text())
        losses[kind] = [(step.get("loss"), step.get("eval_loss")) for step in metrics["log"]]
        figures[kind] = json.loads((tmp_path / kind / "run" / "evaluation.json").read_text())
        prepared[kind] = read_records(data / f"train.{kind}", Labels())
        assert isinstance(read_task(tmp_path / kind / "run"), RatingsTask)
    assert losses["json"] == losses["parquet"]
    assert prepared["json"] == [
        replace(
            record, extra={**record.extra, "shares": {k: v for k, v in record.extra["shares"].items() if v is not None}}
        )
        for record in prepared["parquet"]
    ]
    assert figures["json"] == figures["parquet"]


def test_records_in_the_other_format_do_not_stay_and_are_not_read_in_place_of_new_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_books(tmp_path)
    out = tmp_path / "out"
    for kind in ("json", "parquet", "json"):
        assert run(command(tmp_path, "--format", kind, "--output", str(out))) == 0
        assert {path.suffix[1:] for split in SPLITS for path in out.glob(f"{split}.*")} == {kind}
    (out / "eval.json").write_text("[]")  # not what was prepared, so somebody's own
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run(command(tmp_path, "--format", "parquet", "--output", str(out))) == 2
    assert "eval.json is of no earlier preparation" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
