"""A run starts only where it destroys nothing, and says how to go on."""

import os

import pytest

from likely.errors import LikelyError
from likely.model.adapter import ADAPTER_WEIGHTS
from likely.training.run_folder import check_folder, check_output, leave_adapter, run_figures
from tiny_trainer import fresh_model, trainer_for


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(LikelyError, match="no checkpoint to resume from"):
        check_output(tmp_path / "run", overwrite=False, resume=True)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LikelyError, match="cannot be written"):
        check_folder(tmp_path / "file" / "run")


def test_a_new_folder_is_made(tmp_path):
    check_folder(tmp_path / "a" / "run")
    assert check_output(tmp_path / "a" / "run", overwrite=False, resume=False).checkpoint is None


@pytest.mark.parametrize(
    ("content", "words"),
    [("adapter_model.safetensors", "a finished run; set overwrite_output_dir=true"), ("checkpoint-5/x", "--resume")],
)
def test_what_another_run_left_is_kept_unless_told(tmp_path, content, words):
    path = tmp_path / content
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    with pytest.raises(LikelyError, match=words):
        check_output(tmp_path, overwrite=False, resume=False)
    assert path.read_bytes() == b"weights"
    assert check_output(tmp_path, overwrite=True, resume=False).checkpoint is None


@pytest.mark.parametrize("moves", range(4))
def test_an_adapter_is_never_beside_files_of_another_however_early_it_ends(
    tmp_path, tiny_base, builder, monkeypatch, moves
):
    model = fresh_model(tiny_base)
    leave_adapter(tmp_path, model, builder.tokenizer, {"config.yaml": "a"})
    done, move = [], os.replace

    def killed(*paths):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(move(*paths))

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        leave_adapter(tmp_path, model, builder.tokenizer, {"config.yaml": "b"})
    monkeypatch.undo()
    assert not (tmp_path / ADAPTER_WEIGHTS).exists()
    leave_adapter(tmp_path, model, builder.tokenizer, {"config.yaml": "b"})
    assert (tmp_path / ADAPTER_WEIGHTS).exists()


@pytest.fixture
def figures_of(tiny_base, builder, records, tmp_path):
    """Return the figures of a training on five records, of which a step has two."""
    encoded = builder.encode_all(records[:5])

    def figures(**arguments):
        own = {"per_device_train_batch_size": 2, "save_strategy": "no", **arguments}
        trainer = trainer_for(fresh_model(tiny_base), builder, encoded, "tree", tmp_path, **own)
        trainer.train()
        return run_figures(trainer, 1.0)["train"]

    return figures


@pytest.mark.parametrize(("steps", "seen"), [(1, 2), (2, 4), (3, 5), (5, 9), (6, 10)])
def test_records_are_counted_as_they_were_seen(figures_of, steps, seen):
    assert figures_of(max_steps=steps)["records"] == seen


@pytest.mark.parametrize(
    ("schedule", "left"),
    [("linear", 0.0), ("cosine", 0.0), ("constant", None), ("constant_with_warmup", None), ("inverse_sqrt", None)],
)
def test_schedules_that_never_come_down_have_nothing_left_to_come_down(figures_of, schedule, left):
    assert figures_of(num_train_epochs=1, lr_scheduler_type=schedule)["rate_left"] == left
