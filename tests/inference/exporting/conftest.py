"""Runs to export: an adapter with random weights on a tiny base model, and the records that it is checked on."""

import json

import pytest
import yaml

from likely.model.adapter import Lora
from support import rows_of, save_drawn_adapter


@pytest.fixture(scope="session")
def make_run(records):
    """Return a function that writes the folder of a run on a base model."""

    def make(folder, base, **changes):
        save_drawn_adapter(folder, base, Lora(4, 8, 0.1, ["all"]), spread=0.2)
        (folder / "test.json").write_text(json.dumps(rows_of(records)), encoding="utf-8")
        values = {
            "model_name_or_path": str(base),
            "dataset": None,
            "train_file": str(folder / "test.json"),
            "test_file": str(folder / "test.json"),
            "output_dir": str(folder),
            "cutoff_len": 512,
        }
        (folder / "config.yaml").write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def run_folder(make_run, tiny_base, tmp_path_factory):
    """Folder of a run on the tiny base model."""
    return make_run(tmp_path_factory.mktemp("exporting") / "run", tiny_base)
