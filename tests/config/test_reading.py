"""Every knob is checked, and what is wrong is said in one sentence."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from likely.config.reading import dump_config, load_config
from likely.config.run_config import SEVEN_PROJECTIONS, RunConfig
from likely.errors import LikelyError

CONFIGS = Path(__file__).resolve().parents[2] / "finetune" / "configs"
MAIN = CONFIGS / "qwen3_movielens_qlora.yaml"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configurations_we_ship_load(path):
    assert not [value for value in load_config(path).model_dump().values() if "#" in str(value)]


def test_the_main_configuration_is_what_was_promised():
    config = load_config(MAIN)
    promised = {
        "model_name_or_path": "Qwen/Qwen3-0.6B",
        "output_dir": "output/qwen3-movielens-qlora",
        "flash_attn": "auto",
        "cutoff_len": 1024,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "per_device_eval_batch_size": 16,
        "max_eval_samples": 1000,
        "eval_strategy": "steps",
        "eval_steps": 2000,
        "learning_rate": 1.5e-4,
        "warmup_ratio": 0.03,
        "lr_scheduler_type": "cosine",
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "early_stopping_patience": 3,
        "lora_rank": 16,
        "lora_alpha": 64,
        "lora_dropout": 0.05,
        "lora_target": SEVEN_PROJECTIONS,
        "gradient_checkpointing": False,
        "quantization_bit": 4,
        "metric_for_best_model": "eval_auc",
    }
    assert {key: getattr(config, key) for key in promised} == promised


def test_the_main_configuration_explains_every_key():
    lines = MAIN.read_text(encoding="utf-8").splitlines()
    explained = {line.split(":")[0] for line in lines if ":" in line and "#" in line and not line.startswith("#")}
    assert explained == set(RunConfig.model_fields)


def config_file(tmp_path, text="", **keys):
    values = {"model_name_or_path": "m", "output_dir": "out", **keys}
    path = tmp_path / "run.yaml"
    path.write_text(text or yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"lora_rank": 0}, "lora_rank: 0 has to be at least 1"),
        ({"lora_rank": -4}, "lora_rank: -4 has to be at least 1"),
        ({"lora_dropout": 1.5}, "lora_dropout: 1.5 has to be less than 1"),
        ({"cutoff_len": 3}, "cutoff_len: 3 has to be at least 16; no question fits"),
        ({"learning_rate": "fast"}, "learning_rate: 'fast' is not a number"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size: 0 has to be at least 1"),
        ({"num_train_epochs": -1}, "num_train_epochs: -1 has to be more than 0"),
        ({"max_steps": 2.5}, "max_steps: '2.5' is not a whole number"),
        ({"label_map": {"1": "Ja"}}, "label_map: 1 means Ja, which is neither Yes nor No"),
        ({"label_map": {"A": "Yes", "a": "No"}}, "label_map: .* is not allowed .it gives two labels to one"),
        ({"label_map": "1"}, "label_map: '1' says nothing; write what answers mean, as in"),
        ({"gradient_checkpointing": "perhaps"}, "neither true nor false"),
        ({"learning_rat": 1e-4}, "unknown key 'learning_rat'; did you mean learning_rate?"),
        ({"eval_strategy": "stepps"}, "eval_strategy: stepps is unknown .did you mean steps?"),
        ({"metric_for_best_model": "auc"}, "did you mean eval_auc?"),
        ({"flash_attn": "sdppa"}, "did you mean sdpa?"),
        ({"quantization_bit": 3}, "quantization_bit: 3 is unknown"),
        ({"stage": "dpo"}, "stage: dpo is not possible here, only sft"),
        ({"positive_label": "No"}, "are the same"),
        ({"dataset": None}, "neither dataset nor train_file"),
        *(({"run_name": name}, "no plain name") for name in ("../../x", "/tmp/x", "..", "a\\b")),
        ({"output_dir": ""}, "output_dir"),
        ({"positive_label": ["Yes"]}, "positive_label: .* is not allowed"),
        ({"learning_rate": float("inf")}, "learning_rate: '.inf' is not a number"),
        ({"report_to": "wandbb"}, "report_to: wandbb is unknown .did you mean wandb?"),
        ({"report_to": ["none", "wandb"]}, "report_to: none is unknown; it can be tensorboard, wandb"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(tmp_path, keys, complaint):
    with pytest.raises(LikelyError, match=complaint):
        load_config(config_file(tmp_path, **keys))


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    with pytest.raises(LikelyError, match=r"lora_rank.*; .*cutoff_len|cutoff_len.*; .*lora_rank"):
        load_config(config_file(tmp_path, lora_rank=0, cutoff_len=3))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a\n- b\n", "holds a list"),
        ("seed:\t42\n\tx: 1\n", "line 2: .*tab|line 1: .*tab"),
        ("seed: [1\n", "is not YAML: line 2"),
        ("just words", "holds a str"),
        ("# nothing\n", "holds nothing"),
        ("seed: 1\nlearning_rate: 1\nseed: 2\n", "is not YAML: line 3: seed is there twice; fix that line"),
        ("label_map: {a: Yes, a: No}\n", "line 1: a is there twice"),
    ],
)
def test_a_file_that_is_not_keys_and_values(tmp_path, text, complaint):
    with pytest.raises(LikelyError, match=complaint):
        load_config(config_file(tmp_path, text))


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(LikelyError, match="does not exist"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(LikelyError, match="is not UTF-8 text"):
        load_config(tmp_path / "run.yaml")


def test_familiar_spellings_are_understood(tmp_path):
    keys = {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "template": "qwen3",
        "evaluation_strategy": "epoch",
        "lora_target": "all",
        "flash_attn": "fa2",
        "bf16": True,
        "preprocessing_num_workers": 16,
        "learning_rate": "1e-4",
        "quantization_bit": "none",
    }
    config = load_config(config_file(tmp_path, **keys))
    assert config.eval_strategy == "epoch"
    assert config.lora_target == ("all",)
    assert config.flash_attn == "flash_attention_2"
    assert config.dtype == "bfloat16"
    assert config.learning_rate == 1e-4
    assert config.quantization_bit is None


@pytest.mark.parametrize("label", ["Yes", "1", "true", "on", "007", "1e3", "Ja: gern", "null-ish", "#1"])
def test_a_label_is_text_whatever_yaml_takes_it_for(tmp_path, label):
    assert load_config(config_file(tmp_path), [f"positive_label={label}"]).positive_label == label
    assert load_config(config_file(tmp_path), [f"positive_label={json.dumps(label)}"]).positive_label == label
    if label.isalnum():
        path = config_file(tmp_path, f"model_name_or_path: m\noutput_dir: out\npositive_label: {label}\n")
        assert load_config(path).positive_label == label


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ("tensorboard", ("tensorboard",)),
        ("[tensorboard]", ("tensorboard",)),
        ("[wandb, mlflow]", ("wandb", "mlflow")),
        ("trackio, WandB, trackio", ("trackio", "wandb")),
        ("none", ()),
        ("[]", ()),
    ],
)
def test_where_curves_go_is_a_word_or_a_list(tmp_path, value, where):
    assert load_config(config_file(tmp_path), [f"report_to={value}"]).report_to == where
    path = config_file(tmp_path, f"model_name_or_path: m\noutput_dir: out\nreport_to: {value}\n")
    assert load_config(path).report_to == where
    path.write_text(dump_config(load_config(path)), encoding="utf-8")
    assert load_config(path).report_to == where


def test_curves_go_to_tensorboard_unless_told_otherwise(tmp_path):
    assert load_config(config_file(tmp_path)).report_to == ("tensorboard",)


@pytest.mark.parametrize("yes", ["true", "True", "yes", "on"])
def test_a_yes_is_understood_in_every_spelling_of_yaml(tmp_path, yes):
    text = f"model_name_or_path: m\noutput_dir: out\nbf16: {yes}\ndo_train: {yes}\ngradient_checkpointing: {yes}\n"
    config = load_config(config_file(tmp_path, text))
    assert (config.dtype, config.gradient_checkpointing) == ("bfloat16", True)


def test_never_to_evaluate_needs_no_quotes(tmp_path):
    assert load_config(config_file(tmp_path), ["eval_strategy=no"]).eval_strategy == "no"
    path = config_file(tmp_path, "model_name_or_path: m\noutput_dir: out\neval_strategy: no\n")
    assert load_config(path).eval_strategy == "no"


def test_overrides_win_and_are_checked(tmp_path):
    path = config_file(tmp_path, learning_rate=0.1)
    config = load_config(path, ["learning_rate=2e-4", "flash_attn=false", "train_file=none", "run_name=a=b"])
    assert (config.learning_rate, config.flash_attn, config.train_file, config.run_name) == (2e-4, "false", None, "a=b")
    for override, complaint in (("seed", "key=value"), ("sead=1", "did you mean seed"), ("seed=[", "not YAML")):
        with pytest.raises(LikelyError, match=complaint):
            load_config(path, [override])


def test_checkpoints_follow_evaluations_unless_told(tmp_path):
    assert load_config(config_file(tmp_path, eval_steps=50)).save_steps == 50


@given(
    st.fixed_dictionaries(
        {
            "learning_rate": st.floats(1e-8, 1),
            "lora_target": st.lists(st.sampled_from(SEVEN_PROJECTIONS), min_size=1, unique=True),
            "flash_attn": st.sampled_from(["auto", "sdpa", "false", "flash_attention_2"]),
            "run_name": st.none()
            | st.text(st.characters(codec="utf-8", categories=["L", "Nd"]), min_size=1, max_size=9),
            "max_samples": st.none() | st.integers(1, 10**9),
            "positive_label": st.sampled_from(["Yes", "1", "true", "Ja, gern"]),
        }
    )
)
def test_what_is_dumped_loads_equal(tmp_path_factory, values):
    config = RunConfig(model_name_or_path="m", output_dir="out", **values)
    if config.run_name and config.run_name.lower() in ("none", "null"):
        return
    path = tmp_path_factory.mktemp("dump") / "run.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config


@pytest.mark.parametrize("written", [{"1": "Yes", "0": "No"}, {True: "Yes", False: "No"}, {"是": "Yes"}, None, {}])
def test_a_mapping_of_answers_is_read_from_yaml_and_as_an_override(tmp_path, written):
    expected = {str(key).lower(): label for key, label in (written or {}).items()}
    path = config_file(tmp_path, label_map=written)
    config = load_config(path)
    assert config.label_map == expected
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config
    shown = json.dumps(expected, ensure_ascii=False) if written else "none"
    assert load_config(config_file(tmp_path), [f"label_map={shown}"]).label_map == expected
