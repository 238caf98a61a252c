"""What `infer`, `evaluate` and `rank` had scored before they were killed is taken up, and never by anything else."""

import errno
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from likely.cli import run
from likely.data.protocol import SplitProtocol
from likely.data.records import write_records
from likely.data.task import TASK_FILE, dump_task, ratings_task
from likely.inference.kept_answers import KeptAnswers
from likely.inference.loaded_run import LoadedRun, config_of
from likely.locking import alone_at
from likely.model import scoring
from likely.model.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Lora
from likely.model.kept_passes import KeptPasses
from processes import start_python
from support import rows_of, save_drawn_run

pytestmark = pytest.mark.usefixtures("sketched")

HISTORY = [{"title": "Heat", "year": 1995, "genres": ["Action"], "rating": 4.5}]
CANDIDATES = [{"title": f"Film {number}", "year": 1950 + number} for number in range(12)]
VERBS = ("infer", "evaluate", "rank")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_base, records):
    """Folder of a run with a test file, whose forward passes are small."""
    folder = tmp_path_factory.mktemp("kept") / "run"
    keys = {"cutoff_len": 200, "per_device_eval_batch_size": 1}
    keys |= dict.fromkeys(("train_file", "eval_file", "test_file"), str(folder / "data.json"))
    save_drawn_run(folder, tiny_base, Lora(4, 8, 0.0, ["q_proj"]), spread=0.5, **keys)
    write_records(folder / "data.json", rows_of(records[:24]))
    (folder / TASK_FILE).write_text(dump_task(ratings_task(SplitProtocol())), encoding="utf-8")
    return folder


@pytest.fixture
def passes(monkeypatch):
    """Forward passes that score records, and after how many of them a signal arrives or the disk is full."""
    seen = {"count": 0, "stop": None}
    compute = scoring.answer_logits

    def counted(*arguments):
        if seen["count"] == seen["stop"]:
            raise KeyboardInterrupt
        seen["count"] += 1
        return compute(*arguments)

    monkeypatch.setattr(scoring, "answer_logits", counted)
    return seen


