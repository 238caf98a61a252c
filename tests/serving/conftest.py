"""Small finished runs, of movies and of books, with catalogues and test rows, and a server of one."""

import csv
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from fastapi.testclient import TestClient
from safetensors.torch import load_file, save_file

from likely.cli import run
from likely.config.table_config import TableConfig
from likely.data.catalogue_file import CATALOGUE_FILE
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.ratings import read_ratings
from likely.data.task import TASK_FILE, dump_task, task_of
from likely.serving.app import make_app
from likely.serving.served import Limits, Served
from likely.sources.invented_ratings import make_sample


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """Folder of a run whose adapter's weights are drawn, so that scores lie apart."""
    folder = tmp_path_factory.mktemp("served")
    make_sample(folder / "sample", users=20, movies=60, ratings_per_user=40)
    prepared = ["--output", str(folder / "data"), "--history-len", "6", "--warmup", "6"]
    assert run(["prepare", "--source", str(folder / "sample"), *prepared]) == 0
    values = {
        "model_name_or_path": str(tiny_base),
        "dataset": None,
        **{f"{part}_file": str(folder / "data" / f"{part}.json") for part in ("train", "eval", "test")},
        "output_dir": str(folder / "run"),
        "cutoff_len": 768,
        "max_samples": 16,
        "max_steps": 1,
        "eval_strategy": "no",
        "report_to": "none",
        "lora_rank": 4,
        "lora_alpha": 8,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert run(["train", "--config", str(folder / "run.yaml")]) == 0
    path = folder / "run" / "adapter_model.safetensors"
    draw = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(weight.shape, generator=draw) * 0.2 for name, weight in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    return folder / "run"


@pytest.fixture(scope="session")
def served(served_folder: Path) -> Served:
    """The run, loaded once, with narrow limits."""
    return Served.load(served_folder, Limits(places=8, together=8, candidates=100, body_bytes=100_000))


@pytest.fixture
def client(served: Served) -> Iterator[TestClient]:
    """A client of a server of its own."""
    with TestClient(make_app(served)) as client:
        yield client


@pytest.fixture(scope="session")
def answering(served_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The run after an evaluation, which leaves an answer in its folder."""
    folder = shutil.copytree(served_folder, tmp_path_factory.mktemp("answering") / "run")
    assert run(["evaluate", "--run", str(folder), "--no-base"]) == 0
    return Served.load(folder, Limits(candidates=100))


@pytest.fixture(scope="session")
def books(served_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A run of books on a scale from 1 to 10, whose ids are words; the first two are editions of one book."""
    folder = tmp_path_factory.mktemp("books")
    data = prepare(read_ratings(books_table(folder)), folder / "data", books_protocol())
    assert data.test.users == 6
    shutil.copytree(served_folder, folder / "run", ignore=shutil.ignore_patterns("metrics.json"))  # of other records
    values = yaml.safe_load((folder / "run" / "config.yaml").read_text(encoding="utf-8"))
    values |= {f"{part}_file": str(folder / "data" / f"{part}.json") for part in ("train", "eval", "test")}
    (folder / "run" / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    task = task_of(folder / "data" / "train.json")
    (folder / "run" / TASK_FILE).write_text(dump_task(task), encoding="utf-8")
    shutil.copy(folder / "data" / CATALOGUE_FILE, folder / "run")
    return Served.load(folder / "run", Limits(candidates=100))


def books_protocol() -> SplitProtocol:
    """How the ratings of books become records."""
    return SplitProtocol(like_threshold=7, history_length=4, warmup=4, test_fraction=0.25)


def books_table(folder: Path) -> TableConfig:
    """Write ratings of books by six readers, and return what they are."""
    draw = random.Random(0)
    books = [(f"isbn-{place:02}", f"Volume {place:02}", 1900 + place, f"Writer {place % 5}") for place in range(22)]
    books[1] = ("isbn-01", *books[0][1:])
    with (folder / "books.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("isbn", "title", "year", "author"), *books])
    ratings = [
        (f"reader {name}", isbn, draw.randint(1, 10), 1_000_000_000 + time)
        for name in "abcdef"
        for time, (isbn, *_) in enumerate(draw.sample(books, 16))
    ]
    with (folder / "ratings.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("reader", "isbn", "rating", "time"), *ratings])
    return TableConfig(
        ratings=str(folder / "ratings.csv"),
        items=str(folder / "books.csv"),
        user="reader",
        item="isbn",
        time="time",
        title="title",
        year="year",
        details=("author",),
        noun="book",
        details_noun="authors",
        scale=(1, 10),
    )
