"""One model answers as base and as adapter, and what a user got wrong is said before it is loaded."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from likely.config.reading import load_config
from likely.config.run_config import RunConfig
from likely.data.protocol import SplitProtocol
from likely.data.records import write_records
from likely.data.task import TASK_FILE, dump_task, ratings_task
from likely.errors import LikelyError
from likely.inference import loaded_run
from likely.inference.loaded_run import LoadedRun, config_of
from likely.model import forward
from likely.model.adapter import Lora
from likely.model.base import Precision, load_base
from likely.model.scoring import score
from likely.model.self_check import OnlyPaddedError
from likely.training.run import train
from support import rows_of, save_drawn_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_base):
    """Folder of a run: an adapter with random weights and its configuration."""
    lora = Lora(4, 8, 0.1, ["q_proj"])
    folder = tmp_path_factory.mktemp("loaded") / "run"
    return save_drawn_run(folder, tiny_base, lora, spread=0.5, per_device_eval_batch_size=2, batching="padded")


@pytest.fixture(scope="module")
def loaded(folder):
    return LoadedRun.load(str(folder))


def test_base_and_adapter_come_from_one_model(loaded, tiny_base, records):
    base, adapter = loaded.answers(records, adapter=False), loaded.answers(records)
    plain = load_base(str(tiny_base), Precision("float32", False), "sdpa")
    expected = score(plain, plain, loaded.encode(records), loaded.plan)
    np.testing.assert_allclose(base.p_yes, expected.p_yes, rtol=1e-5)
    assert np.abs(base.p_yes - adapter.p_yes).max() > 1e-3
    np.testing.assert_array_equal(loaded.answers(loaded.encode(records)).p_yes, adapter.p_yes)


@pytest.mark.parametrize("devices", [("cuda",), ("cuda", "cpu")], ids=["plain", "autocast"])
@pytest.mark.parametrize("bits", [None, 4])
def test_a_run_of_16_bits_answers_as_its_last_evaluation_did(tiny_base, records, tmp_path, monkeypatch, devices, bits):
    """On a GPU training computes under autocast, and so does what is loaded; here a CPU does."""
    monkeypatch.setattr(forward, "AUTOCAST", devices)
    write_records(tmp_path / "data.json", rows_of(records[:20]))
    values = {"train_file": str(tmp_path / "data.json"), "eval_file": str(tmp_path / "data.json"), "dataset": None}
    values |= {"model_name_or_path": str(tiny_base), "output_dir": str(tmp_path / "run"), "dtype": "bfloat16"}
    config = RunConfig(**values, cutoff_len=512, max_steps=2, eval_steps=2, learning_rate=0.01, lora_rank=4)
    if bits:
        pytest.importorskip("bitsandbytes")
        config = config.model_copy(update={"quantization_bit": bits, "four_bit_on_cpu": True})
    evaluated = []
    train(config, lambda answers, users: evaluated.append(answers) or {"auc": 0.5})
    loaded = LoadedRun.load(tmp_path / "run")
    assert any(weight.dtype == torch.uint8 for weight in loaded.base.parameters()) == bool(bits)
    answers = loaded.answers(records[:20])
    np.testing.assert_array_equal(answers.p_yes, evaluated[-1].p_yes)
    assert len(set(answers.p_yes)) > 1


@pytest.fixture
def trained_by_trial(tiny_base, records, tmp_path, monkeypatch):
    """Folder of a run that a trial let train in bfloat16 on a CPU, the notes on it, and its last evaluation."""
    monkeypatch.setattr("likely.model.base.bfloat16_gain", lambda hidden: 1.4)
    write_records(tmp_path / "data.json", rows_of(records[:20]))
    values = {"train_file": str(tmp_path / "data.json"), "eval_file": str(tmp_path / "data.json"), "dataset": None}
    values |= {"model_name_or_path": str(tiny_base), "output_dir": str(tmp_path / "run"), "lora_rank": 4}
    config, evaluated, notes = RunConfig(**values, cutoff_len=512, max_steps=2, eval_steps=2), [], []
    train(
        config,
        lambda answers, users: evaluated.append(answers) or {"auc": 0.5},
        on_note=lambda *note: notes.append(note),
    )
    return tmp_path / "run", notes, evaluated[-1]


def test_a_run_remembers_that_it_scores_in_bfloat16_on_a_cpu(trained_by_trial, records, monkeypatch):
    folder, notes, evaluated = trained_by_trial
    assert [text[:9] for title, text in notes if title == "Precision"] == ["bfloat16,"]
    assert ", in bfloat16\n" in (folder / "README.md").read_text(encoding="utf-8")
    monkeypatch.setattr("likely.model.base.bfloat16_gain", lambda hidden: 1.1)  # in the next trial
    loaded = LoadedRun.load(folder)
    assert (loaded.base.dtype, loaded.notes) == (torch.bfloat16, ())
    np.testing.assert_array_equal(loaded.answers(records[:20]).p_yes, evaluated.p_yes)
    for layout in ("padded", "packed"):
        other = LoadedRun.load(folder, layout=layout).answers(records[:20]).p_yes
        np.testing.assert_allclose(other, evaluated.p_yes, atol=0.01)


def test_a_processor_that_is_slow_in_bfloat16_answers_in_float32_and_says_so(trained_by_trial, records, monkeypatch):
    folder, _, evaluated = trained_by_trial
    monkeypatch.setattr("likely.model.base.bfloat16_gain", lambda hidden: 0.1)
    loaded = LoadedRun.load(folder)
    assert loaded.base.dtype == torch.float32
    assert "trained beside bfloat16 and answers here beside float32" in loaded.notes[0]
    np.testing.assert_allclose(loaded.answers(records[:20]).p_yes, evaluated.p_yes, atol=0.01)


def test_progress_counts_to_the_end(loaded, records):
    seen = []
    loaded.answers(records, on_progress=lambda *count: seen.append(count))
    assert len(seen) > 1
    assert seen[-1] == (len(records), len(records))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_it_is_loaded_with_its_own_configuration_or_with_another(folder, loaded):
    assert loaded.config == load_config(folder / "config.yaml")
    assert (loaded.plan.layout, loaded.plan.budget.tokens) == ("padded", 2 * 512)
    other = LoadedRun.load(folder, config_of(folder, None, ["cutoff_len=256", "batching=packed"]))
    assert (other.plan.layout, other.plan.budget.tokens, other.builder.cutoff_len) == ("packed", 2 * 256, 256)


def test_every_layout_answers_the_same(folder, loaded, records):
    for layout in ("tree", "packed"):
        other = LoadedRun.load(folder, layout=layout)
        assert other.plan.layout == layout
        np.testing.assert_allclose(other.answers(records).p_yes, loaded.answers(records).p_yes, rtol=1e-4)


def test_it_knows_what_its_records_ask(folder, loaded):
    with pytest.raises(LikelyError, match=r"has no task\.json"):
        _ = loaded.task
    task = ratings_task(SplitProtocol(hints=True))
    (folder / TASK_FILE).write_text(dump_task(task), encoding="utf-8")
    assert loaded.task == task


@pytest.fixture
def nothing_loaded(monkeypatch):
    """Fail the test if weights are read."""

    def refuse(*arguments):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(loaded_run, "load_base", refuse)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["flash_attn=flash_attention_2"], "flash_attn: flash_attention_2 cannot work"),
        (["model_name_or_path=/nowhere/{base}"], "is not a folder"),
        (["model_name_or_path=other-base"], "was trained on"),
        (["positive_label=River", "negative_label=River two"], "begin with the same token"),
    ],
)
def test_what_is_wrong_is_said_before_the_weights_are_loaded(folder, tiny_base, nothing_loaded, overrides, words):
    named = [override.format(base=tiny_base.name) for override in overrides]
    with pytest.raises(LikelyError, match=words):
        LoadedRun.load(folder, config_of(folder, None, named))


def test_a_folder_without_adapter_or_configuration_is_said_before_anything_else(folder, nothing_loaded, tmp_path):
    with pytest.raises(LikelyError, match="holds no adapter"):
        LoadedRun.load(tmp_path)
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "config.yaml").unlink()
    with pytest.raises(LikelyError, match=r"has no config\.yaml"):
        LoadedRun.load(copy)


def test_records_are_not_predicted_where_the_layout_would_change_their_answers(folder, records, monkeypatch):
    def refuse(*_):
        raise OnlyPaddedError("It mixes records")

    run = LoadedRun.load(folder)
    assert run.predict(records[:2]).tolist() == run.answers(records[:2]).p_yes.tolist()
    run = LoadedRun.load(folder)
    monkeypatch.setattr(loaded_run, "check_exactness", refuse)
    with pytest.raises(LikelyError, match="It mixes records"):
        run.predict(records[:2])


def test_records_are_checked_again_only_where_they_are_so_much_longer(folder, monkeypatch):
    checked, fitted = [], []
    monkeypatch.setattr(loaded_run, "check_exactness", lambda base, encoded, *_: checked.append(encoded[0]))
    monkeypatch.setattr(loaded_run, "check_fit", lambda base, *most: fitted.append(most))
    run = LoadedRun.load(folder)

    def check(length, times=1):
        run.exact_plan([SimpleNamespace(input_ids=np.arange(length))], times)
        return len(checked)

    assert [check(10), check(10), check(11)] == [1, 1, 2]
    assert [check(22, times=2), check(23, times=2), check(24)] == [2, 3, 4]
    assert fitted == [(22, 21)]  # what is not compared has to be within the model's limits all the same


def test_records_that_were_checked_in_one_plan_are_checked_in_another_too(folder, records, monkeypatch):
    """A model may be exact in rows and not after a kept history, or exact in padded rows only."""
    kept = []
    monkeypatch.setattr(loaded_run, "check_exactness", lambda *given: kept.append(given[-1]))
    run = LoadedRun.load(folder, layout="tree")
    encoded = run.encode(records[:4])
    run.check(encoded)
    assert run.exact_plan(encoded).keeps_history
    assert kept == [False, True]
    run.check(encoded)
    run.exact_plan(encoded)
    assert kept == [False, True]

    def only_padded(model, encoded, layout, *_):
        if layout != "padded":
            raise OnlyPaddedError("It mixes records")

    monkeypatch.setattr(loaded_run, "check_exactness", only_padded)
    run = LoadedRun.load(folder, layout="tree")
    assert run.exact_plan(encoded).layout == "padded"
    with pytest.raises(LikelyError, match="It mixes records"):
        run.predict(records[:4])
