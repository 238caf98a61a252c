"""A run says what its records ask as they were prepared, and says nothing of records that it does not know."""

import json
import shutil

import pytest

from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.data.task import TASK_FILE, RatingsTask, RecordsTask, dump_task, ratings_task, read_task, task_of
from likely.errors import LikelyError
from likely.sources.invented_ratings import make_sample

PROTOCOL = SplitProtocol(history_length=6, window="sliding", like_threshold=3.5, hints=True)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    prepare(read_movielens(make_sample(folder / "sample", users=4, ratings_per_user=25)), folder, PROTOCOL)
    return folder


@pytest.fixture
def copy(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "copy")


@pytest.mark.parametrize("split", ["train", "eval", "test"])
def test_a_prepared_file_asks_what_it_was_prepared_to_ask(prepared, split):
    task = task_of(prepared / f"{split}.json")
    assert isinstance(task, RatingsTask)
    assert (task.protocol, task.labels, task.noun) == (PROTOCOL, Labels(), "movie")
    records = read_records(prepared / f"{split}.json", task.labels)
    assert {record.instruction for record in records} == {task.instruction}


def test_a_file_keeps_its_task_under_another_name(copy):
    (copy / "train.json").rename(copy / "half.json")
    assert task_of(copy / "half.json") == ratings_task(PROTOCOL, "sample")


def test_a_file_that_was_changed_since_is_a_users_own(copy):
    rows = json.loads((copy / "train.json").read_text())
    (copy / "train.json").write_text(json.dumps(rows[1:]))
    assert task_of(copy / "train.json") == RecordsTask()
    assert isinstance(task_of(copy / "eval.json"), RatingsTask)


PREPARED = {"protocol": {}, "sha256": {}}


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({**PREPARED, "sha256": ["train.json"]}).encode(),
        json.dumps({**PREPARED, "protocol": None}).encode(),
        json.dumps({**PREPARED, "protocol": {"hints": "perhaps"}}).encode(),
        json.dumps({**PREPARED, "protocol": {"like_threshold": "much"}}).encode(),
        json.dumps({**PREPARED, "protocol": {"window": "rolling"}}).encode(),
        json.dumps({"protocol": {}}).encode(),
    ],
)
def test_a_description_that_is_missing_damaged_or_of_no_file_is_none(copy, content):
    (copy / "preparation.json").unlink()
    if content is not None:
        (copy / "preparation.json").write_bytes(content)
    assert task_of(copy / "train.json") == RecordsTask()


@pytest.mark.parametrize("task", [ratings_task(PROTOCOL), RecordsTask()])
def test_a_task_is_read_back_as_it_was_written(tmp_path, task):
    (tmp_path / TASK_FILE).write_text(dump_task(task), encoding="utf-8")
    assert read_task(tmp_path) == task


def test_a_copied_preparation_takes_the_place_of_a_missing_task(prepared, tmp_path):
    shutil.copy(prepared / "preparation.json", tmp_path)
    assert read_task(tmp_path) == ratings_task(PROTOCOL, "sample")


def test_so_does_one_of_an_earlier_version_which_has_the_protocol_alone(prepared, tmp_path):
    described = json.loads((prepared / "preparation.json").read_text())
    earlier = {name: described[name] for name in ("dataset", "protocol", "max_users", "seed", "splits")}
    (tmp_path / "preparation.json").write_text(json.dumps(earlier))
    assert read_task(tmp_path) == task_of(prepared / "train.json")


def test_what_is_missing_or_damaged_is_said_with_its_remedy(tmp_path):
    with pytest.raises(LikelyError, match=r"has no task\.json.*copy preparation\.json from beside .* training file"):
        read_task(tmp_path)
    for name in ("preparation.json", "task.json"):
        (tmp_path / name).write_text('{"kind": "riddles"}')
        with pytest.raises(LikelyError, match=rf"{name} is damaged or of another version"):
            read_task(tmp_path)
