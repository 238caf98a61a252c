"""Runs to export: an adapter with random weights on a tiny base model, and the records that it is checked on."""

import json

import pytest

from likely.model.adapter import Lora
from support import rows_of, save_drawn_run


@pytest.fixture(scope="session")
def make_run(records):
    """Return a function that writes the folder of a run on a base model."""

    def make(folder, base, **changes):
        files = dict.fromkeys(("train_file", "test_file"), str(folder / "test.json"))
        save_drawn_run(folder, base, Lora(4, 8, 0.1, ["all"]), spread=0.2, **files, **changes)
        (folder / "test.json").write_text(json.dumps(rows_of(records)), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def run_folder(make_run, tiny_base, tmp_path_factory):
    """Folder of a run on the tiny base model."""
    return make_run(tmp_path_factory.mktemp("exporting") / "run", tiny_base)
