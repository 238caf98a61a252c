"""The demo works where nothing can be fetched, says what it used instead, and does not train twice."""

import io

import pytest
import yaml
from rich.console import Console

from likely.cli import demo, run
from likely.errors import LikelyError
from likely.sources import catalogue as sources
from likely.sources.download import UnreachableError


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def nothing(*arguments, **options):
        raise UnreachableError("no network.")

    monkeypatch.setattr(sources, "download", nothing)
    monkeypatch.setattr(sources, "wheel_members", nothing)
    for name in ("resolve_model", "resolve_dataset"):
        there = getattr(sources, name)
        monkeypatch.setattr(sources, name, lambda wanted, resolve=there: resolve(wanted, tmp_path / "cache"))
    monkeypatch.setattr(demo, "COMPARED", 40)


@pytest.fixture
def small_config(tmp_path):
    values = yaml.safe_load(demo.CONFIG.read_text(encoding="utf-8"))
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump({**values, "max_samples": 64, "max_eval_samples": 30}), encoding="utf-8")
    return path


def test_with_nothing_reachable_the_demo_makes_its_own_and_says_so(offline, small_config, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    demo.run_demo(console, tmp_path / "out", small_config, tmp_path / "summary.svg")
    said = console.file.getvalue()
    assert "No real ratings" in said
    assert "No real model" in said
    assert "40 held-out records, invented ratings" in said
    for row in ("item like-rate", "history fraction liked", "base ", "with the adapter", "boosted trees"):
        assert row in said
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert len((tmp_path / "out" / "evaluation_rows.jsonl").read_text().splitlines()) == 40
    page = (tmp_path / "out" / "report.html").read_text()
    assert "AUC" in page
    assert "in the tree" in page
    picture = (tmp_path / "summary.svg").read_text()
    assert "adapter" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")

    trained_at = (tmp_path / "out" / "adapter_model.safetensors").stat().st_mtime
    again = Console(file=io.StringIO(), width=200)
    demo.run_demo(again, tmp_path / "out", small_config)
    assert "is there already" in again.file.getvalue()
    assert (tmp_path / "out" / "adapter_model.safetensors").stat().st_mtime == trained_at


def test_a_preset_that_is_missing_is_told_before_anything_is_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "gather", lambda *arguments: pytest.fail("something was fetched"))
    with pytest.raises(LikelyError, match="does not exist"):
        demo.run_demo(Console(quiet=True), tmp_path / "out", tmp_path / "nowhere.yaml")


def test_infer_shows_examples_of_the_demo(offline, small_config, tmp_path, capsys):
    demo.run_demo(Console(quiet=True), tmp_path / "out", small_config)
    assert run(["infer", "--adapter-dir", str(tmp_path / "out"), "--max-samples", "12", "--examples", "2"]) == 0
    shown = capsys.readouterr().out
    assert "Candidate:" in shown
    assert "12 records" in shown
