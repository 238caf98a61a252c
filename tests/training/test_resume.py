"""A run goes on as the run it was, or says what is different."""

from dataclasses import replace

import pytest

from likely.config.run_config import RunConfig
from likely.data.dataset_info import Columns
from likely.data.task import content_of
from likely.errors import LikelyError
from likely.training.resume import (
    FIXED_KEYS,
    FREE_KEYS,
    KEYS_BY_FACT,
    applied_changes,
    check_same_run,
    facts_of,
)

CONFIG = {"model_name_or_path": "Qwen/Qwen3-0.6B", "output_dir": "run"}
FACTS = {"precision": "float32", "prompts": "p", "train_data": "t", "eval_data": "e", "processes": 1, "steps": 10}


def facts(**changes):
    named = {**FACTS, **{name: changes.pop(name) for name in list(changes) if name in FACTS}}
    weights = changes.pop("base_weights", "w")
    return {**facts_of(RunConfig(**{**CONFIG, **changes}), **named), "base_weights": weights}


def compare(before, now):
    """Return the sentence of a refusal, or what is said to have changed."""
    try:
        check_same_run(before, now, "checkpoint-6")
    except LikelyError as error:
        return str(error)
    return applied_changes(before, now, "checkpoint-6")


def test_every_key_is_either_fixed_or_free_or_compared_by_what_it_means():
    classes = [*FIXED_KEYS, *FREE_KEYS, *KEYS_BY_FACT]
    assert sorted(classes) == sorted(RunConfig.model_fields)


def test_the_same_run_goes_on_without_a_word():
    assert compare(facts(), facts()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 43}, "seed: 42 -> 43"),
        ({"cutoff_len": 512, "prompts": "q"}, "cutoff_len: 1024 -> 512)"),
        ({"lora_rank": 8}, "lora_rank: 16 -> 8"),
        ({"lora_target": "q_proj,v_proj"}, "lora_target: "),
        ({"lora_layers": 12}, "lora_layers: None -> 12"),
        ({"lr_scheduler_type": "linear"}, "lr_scheduler_type: cosine -> linear"),
        ({"weight_decay": 0.1}, "weight_decay: 0.0 -> 0.1"),
        ({"group_size": 1}, "group_size: 4 -> 1"),
        ({"positive_label": "Liked"}, "positive_label: Yes -> Liked"),
        ({"metric_for_best_model": "eval_loss"}, "metric_for_best_model: eval_auc -> eval_loss"),
        ({"model_name_or_path": "other/model"}, "base model: Qwen3-0.6B -> model"),
        ({"base_weights": "x"}, "weights of the base model: w -> x"),
        ({"precision": "bfloat16"}, "precision: float32 -> bfloat16"),
        ({"train_data": "u"}, "content of the training data: t -> u"),
        ({"eval_data": "f"}, "content of the evaluation data: e -> f"),
        ({"prompts": "q"}, "prompts, by tokenizer, chat template or prompt_date: p -> q"),
        ({"gradient_accumulation_steps": 4}, "records of a step (batch x accumulation x processes): 16 -> 8"),
        ({"processes": 2}, "records of a step (batch x accumulation x processes): 16 -> 32"),
        ({"steps": 9}, "steps of the run, by num_train_epochs or max_steps, which may only be raised: 10 -> 9"),
    ],
)
def test_what_changes_the_mathematics_is_refused_old_and_new(change, words):
    said = compare(facts(), facts(**change))
    assert said.startswith("checkpoint-6 was made with another configuration (")
    assert words in said


def test_a_key_that_an_older_version_did_not_know_was_as_it_is_by_default():
    before, now = facts(), facts(lora_layers=12)
    del before["config"]["lora_layers"]
    assert compare(before, facts()) == []
    assert "lora_layers: None -> 12" in compare(before, now)


def test_all_that_has_changed_is_listed_at_once():
    said = compare(facts(), facts(seed=1, lora_alpha=8, train_data="u"))
    assert all(word in said for word in ("seed", "lora_alpha", "training data"))


@pytest.mark.parametrize(
    "change",
    [
        {"dataset_dir": "elsewhere", "train_file": "copy.json"},
        {"model_name_or_path": "/copied/Qwen3-0.6B"},
        {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 16},
    ],
)
def test_the_same_thing_written_otherwise_is_the_same(change):
    assert compare(facts(), facts(**change)) == []


def test_harmless_changes_are_applied_and_said():
    changes = {"logging_steps": 1, "eval_steps": 5, "save_steps": 5, "save_total_limit": 7, "max_minutes": 3.0}
    (line,) = compare(facts(), facts(**changes))
    assert all(key in line for key in changes)


def test_another_learning_rate_says_what_happens_to_the_schedule():
    (line,) = compare(facts(), facts(learning_rate="1e-4"))
    assert line.startswith("learning_rate 0.00015 -> 0.0001: the cosine schedule keeps its shape and its place")


def test_more_steps_say_what_happens_to_the_schedule():
    (line,) = compare(facts(), facts(num_train_epochs=6, steps=20))
    assert line.startswith("10 -> 20 steps: the cosine schedule is drawn over all 20")


def test_other_processes_are_said():
    (line,) = compare(facts(), facts(processes=2, gradient_accumulation_steps=4))
    assert line.startswith("1 -> 2 processes")


def test_a_checkpoint_of_an_earlier_version_is_taken_with_a_word():
    (line,) = compare({}, facts())
    assert "could not be compared" in line


def test_settings_of_the_base_model_are_compared_where_the_library_is_the_same():
    before, now = ({**facts(), "base_settings": settings} for settings in "ab")
    assert "configuration of the base model: a -> b" in compare(before, now)
    (line,) = compare({**before, "versions": {**before["versions"], "transformers": "1.0"}}, now)
    assert line.startswith("Other versions than before: transformers 1.0 -> ")


def test_other_versions_are_said_and_not_refused():
    before = facts()
    before["versions"] = {**before["versions"], "torch": "1.0"}
    (line,) = compare(before, facts())
    assert "torch 1.0 -> " in line


def test_data_is_known_by_its_content_and_its_columns(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).write_text(text)
    own = Columns()
    known = content_of(tmp_path / "a", own)
    assert known == content_of(tmp_path / "b", own) == content_of(tmp_path / "a", replace(own, label_map={}))
    assert known != content_of(tmp_path / "c", own)
    assert known != content_of(tmp_path / "a", replace(own, prompt="question"))
    ways = [content_of(tmp_path / "a", replace(own, label_map={"1": one, "0": other})) for one, other in ("YN", "NY")]
    assert len({known, *ways}) == 3
