"""A small finished run on invented ratings, with its catalogue and test rows, and a server of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from fastapi.testclient import TestClient
from safetensors.torch import load_file, save_file

from likely.cli import run
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
