"""The demo works where nothing can be fetched, says what it used instead, and does not train twice."""

import io
from functools import partial

import pytest
import yaml
from rich.console import Console

from likely.cli import demo, run
from likely.config.presets import preset_yaml
from likely.config.reading import load_config
from likely.data.protocol import SplitProtocol
from likely.data.task import RatingsTask, read_task
from likely.errors import LikelyError
from likely.sources import catalogue as sources
from likely.sources import invented_ratings, tiny_model
from likely.sources.download import UnreachableError
from likely.sources.invented_ratings import make_sample
from likely.sources.tiny_model import TinyShape, make_tiny_base


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """Nothing can be fetched, and what is made and compared is small."""

    def nothing(*arguments, **options):
        raise UnreachableError("no network.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "download", nothing)
        patch.setattr(sources, "wheel_members", nothing)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(demo, "COMPARED", 40)
        patch.setattr(invented_ratings, "make_sample", partial(make_sample, users=30))
        patch.setattr(tiny_model, "make_tiny_base", partial(make_tiny_base, shape=TinyShape(steps=5)))
        yield


@pytest.fixture(scope="module")
def small_config(tmp_path_factory):
    values = yaml.load(preset_yaml(demo.CONFIG), yaml.BaseLoader)
    path = tmp_path_factory.mktemp("config") / "demo.yaml"
    path.write_text(yaml.safe_dump({**values, "max_samples": 64, "max_eval_samples": 30}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(offline, small_config, tmp_path_factory):
    """Folder of a demo that had nothing to fetch from, its picture beside it, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    console = Console(file=io.StringIO(), width=200)
    demo.run_demo(console, folder / "out", small_config, folder / "summary.svg")
    return folder, console.file.getvalue()


def test_with_nothing_reachable_the_demo_makes_its_own_and_says_so(done):
    folder, said = done
    assert "No real ratings" in said
    assert "No real model" in said
    assert "40 held-out records, invented ratings" in said
    for row in ("item like-rate", "history fraction liked", "base ", "with the adapter", "boosted trees"):
        assert row in said
    assert (folder / "out" / "adapter_model.safetensors").is_file()
    assert len((folder / "out" / "evaluation_rows.jsonl").read_text().splitlines()) == 40
    task = read_task(folder / "out")
    assert isinstance(task, RatingsTask)
    assert task.protocol == SplitProtocol(history_length=8, hints=True, candidate_line=True)
    page = (folder / "out" / "report.html").read_text()
    assert "AUC" in page
    assert "in the tree" in page
    picture = (folder / "summary.svg").read_text()
    assert "adapter" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_a_demo_that_was_there_is_not_trained_again(done, small_config):
    folder, _ = done
    trained_at = (folder / "out" / "adapter_model.safetensors").stat().st_mtime
    again = Console(file=io.StringIO(), width=200)
    demo.run_demo(again, folder / "out", small_config)
    assert "is there already" in again.file.getvalue()
    assert (folder / "out" / "adapter_model.safetensors").stat().st_mtime == trained_at


def test_an_adapter_of_other_records_is_not_taken_for_the_demo_s(done, monkeypatch):
    """Such as invented ones, where the ratings can be fetched by now."""
    folder, _ = done
    config = load_config(folder / "out" / "config.yaml", ["overwrite_output_dir=true"])
    trained = []
    monkeypatch.setattr("likely.cli.train.train_shown", lambda console, config: trained.append(config))
    demo.finetune(Console(quiet=True), config)
    assert trained == []
    records = folder / "out" / "data" / "train.json"
    before = records.read_bytes()
    try:
        records.write_bytes(before + b"\n")
        demo.finetune(Console(quiet=True), config)
    finally:
        records.write_bytes(before)
    assert trained == [config]


def test_a_preset_that_is_missing_is_told_before_anything_is_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "gather", lambda *arguments: pytest.fail("something was fetched"))
    with pytest.raises(LikelyError, match="does not exist"):
        demo.run_demo(Console(quiet=True), tmp_path / "out", tmp_path / "nowhere.yaml")


def test_infer_shows_examples_of_the_demo(done, capsys):
    folder, _ = done
    assert run(["infer", "--adapter-dir", str(folder / "out"), "--max-samples", "12", "--examples", "2"]) == 0
    shown = capsys.readouterr().out
    assert "This user " in shown  # the hint of a record
    assert "12 rows of" in shown