def words(verb, folder, output):
    """The command, and the file that it writes its scores into."""
    if verb == "evaluate":
        output.mkdir(parents=True, exist_ok=True)
        return [verb, "--run", str(folder), "--output", str(output)], output / "evaluation_rows.jsonl"
    output.parent.mkdir(parents=True, exist_ok=True)
    if verb == "infer":
        return [verb, "--run", str(folder), "--output", str(output)], output
    for name, rows in (("history", HISTORY), ("candidates", CANDIDATES)):
        (output.parent / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    files = [f"--{name}={output.parent / name}.json" for name in ("history", "candidates")]
    return [verb, "--run", str(folder), *files, "--output", str(output)], output


@pytest.mark.parametrize("verb", VERBS)
def test_a_stopped_command_goes_on_where_it_was_and_writes_the_same(verb, folder, tmp_path, passes, capsys):
    command, written = words(verb, folder, tmp_path / "whole" / "out")
    assert run(command) == 0
    whole, passes["count"] = passes["count"], 0
    expected = written.read_bytes()

    command, written = words(verb, folder, tmp_path / "stopped" / "out")
    passes["stop"] = half = whole // 2
    assert 0 < half < whole
    assert run(command) == 130
    told = " ".join(capsys.readouterr().err.split())
    assert "is kept beside" in told
    assert not written.exists()
    assert list((tmp_path / "stopped").rglob("*scores-*.partial"))

    passes["stop"], passes["count"] = None, 0
    assert run(command) == 0
    assert passes["count"] == whole - half
    assert "answers had been scored before" in capsys.readouterr().out
    assert written.read_bytes() == expected
    assert not [path for path in (tmp_path / "stopped").rglob("*") if "partial" in path.name or "lock" in path.name]


@pytest.mark.slow
def test_a_killed_evaluation_has_kept_what_it_scored(folder, tmp_path):
    command, written = words("evaluate", folder, tmp_path / "out")
    slowly = "import time; from likely.model import scoring; compute = scoring.answer_logits\n"
    slowly += "scoring.answer_logits = lambda *words: (time.sleep(0.3), compute(*words))[1]\n"
    slowly += f"from likely.cli import run; run({command!r})"
    started = start_python(slowly, tmp_path, tmp_path / "said.txt")
    until = time.monotonic() + 60
    while sum(lines_of(path) for path in tmp_path.rglob("*.partial")) < 4 and time.monotonic() < until:
        time.sleep(0.05)
    started.send(signal.SIGKILL)
    started.ended()
    kept = sum(lines_of(path) for path in tmp_path.rglob("*.partial"))
    assert kept >= 4
    assert not written.exists()
    assert run(command) == 0
    assert written.exists()


def lines_of(path: Path) -> int:
    return max(path.read_text(encoding="utf-8").count("\n") - 1, 0)


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_a_sentence_and_costs_no_score(verb, folder, tmp_path, passes, capsys, monkeypatch):
    command, _ = words(verb, folder, tmp_path / "out")
    add = KeptPasses.add
    usual = Path.open

    def full(path, mode="r", *arguments, **named):
        if mode == "a" and path.suffix == ".partial":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return usual(path, mode, *arguments, **named)

    def add_until_full(self, *arguments):
        if passes["count"] > 2:
            with monkeypatch.context() as patch:
                patch.setattr(Path, "open", full)
                add(self, *arguments)
        add(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(KeptPasses, "add", add_until_full)
        assert run(command) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "cannot be written (No space left on device); make space there" in told
    assert told.count("likely:") == 1
    passes["count"] = 0
    assert run(command) == 0
    assert "answers had been scored before" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_a_second_command_does_not_write_the_same_output(verb, folder, tmp_path, passes, capsys):
    command, _ = words(verb, folder, tmp_path / "out")
    with alone_at(tmp_path / "out"):
        assert run(command) == 2
    assert f"is being written by another command (process {os.getpid()} on" in " ".join(capsys.readouterr().err.split())
    assert passes["count"] == 0


def scaled(path, factor):
    """An adapter with other weights in the place of one."""
    weights = {name: weight * factor for name, weight in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


def sharper(path):
    """The same weights, applied twice as strongly."""
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | {"lora_alpha": 2 * values["lora_alpha"]}), encoding="utf-8")


def other_base(base, changed):
    """Change the last weight of a model's last layer, or a number by which it computes."""
    if changed == "base":
        weights = load_file(base / "model.safetensors")
        weights["model.layers.1.mlp.down_proj.weight"][-1, -1] += 1
        save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    else:
        values = json.loads((base / "config.json").read_text(encoding="utf-8"))
        (base / "config.json").write_text(json.dumps(values | {"rms_norm_eps": 0.1}), encoding="utf-8")


CHANGES = ("weights", "alpha", "rows", "layout", "base or adapter", "prompts", "base", "base's config")


@pytest.mark.parametrize("changed", CHANGES)
def test_scores_of_something_else_are_never_taken_up(changed, folder, tiny_base, tmp_path, records, passes):
    copy = shutil.copytree(folder, tmp_path / "run")
    kept = KeptAnswers(tmp_path / "out.jsonl")
    LoadedRun.load(copy).answers(records[:20], kept=kept)
    if changed == "weights":
        scaled(copy / ADAPTER_WEIGHTS, 1.5)
    if changed == "alpha":
        sharper(copy / ADAPTER_CONFIG)
    if changed in CHANGES[-2:]:
        other_base(shutil.copytree(tiny_base, tmp_path / "other" / tiny_base.name), changed)
    moved = [f"model_name_or_path={tmp_path / 'other' / tiny_base.name}"]
    knobs = {"base": moved, "base's config": moved, "layout": ["batching=padded"], "prompts": ["cutoff_len=150"]}.get(
        changed, []
    )
    loaded = LoadedRun.load(copy, config_of(copy, None, knobs))
    asked = records[1:21] if changed == "rows" else records[:20]
    again, passes["count"] = KeptAnswers(tmp_path / "out.jsonl"), 0
    said = loaded.answers(asked, adapter=changed != "base or adapter", kept=again)
    assert again.known == 0
    assert passes["count"] > 0
    np.testing.assert_array_equal(said.p_yes, loaded.answers(asked, adapter=changed != "base or adapter").p_yes)


def test_the_same_scores_are_taken_up_after_whatever_was_torn(folder, tmp_path, records, passes):
    loaded, kept = LoadedRun.load(folder), KeptAnswers(tmp_path / "out.jsonl")
    said = loaded.answers(records[:20], kept=kept)
    (path,) = tmp_path.glob("*.partial")
    content = path.read_bytes()
    header = content.index(b"\n") + 1
    for cut in (0, 3, header, header + 5, len(content) - 3, len(content)):
        for tail in (b"", b"\0\0\0\n", b"7 0.5\n", b"7 x 0 0 0 0\n"):
            path.write_bytes(content[:cut] + tail)
            again = KeptAnswers(tmp_path / "out.jsonl")
            found = loaded.answers(records[:20], kept=again)
            np.testing.assert_array_equal(found.p_yes, said.p_yes)
            assert path.read_bytes().count(b"\n") >= 21
    passes["count"] = 0
    loaded.answers(records[:20], kept=KeptAnswers(tmp_path / "out.jsonl"))
    assert passes["count"] == 0
