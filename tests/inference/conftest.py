"""A run to ask: an adapter with random weights on a tiny base model, and rows to ask about."""

import pytest

from likely.data.task import TASK_FILE, RecordsTask, dump_task
from likely.model.adapter import Lora
from support import rows_of, save_drawn_run


@pytest.fixture(scope="session")
def folder(tmp_path_factory, tiny_base):
    """Folder of a run: an adapter with random weights and its configuration."""
    lora = Lora(4, 8, 0.0, ["q_proj"])
    folder = tmp_path_factory.mktemp("predict") / "run"
    save_drawn_run(folder, tiny_base, lora, spread=0.5, per_device_eval_batch_size=2)
    (folder / TASK_FILE).write_text(dump_task(RecordsTask()), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def rows(records):
    """Rows without answers, a column among them that means nothing here."""
    rows = rows_of(records)
    for place, row in enumerate(rows):
        del row["output"]
        row["note"] = f'“{place}”, "quoted"\nand more' if place % 3 else None
    return rows
