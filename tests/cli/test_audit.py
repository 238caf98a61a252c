"""The audit measures what training computes."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from likely.cli.audit import audit_prompts, character_lengths
from likely.cli.prompts import prompt_builder
from likely.config.reading import dump_config
from likely.config.run_config import RunConfig
from likely.data.records import write_records
from likely.data.run_data import training_records
from support import rows_of

SCRIPT = Path(__file__).parents[2] / "finetune" / "scripts" / "check_seq_len.py"

ANSWERS = {"Yes": "Yes, without any doubt at all", "No": "No"}


@pytest.fixture
def config(tmp_path, tiny_base, records):
    """A run whose two answers differ by several tokens, and whose records have an earlier turn."""
    rows = [{**row, "output": ANSWERS[row["output"]], "history": [["Hi?", "No"]]} for row in rows_of(records)]
    write_records(tmp_path / "train.json", rows)
    keys = {"model_name_or_path": str(tiny_base), "dataset": None, "train_file": str(tmp_path / "train.json")}
    labels = {"positive_label": ANSWERS["Yes"], "negative_label": ANSWERS["No"]}
    return RunConfig(**keys, **labels, output_dir=str(tmp_path / "run"), cutoff_len=512)


def test_as_many_records_are_said_to_be_shortened_as_training_shortens(config):
    records = training_records(config)
    whole = prompt_builder(config, 512).encode_all(records)
    for longest in sorted(len(one.input_ids) for one in whole if not one.liked)[-3:]:
        cutoff = longest + 1  # for the short answer of that record; the long one needs more
        shortened = sum(one.dropped_lines > 0 for one in prompt_builder(config, cutoff).encode_all(records))
        text = io.StringIO()
        audit_prompts(Console(file=text, width=200), config.model_copy(update={"cutoff_len": cutoff}), None)
        assert f"cutoff_len {cutoff} shortens {shortened} of 40 records" in text.getvalue()


def test_characters_of_earlier_turns_count(config, records):
    expected = [len(f"{one.instruction}\n{one.input}{ANSWERS[one.output]}Hi?No") for one in records]
    assert character_lengths(config, None) == expected


def test_the_script_prints_where_not_all_characters_can_be_shown(config, tmp_path):
    (tmp_path / "run.yaml").write_text(dump_config(config), encoding="utf-8")
    words = [sys.executable, str(SCRIPT), "--char-only", "--config", str(tmp_path / "run.yaml")]
    told = subprocess.run(words, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"40 records in characters" in told.stdout
