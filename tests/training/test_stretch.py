"""A run holds its folder, goes on only as the run it was, is named once, and leaves no traceback of a full disk."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from likely.config.run_config import RunConfig
from likely.data.records import write_records
from likely.errors import LikelyError, StoppedError
from likely.model.base import Precision
from likely.training import callbacks
from likely.training.run_folder import Start
from likely.training.stopping import StopRequest
from likely.training.stretch import begun_in, go_on, logged, own_callbacks, run_facts, run_name_of, take_steps
from support import rows_of

FLOAT32 = Precision("float32", False)


@pytest.fixture
def config_of(tmp_path, records):
    write_records(tmp_path / "train.json", rows_of(records[:4]))
    write_records(tmp_path / "eval.json", rows_of(records[4:8]))

    def make(**changes):
        files = {f"{split}_file": str(tmp_path / f"{split}.json") for split in ("train", "eval")}
        values = {"model_name_or_path": "m", "dataset": None, **files, "output_dir": str(tmp_path / "run")}
        return RunConfig(**{**values, **changes})

    return make


@pytest.fixture
def facts_of(config_of, builder, records):
    """Return what a run on the first four records is made with."""
    train = builder.encode_all(records[:4])
    return lambda **changes: run_facts(config_of(**changes), FLOAT32, train)


def test_a_folder_is_held_while_a_run_is_in_it_and_free_afterwards(tmp_path):
    folder = tmp_path / "new" / "run"
    with begun_in(folder, overwrite=False, resume=False) as start:
        assert start == Start()
        with pytest.raises(LikelyError, match="in use by another run"), begun_in(folder, True, False):
            pass
    with pytest.raises(ZeroDivisionError), begun_in(folder, False, False):
        raise ZeroDivisionError
    with begun_in(folder, False, False):
        pass


def test_evaluation_data_matter_where_there_is_an_evaluation(facts_of, tmp_path, records):
    before, unevaluated = facts_of(), facts_of(eval_strategy="no")
    write_records(tmp_path / "eval.json", rows_of(records[8:9]))
    assert facts_of() != before
    assert facts_of(eval_strategy="no") == unevaluated
    write_records(tmp_path / "train.json", rows_of(records[:3]))
    assert facts_of(eval_strategy="no") != unevaluated


def gone_on(start, facts):
    told = []
    go_on(start, facts, lambda title, text: told.append((title, text)))
    return told


def test_a_run_that_begins_is_compared_with_nothing(facts_of):
    assert gone_on(Start(), facts_of()) == []


def test_a_run_that_goes_on_says_from_where_and_what_has_changed(facts_of):
    notes = ("checkpoint-6 is skipped: it is empty.", "Going on from checkpoint-4.")
    start = Start(Path("checkpoint-4"), {"made_with": facts_of()}, notes=notes)
    assert gone_on(start, facts_of()) == [("Resume", note) for note in notes]
    *found, (_, changed) = gone_on(start, facts_of(logging_steps=3))
    assert [text for _, text in found] == list(notes)
    assert "logging_steps 10 -> 3" in changed
    with pytest.raises(LikelyError, match=r"checkpoint-4 was made with another configuration \(seed: 42 -> 7\)"):
        gone_on(start, facts_of(seed=7))


@pytest.mark.parametrize(
    ("changes", "start", "kinds"),
    [
        ({}, Start(), ["KeepBest", "StopWithoutBetter"]),
        ({"early_stopping_patience": None}, Start(), ["KeepBest"]),
        ({"eval_strategy": "no"}, Start(), []),
        ({"eval_strategy": "no", "max_minutes": 3.0}, Start(), ["StopAfter"]),
        ({"eval_strategy": "epoch"}, Start(Path("checkpoint-4")), ["KeepBest", "StopWithoutBetter", "GoOn"]),
    ],
)
def test_a_run_does_around_its_steps_what_its_configuration_asks_for(config_of, changes, start, kinds):
    chosen = own_callbacks(config_of(**changes), start, callbacks.Clock(), StopRequest())
    always = ["EvaluateAtEnd", "StopOnRequest"]
    names = [type(callback).__name__ for callback in chosen]
    assert sorted(names) == sorted([*kinds, *always])
    in_module = [name for name in vars(callbacks) if name in names]
    assert names == in_module, "they are called in the order in which they stand there"


@pytest.mark.parametrize(
    ("configured", "before", "expected"), [("mine", {"run_name": "old"}, "mine"), (None, {"run_name": "old"}, "old")]
)
def test_a_resumed_run_keeps_the_name_of_its_logs(config_of, configured, before, expected):
    assert run_name_of(config_of(run_name=configured), Start(about=before)) == expected


def test_a_nameless_run_is_named_by_the_time(config_of):
    named = time.mktime(time.strptime(run_name_of(config_of(), Start()), "%Y-%m-%d_%H-%M-%S"))
    assert abs(time.time() - named) < 60


@pytest.fixture
def trainer(tmp_path):
    """What stands in for a trainer: it takes no steps."""
    return SimpleNamespace(
        output_dir=tmp_path,
        state=SimpleNamespace(global_step=3, max_steps=9),
        add_callback=lambda callback: None,
        train=lambda resume_from_checkpoint: None,
    )


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a bug")])
def test_a_thread_that_cannot_write_says_nothing_and_bugs_of_others_are_seen(config_of, trainer, monkeypatch, error):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda what: seen.append(what.exc_value))
    before = threading.excepthook

    def fail():
        raise error

    with logged(config_of(), trainer, Start(), "name"):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert seen == ([] if isinstance(error, OSError) else [error])
    assert threading.excepthook is before


def test_a_run_that_was_asked_to_stop_says_at_which_step_and_with_which_status(config_of, trainer):
    request = StopRequest()
    take_steps(config_of(), trainer, Start(), "name", request, print)
    request.is_met = True
    with pytest.raises(StoppedError, match=f"after step 3 of 9, which is saved in {trainer.output_dir}") as stopped:
        take_steps(config_of(), trainer, Start(), "name", request, print)
    assert stopped.value.exit_status == request.exit_status


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", ".."])
def test_a_checkpoint_cannot_send_the_log_elsewhere(config_of, name):
    assert run_name_of(config_of(), Start(about={"run_name": name})).startswith("2")
