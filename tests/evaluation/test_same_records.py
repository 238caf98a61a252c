"""The adapter's own records are those that its training chose."""

import json
from dataclasses import replace

import numpy as np
import pytest

from likely.config.run_config import RunConfig
from likely.data.records import Labels, read_records, write_records
from likely.encoding.prompt import PromptBuilder
from likely.evaluation.contest import System
from likely.evaluation.metrics import answer_metrics
from likely.evaluation.same_records import adapters_records, with_own_records
from likely.inference.loaded_run import LoadedRun
from likely.training.run import train
from likely.training.trainer import AnswerTrainer
from support import records_of, rows_of


def test_the_best_baseline_comes_again_with_fewer_records_and_before_the_models():
    rows, own = records_of([True, False, True, False]), records_of([True, False])
    always = System.from_probabilities("always Yes", "baseline", np.ones(4))
    text = System.from_probabilities("TF-IDF of the text", "baseline", np.array([0.9, 0.1, 0.9, 0.2]))
    adapter = System.from_probabilities("with the adapter", "adapter", np.ones(4))
    systems = with_own_records([always, text, adapter], own, rows, Labels())
    assert [system.name for system in systems] == [
        *["always Yes", "TF-IDF of the text", "TF-IDF of the text, 2 records", "with the adapter"]
    ]


def test_a_baseline_that_all_records_do_not_allow_is_not_asked_about_fewer():
    rows = records_of([True, False, True, False])
    own = [replace(one, extra={"history_likes": 1, "history_length": 2}) for one in records_of([True, False] * 60, "b")]
    rows = [replace(one, extra=own[0].extra) for one in rows]
    always = System.from_probabilities("always Yes", "baseline", np.ones(4))
    assert with_own_records([always], own, rows, Labels()) == [always]


@pytest.mark.parametrize("figures", [{}, {"train": {"step_size": 8}}, {"best_step": 3}])
def test_figures_that_do_not_say_what_was_seen_name_no_records(tmp_path, figures):
    (tmp_path / "metrics.json").write_text(json.dumps(figures))
    assert adapters_records(tmp_path, None, None, records_of([True, False])) == []


@pytest.mark.parametrize(
    ("keys", "seen_of"),
    [
        ({"max_steps": 2}, 16),
        ({"max_steps": 2, "max_samples": 20}, 16),
        ({"max_steps": 6, "max_samples": 20}, 20),
        ({"max_steps": 5}, None),
    ],
)
def test_they_are_those_of_the_steps_that_were_taken(tmp_path, tiny_base, records, monkeypatch, keys, seen_of):
    """The oracle is the trainer: what it was given, step by step."""
    path, given, training_step = tmp_path / "train.json", [], AnswerTrainer.training_step

    def watched(trainer, model, inputs, *rest):
        given.extend(trainer.train_records[place].input_ids.tobytes() for place in inputs["step"].records)
        return training_step(trainer, model, inputs, *rest)

    monkeypatch.setattr(AnswerTrainer, "training_step", watched)
    write_records(path, rows_of(records))
    values = {"model_name_or_path": str(tiny_base), "dataset": None, "train_file": str(path), "eval_strategy": "no"}
    values |= {"output_dir": str(tmp_path / "run"), "cutoff_len": 512, "gradient_accumulation_steps": 4}
    config = RunConfig(**values, lora_rank=2, report_to="none", **keys)
    train(config, answer_metrics)
    run, everything = LoadedRun.load(tmp_path / "run"), read_records(path, Labels())
    own = adapters_records(tmp_path / "run", config, run.builder, everything)
    asked = config.model_copy(update={"max_samples": 3, "seed": 7, "group_size": 2})  # of an evaluation
    short = PromptBuilder(run.builder.tokenizer, run.builder.labels, cutoff_len=300)  # likewise
    assert adapters_records(tmp_path / "run", asked, short, everything) == own
    if seen_of is None:
        assert own == []  # it has seen all there are
        assert len(set(given)) == len(records)
    else:
        assert {record.input_ids.tobytes() for record in run.encode(own)} == set(given)
        assert len(own) == seen_of
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text())
    del figures["train"]["step_size"]
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(figures))
    assert adapters_records(tmp_path / "run", config, run.builder, everything) == []  # an earlier version did not say
