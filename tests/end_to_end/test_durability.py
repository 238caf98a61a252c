"""Nothing is lost: what a run promises when it is killed, stopped, changed, or out of space."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from likely.cli import run
from likely.config.reading import load_config
from likely.data.records import write_records
from likely.data.run_data import evaluation_records
from likely.encoding.batches import Budget
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError
from likely.evaluation.metrics import answer_metrics
from likely.locking import alone_in
from likely.model.adapter import load_adapter
from likely.model.base import Precision, load_base, load_tokenizer
from likely.model.scoring import PassPlan, score
from likely.training.run import train
from support import rows_of

pytestmark = pytest.mark.usefixtures("sketched")

ADAPTER = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory, records, record_of):
    folder = tmp_path_factory.mktemp("data")
    write_records(folder / "train.json", rows_of(records))
    write_records(folder / "eval.json", rows_of([record_of(user, 9) for user in range(12)]))
    return folder


@pytest.fixture(scope="module")
def config_in(tiny_base, data):
    """Write a configuration of 10 steps into a folder and return its path."""

    def write(folder, **changes):
        values = {
            "model_name_or_path": str(tiny_base),
            "dataset": None,
            "train_file": str(data / "train.json"),
            "eval_file": str(data / "eval.json"),
            "output_dir": str(folder / "run"),
            "cutoff_len": 512,
            "num_train_epochs": 2,
            "learning_rate": 5e-3,
            "eval_steps": 2,
            "lora_rank": 4,
            "lora_alpha": 8,
            "logging_steps": 1,
            "gradient_accumulation_steps": 4,
            "early_stopping_patience": None,
        }
        path = folder / "run.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def whole(tmp_path_factory, config_in):
    """The folder of a run that nothing happened to."""
    path = config_in(tmp_path_factory.mktemp("whole"))
    train(load_config(path), answer_metrics)
    return path.parent / "run"


class PowerCutError(Exception):
    pass


def cut_at(evaluation):
    """Return metrics that end a run, as a power cut would, at one of its evaluations."""
    seen = []

    def metrics_of(answers, users):
        seen.append(1)
        if len(seen) == evaluation:
            raise PowerCutError
        return answer_metrics(answers, users)

    return metrics_of


def cut(path, evaluation=4):
    with pytest.raises(PowerCutError):
        train(load_config(path), cut_at(evaluation))


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory, config_in):
    """The folder of a run that was cut at its fourth evaluation."""
    path = config_in(tmp_path_factory.mktemp("interrupted"))
    cut(path)
    return path.parent / "run"


def same_weights(one, other):
    left, right = load_file(one / ADAPTER), load_file(other / ADAPTER)
    return all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("changes", [{"metric_for_best_model": "eval_loss"}, {"eval_strategy": "epoch"}])
def test_the_figures_are_of_the_very_weights_beside_them(tmp_path, config_in, tiny_base, changes):
    """Scored again from the folder alone, the adapter gives what metrics.json says."""
    if "eval_strategy" not in changes:
        changes |= {"eval_steps": 3, "save_steps": 5, "learning_rate": 2.5, "num_train_epochs": 3}
    path = config_in(tmp_path, **changes)
    train(load_config(path), answer_metrics)
    folder = tmp_path / "run"
    said = json.loads((folder / "metrics.json").read_text())
    config = load_config(folder / "config.yaml")
    model = load_adapter(load_base(str(tiny_base), Precision("float32", False), "sdpa"), folder)
    builder = PromptBuilder(load_tokenizer(str(folder)), config_labels(config), config.cutoff_len)
    asked = evaluation_records(config)
    plan = PassPlan("tree", Budget(2000), (builder.positive_ids[0], builder.negative_ids[0]))
    answers = score(model, model.get_base_model(), builder.encode_all(asked), plan)
    again = answer_metrics(answers, [record.user_id for record in asked])
    for name in ("loss", "auc", "log_loss"):
        assert again[name] == pytest.approx(said["eval"][f"eval_{name}"], abs=1e-6)
    if config.metric_for_best_model == "eval_loss":
        losses = {entry["step"]: entry["eval_loss"] for entry in said["log"] if "eval_loss" in entry}
        assert said["best_step"] == min(losses, key=losses.get)
        assert said["best_step"] % 5  # not a step at which a checkpoint was due
        assert said["best_step"] < max(losses)


def config_labels(config):
    from likely.data.run_data import labels_of

    return labels_of(config)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_a_checkpoint_and_the_command_that_goes_on(
    tmp_path, config_in, whole, capsys, number, status
):
    path = config_in(tmp_path)
    before = signal.getsignal(number)

    def send_when_training():
        until = time.monotonic() + 60
        while not (tmp_path / "run" / "checkpoint-2").exists() and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send_when_training, daemon=True)
    sender.start()
    assert run(["train", "--config", str(path), "logging_steps=1"]) == status
    sender.join()
    assert signal.getsignal(number) == before
    said = " ".join(capsys.readouterr().err.split())
    step = int(re.search(r"Stopped after step (\d+) of 10", said)[1])
    assert (tmp_path / "run" / f"checkpoint-{step}").is_dir()
    assert not (tmp_path / "run" / ADAPTER).exists()
    assert f"likely train --config {path} logging_steps=1 --resume" in said
    assert run(["train", "--config", str(path), "--resume"]) == 0
    assert same_weights(tmp_path / "run" / "checkpoint-10", whole / "checkpoint-10")


def test_two_runs_do_not_share_a_folder(tmp_path, config_in, capsys):
    path = config_in(tmp_path)
    (tmp_path / "run").mkdir()
    with alone_in(tmp_path / "run"):
        assert run(["train", "--config", str(path)]) == 2
    assert f"in use by another run (process {os.getpid()} on " in " ".join(capsys.readouterr().err.split())


def test_a_resumed_run_is_compared_with_what_it_was(tmp_path, config_in, interrupted, capsys):
    path = config_in(tmp_path)
    shutil.copytree(interrupted, tmp_path / "run")
    assert run(["train", "--config", str(path), "--resume", "seed=7", "lora_rank=8"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "checkpoint-6 was made with another configuration (seed: 42 -> 7; lora_rank: 4 -> 8)" in said
    data = tmp_path / "eval.json"
    rows = json.loads(Path(load_config(path).eval_file).read_text())
    data.write_text(json.dumps(rows[:-1]))
    assert run(["train", "--config", str(path), "--resume", f"eval_file={data}"]) == 2
    assert "content of the evaluation data" in " ".join(capsys.readouterr().err.split())


def test_another_base_model_under_the_old_name_is_refused(tmp_path, config_in, tiny_base):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    path = config_in(tmp_path, model_name_or_path=str(base))
    cut(path)
    weights = load_file(base / "model.safetensors")
    from safetensors.torch import save_file

    save_file({name: weight + 1e-3 for name, weight in weights.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(LikelyError, match="weights of the base model"):
        train(load_config(path), answer_metrics, resume=True)


def test_harmless_changes_are_applied_and_told(tmp_path, config_in, interrupted):
    path = config_in(tmp_path)
    shutil.copytree(interrupted, tmp_path / "run")
    (tmp_path / "run" / "checkpoint-9").mkdir()
    notes = []
    changed = load_config(path, ["learning_rate=1e-4", "num_train_epochs=3", "eval_steps=5", "run_name=second"])
    resumed = train(changed, answer_metrics, on_note=lambda title, text: notes.append((title, text)), resume=True)
    told = [text for title, text in notes if title == "Resume"]
    assert told[0] == "checkpoint-9 is skipped: adapter_model.safetensors is missing."
    assert told[1] == "Going on from checkpoint-6."
    assert any("learning_rate 0.005 -> 0.0001" in line for line in told)
    assert any("10 -> 15 steps" in line for line in told)
    assert any("eval_steps 2 -> 5" in line and "run_name None -> second" in line for line in told)
    assert resumed.metrics["train"]["steps"] == 15
    rates = [entry["learning_rate"] for entry in resumed.log if entry["step"] > 6 and "learning_rate" in entry]
    assert max(rates) < 1e-4
    assert load_config(tmp_path / "run" / "config.yaml").learning_rate == 1e-4


def test_with_no_whole_checkpoint_it_says_so_in_a_sentence(tmp_path, config_in, interrupted):
    path = config_in(tmp_path)
    shutil.copytree(interrupted, tmp_path / "run")
    for checkpoint in (tmp_path / "run").glob("checkpoint-*"):
        (checkpoint / "optimizer.pt").write_bytes(b"")
    with pytest.raises(LikelyError, match=r"no whole checkpoint .*checkpoint-6 is skipped: optimizer.pt is damaged"):
        train(load_config(path), answer_metrics, resume=True)


def test_curves_and_seconds_go_on_where_they_were(tmp_path, config_in):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path = config_in(tmp_path, eval_steps=3, save_steps=3)
    cut(path, evaluation=3)
    about = json.loads((tmp_path / "run" / "checkpoint-6" / "checkpoint.json").read_text())["about"]
    resumed = train(load_config(path), answer_metrics, resume=True)
    (folder,) = (tmp_path / "run" / "logs").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 11))
    assert [event.step for event in events.Scalars("eval/loss")] == [3, 6, 9, 10]
    assert resumed.metrics["train"]["seconds"] > about["seconds"] > 0


def test_a_diverged_run_ends_in_a_sentence(tmp_path, config_in):
    path = config_in(tmp_path, learning_rate=1e30, eval_steps=1, warmup_ratio=0)
    with pytest.raises(LikelyError, match=r"not finite .*(step|training rows).*What was saved before is unharmed"):
        train(load_config(path), answer_metrics)
    assert not (tmp_path / "run" / ADAPTER).exists()


@pytest.mark.parametrize("change", ["weight_decay=.inf", "learning_rate=.inf", "adam_epsilon=.inf"])
def test_numbers_that_are_none_are_refused(tmp_path, config_in, change):
    with pytest.raises(LikelyError, match=r"finite|is not a number"):
        train(load_config(config_in(tmp_path), [change]), answer_metrics)


@pytest.fixture
def disk(tmp_path):
    """Mount a file system of its own, of so many bytes, and return how; it can be mounted anew with more."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size, *options):
        how = ",".join((f"size={size}", *options))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", folder], capture_output=True).returncode:
            pytest.skip("only root may mount a small file system")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", folder], check=True)  # nothing in it is open any more


@pytest.mark.parametrize("room", [0.5, pytest.param(1.5, marks=pytest.mark.minutes), 4.5, 5])
def test_a_full_disk_is_a_sentence_and_the_run_goes_on_once_there_is_space(tmp_path, config_in, whole, disk, room):
    """Room for so many checkpoints: the disk is full at the first, the second, the last, or at the adapter."""
    size = sum(path.stat().st_size for path in (whole / "checkpoint-10").iterdir())
    folder = disk(int(room * size) + 40_000) / "run"
    path = config_in(tmp_path, output_dir=str(folder), save_total_limit=9)
    with pytest.raises(LikelyError, match=r"cannot be written to .* MB are free\); make space and"):
        train(load_config(path), answer_metrics)
    assert not (folder / ADAPTER).exists()
    assert not list(folder.glob(".checkpoint-*"))
    disk("64m", "remount")
    train(load_config(path), answer_metrics, resume=bool(list(folder.glob("checkpoint-*"))))
    assert same_weights(folder / "checkpoint-10", whole / "checkpoint-10")
