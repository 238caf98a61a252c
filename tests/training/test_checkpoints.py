"""A checkpoint is whole or not there; what is not whole is named, skipped, and never in the way of one that is."""

import errno
import os
import shutil
import socket
import stat

import pytest
from safetensors.torch import load_file
from transformers import TrainerCallback

from likely.data.task import BLEND_FILES
from likely.errors import LikelyError
from likely.model.adapter import ADAPTER_WEIGHTS
from likely.training.checkpoints import (
    ABOUT,
    STATE,
    checkpoint_of,
    checkpoints_in,
    newest_whole,
    read_about,
    rotate,
    tidy,
    what_is_wrong,
)
from likely.training.run_folder import leave_adapter
from tiny_trainer import fresh_model, trainer_for

FILES = (ADAPTER_WEIGHTS, "adapter_config.json", "optimizer.pt", "scheduler.pt", STATE, "rng_state.pth")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_base, builder, records):
    """Folder with the whole checkpoints 3, 6 and 9, and the weights after step 9."""
    folder = tmp_path_factory.mktemp("trained")
    trainer = small_trainer(folder, tiny_base, builder, records)
    trainer.train()
    return folder


def small_trainer(folder, tiny_base, builder, records, **arguments):
    defaults = {"num_train_epochs": 3, "save_steps": 3, "learning_rate": 1e-2, "per_device_train_batch_size": 2}
    model = fresh_model(tiny_base, dropout=0.1)
    about = {"about": lambda: {"seconds": 1.5}}
    encoded = builder.encode_all(records[:5])
    return trainer_for(model, builder, encoded, "tree", folder, **about, **{**defaults, **arguments})


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the trained folder that a test may damage."""
    return shutil.copytree(trained, tmp_path / "run")


def missing(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


def a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = (missing, empty, cut_short, flipped, a_folder)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [*FILES, ABOUT])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(run, name, damage):
    damage(run / "checkpoint-9" / name)
    found, skipped = newest_whole(run)
    if (name, damage) == (ABOUT, missing):  # as an earlier version left it: whole, but of unknown origin
        assert (found.name, skipped) == ("checkpoint-9", [])
        return
    assert found.name == "checkpoint-6"
    (line,) = skipped
    assert line.startswith("checkpoint-9 is skipped: ")
    assert name in line


@pytest.mark.parametrize("damage", [missing, empty, cut_short, a_folder])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_of_an_earlier_version_is_skipped_too(run, name, damage):
    for checkpoint in checkpoints_in(run):
        (checkpoint / ABOUT).unlink()
    damage(run / "checkpoint-9" / name)
    found, (line,) = newest_whole(run)
    assert found.name == "checkpoint-6"
    assert name in line


@pytest.mark.parametrize(
    "name", ["checkpoint-99", "checkpoint-6-good", "checkpoint-", "checkpoint-x", ".checkpoint-99"]
)
@pytest.mark.parametrize("kind", ["empty folder", "file", "dangling link", "renamed copy"])
def test_what_only_bears_the_name_is_never_taken(run, name, kind):
    if kind == "empty folder":
        (run / name).mkdir()
    elif kind == "file":
        (run / name).write_text("notes")
    elif kind == "dangling link":
        (run / name).symlink_to(run / "nowhere")
    else:
        shutil.copytree(run / "checkpoint-3", run / name)
    found, skipped = newest_whole(run)
    assert found.name == "checkpoint-9"
    assert [line.split()[0] for line in skipped] == (["checkpoint-99"] if name == "checkpoint-99" else [])


def test_with_nothing_whole_all_are_named(run):
    for checkpoint in checkpoints_in(run):
        (checkpoint / "optimizer.pt").unlink()
    found, skipped = newest_whole(run)
    assert found is None
    assert [line.split()[0] for line in skipped] == ["checkpoint-9", "checkpoint-6", "checkpoint-3"]


def test_a_run_resumed_from_a_whole_checkpoint_ends_with_the_same_weights(run, trained, tiny_base, builder, records):
    (run / "checkpoint-9" / "scheduler.pt").write_bytes(b"")
    found, _ = newest_whole(run)
    trainer = small_trainer(run, tiny_base, builder, records)
    trainer.train(resume_from_checkpoint=str(found))
    assert newest_whole(run) == (run / "checkpoint-9", [])
    expected, got = (load_file(folder / "checkpoint-9" / ADAPTER_WEIGHTS) for folder in (trained, run))
    assert all((got[name] == expected[name]).all() for name in expected)


def test_a_checkpoint_says_what_it_was_made_with(trained):
    about = read_about(trained / "checkpoint-6")
    assert (about["step"], about["seconds"]) == (6, 1.5)
    assert set(FILES) <= set(about["files"])


def test_saving_asks_nobody_about_a_base_model_from_the_hub(tmp_path, tiny_base, builder, records, monkeypatch):
    asked = []

    def no_network(*address, **named):
        asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    trainer = small_trainer(tmp_path, tiny_base, builder, records)
    trainer.adapter.peft_config["default"].base_model_name_or_path = "somebody/model"
    trainer.adapter.get_base_model().config._name_or_path = "somebody/model"
    trainer.train()
    for name in BLEND_FILES:  # of an adapter that was here before
        (tmp_path / name).touch()
    leave_adapter(tmp_path, trainer.adapter, builder.tokenizer, {})
    assert len(checkpoints_in(tmp_path)) == 3
    assert asked == []
    assert not any((tmp_path / name).exists() for name in BLEND_FILES)


@pytest.mark.parametrize(
    ("limit", "best", "kept"), [(1, 3, [3, 9]), (2, 3, [3, 9]), (2, 9, [6, 9]), (1, None, [9]), (None, 3, [3, 6, 9])]
)
def test_the_newest_and_the_best_are_kept(run, limit, best, kept):
    rotate(run, limit, 9, best)
    assert checkpoints_in(run) == [checkpoint_of(run, step) for step in kept]


def test_rotation_leaves_what_is_not_ours(run):
    names = ("checkpoint-2", "checkpoint-99", "checkpoint-3-good")
    for name in names:
        (run / name).mkdir()
    rotate(run, 1, 9, None)
    assert {path.name for path in run.glob("checkpoint-*")} == {"checkpoint-9", *names}


def test_what_a_killed_run_left_half_done_is_tidied(run):
    for name in (".checkpoint-12", ".checkpoint-3.going", ".writing-xyz", ".checkpoint-notes"):
        (run / name).mkdir()
    tidy(run)
    assert {path.name for path in run.glob(".*-*")} == {".checkpoint-notes"}


@pytest.mark.parametrize("name", ["optimizer.pt", ABOUT])
def test_a_disk_that_fills_up_is_said_and_costs_nothing(run, tiny_base, builder, records, monkeypatch, name):
    """Every write of a file from the second checkpoint on fails as on a full disk, at one file after another."""
    shutil.rmtree(run / "checkpoint-9")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    trainer = small_trainer(run, tiny_base, builder, records)
    with monkeypatch.context() as full:
        fail_at(full, run / ".checkpoint-9" / name)
        with pytest.raises(LikelyError, match=r"checkpoint of step 9 cannot be written .*--resume from checkpoint-6"):
            trainer.train(resume_from_checkpoint=str(run / "checkpoint-6"))
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    again = small_trainer(run, tiny_base, builder, records)
    again.train(resume_from_checkpoint=str(newest_whole(run)[0]))
    assert what_is_wrong(run / "checkpoint-9") is None


def fail_at(monkeypatch, target):
    """Let the file system refuse to flush one file, which is where a full disk shows at the latest."""
    import errno

    from likely.training import checkpoints

    real = checkpoints._flush

    def flush(path):
        if path == target:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path)

    monkeypatch.setattr(checkpoints, "_flush", flush)


def test_a_file_system_that_flushes_no_folders_keeps_checkpoints(tmp_path, tiny_base, builder, records, monkeypatch):
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    small_trainer(tmp_path, tiny_base, builder, records, num_train_epochs=1).train()
    assert newest_whole(tmp_path) == (tmp_path / "checkpoint-3", [])


def test_a_folder_that_is_removed_while_a_run_is_in_it_is_said(tmp_path, tiny_base, builder, records):
    trainer = small_trainer(tmp_path / "run", tiny_base, builder, records)
    trainer.add_callback(RemovesTheFolder())
    with pytest.raises(LikelyError, match=r"checkpoint of step 3 cannot be written .*No such file or directory"):
        trainer.train()


class RemovesTheFolder(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        shutil.rmtree(args.output_dir, ignore_errors=True)


def test_every_byte_of_what_a_checkpoint_says_counts(run):
    path = run / "checkpoint-9" / ABOUT
    text = path.read_bytes()
    for place in range(0, len(text), 17):
        if text[place : place + 1].isspace():
            continue  # between tokens it says nothing
        path.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        assert what_is_wrong(path.parent) == f"{ABOUT} is damaged"
