"""A run leaves what it promises, resumes where it was, and refuses what it must before it loads a model."""

import json

import pytest
import torch
import yaml
from rich.console import Console

from likely.cli import run
from likely.config.reading import load_config
from likely.data.records import write_records
from likely.data.run_data import held_out_records
from likely.errors import LikelyError
from likely.evaluation.metrics import answer_metrics
from likely.inference.loaded_run import LoadedRun
from likely.model.base import load_base, load_tokenizer
from likely.training.run import train


def rows_of(records):
    return [
        {
            "instruction": record.instruction,
            "input": record.input,
            "output": record.output,
            "user_id": record.user_id,
            "item_id": record.item_id,
        }
        for record in records
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory, records, record_of):
    folder = tmp_path_factory.mktemp("data")
    write_records(folder / "train.json", rows_of(records))
    write_records(folder / "eval.json", rows_of([record_of(user, 9) for user in range(12)]))
    return folder


def config_file(folder, tiny_base, data, **changes):
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
        "quantization_bit": 4,
        "gradient_accumulation_steps": 4,
        "early_stopping_patience": None,
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_base, data):
    """A finished run through the command line, and the path of its configuration."""
    path = config_file(tmp_path_factory.mktemp("finished"), tiny_base, data)
    assert run(["train", "--config", str(path)]) == 0
    return path


def test_a_finished_run_leaves_everything_it_promises(finished):
    output = finished.parent / "run"
    names = {path.name for path in output.iterdir()}
    promised = {
        "adapter_model.safetensors",
        "adapter_config.json",
        "tokenizer.json",
        "config.yaml",
        "metrics.json",
        "task.json",
    }
    assert promised | {"task.json", "training.png", "logs"} <= names
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["train"]["steps"] == 10
    assert {"eval_loss", "eval_accuracy", "eval_f1", "eval_auc", "eval_log_loss", "eval_ece", "eval_answered"} <= set(
        metrics["eval"]
    )
    aucs = [entry["eval_auc"] for entry in metrics["log"] if "eval_auc" in entry]
    assert metrics["eval"]["eval_auc"] == max(aucs)
    (log_folder,) = (output / "logs").iterdir()
    assert list(log_folder.glob("events.out.tfevents.*"))
    assert load_config(output / "config.yaml") == load_config(finished)


def test_tensorboard_reads_the_curves(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (log_folder,) = (finished.parent / "run" / "logs").iterdir()
    events = EventAccumulator(str(log_folder)).Reload()
    assert {"train/loss", "eval/auc", "eval/loss", "eval/accuracy", "eval/f1"} <= set(events.Tags()["scalars"])


def test_the_adapter_loads_in_plain_peft_and_gives_the_same_scores(finished, tiny_base, builder):
    from peft import PeftModel

    output = finished.parent / "run"
    loaded = LoadedRun.load(output)
    records = held_out_records(loaded.config, None, None)
    ours = loaded.answers(records)
    from likely.model.base import Precision

    plain = PeftModel.from_pretrained(
        load_base(str(tiny_base), Precision("float32", False), "sdpa"), str(output)
    ).eval()
    tokenizer = load_tokenizer(str(output))
    yes, no = tokenizer("Yes")["input_ids"][0], tokenizer("No")["input_ids"][0]
    for place, record in enumerate(records):
        turns = [{"role": "user", "content": f"{record.instruction}\n{record.input}"}]
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            logits = plain(**prompt).logits[0, -1, [yes, no]]
        assert ours.p_yes[place] == pytest.approx(logits.softmax(-1)[0].item(), rel=1e-4)


def test_scores_are_written_one_object_a_row(finished, tmp_path):
    output = finished.parent / "run"
    assert (
        run(["infer", "--adapter-dir", str(output), "--output", str(tmp_path / "scores.jsonl"), "--max-samples", "7"])
        == 0
    )
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert len(lines) == 7
    assert all(0 <= line["base"]["p_yes"] <= 1 and 0 <= line["adapter"]["p_yes"] <= 1 for line in lines)
    assert any(line["base"]["p_yes"] != line["adapter"]["p_yes"] for line in lines)


def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path, tiny_base, data, finished):
    """Stopped after 4 of 10 steps and resumed, it ends with the weights of a run that never stopped."""
    from safetensors.torch import load_file

    path = config_file(tmp_path, tiny_base, data)
    console = Console(quiet=True)
    config = load_config(path)

    class PowerCutError(Exception):
        pass

    def cut_after_step_4(answers, users):
        evaluations.append(1)
        if len(evaluations) == 3:
            raise PowerCutError
        return answer_metrics(answers, users)

    evaluations = []
    with pytest.raises(PowerCutError):
        train(config, str(tiny_base), console, cut_after_step_4)
    with pytest.raises(LikelyError, match="unfinished run; go on with --resume"):
        train(config, str(tiny_base), console, answer_metrics)
    resumed = train(config, str(tiny_base), console, answer_metrics, resume=True)
    assert resumed.metrics["train"]["steps"] == 10
    last = "checkpoint-10/adapter_model.safetensors"
    expected, got = load_file(finished.parent / "run" / last), load_file(tmp_path / "run" / last)
    assert all(torch.allclose(got[name], expected[name], atol=1e-6) for name in expected)


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_every_layout_trains_to_the_same_weights(tmp_path, tiny_base, data, finished, layout):
    from safetensors.torch import load_file

    dropout_free = {"lora_dropout": 0.0, "group_size": 1}
    weights = {}
    for name in ("tree", layout):
        (tmp_path / name).mkdir()
        path = config_file(tmp_path / name, tiny_base, data, batching=name, **dropout_free)
        train(load_config(path), str(tiny_base), Console(quiet=True), answer_metrics)
        weights[name] = load_file(tmp_path / name / "run" / "checkpoint-10" / "adapter_model.safetensors")
    assert all(torch.allclose(weights["tree"][key], weights[layout][key], atol=2e-4) for key in weights["tree"])


def test_early_stopping_waits_for_its_patience(tmp_path, tiny_base, data):
    path = config_file(
        tmp_path, tiny_base, data, num_train_epochs=20, eval_steps=1, early_stopping_patience=2, learning_rate=1e-9
    )
    finished = train(load_config(path), str(tiny_base), Console(quiet=True), answer_metrics)
    assert finished.metrics["train"]["steps"] <= 6


def test_an_output_folder_with_a_finished_run_is_kept(finished, capsys):
    before = (finished.parent / "run" / "adapter_model.safetensors").read_bytes()
    assert run(["train", "--config", str(finished)]) == 2
    assert "holds a finished run; set overwrite_output_dir=true" in capsys.readouterr().err
    assert (finished.parent / "run" / "adapter_model.safetensors").read_bytes() == before


def test_an_adapter_of_another_base_is_refused(finished, tmp_path, capsys):
    other = tmp_path / "other-base"
    other.mkdir()
    (other / "config.json").write_text("{}")
    arguments = ["infer", "--adapter-dir", str(finished.parent / "run"), f"model_name_or_path={other}"]
    assert run(arguments) == 2
    assert "was trained on" in capsys.readouterr().err


def test_a_file_in_the_format_of_tallrec_trains_unmodified(tmp_path, tiny_base):
    """Its rows have instruction, input and output, the output with a full stop, and nothing else."""
    movies = ["Heat", "Jaws", "Alien", "Fargo", "Brazil", "Gattaca"]
    rows = [
        {
            "instruction": "Given the user's preference and unpreference, identify whether the user will like the "
            'target movie by answering "Yes." or "No.".',
            "input": f'User Preference: "{liked} (1995)"\nUser Unpreference: "{other} (1975)"\n'
            f'Whether the user will like the target movie "{target} (1999)"?',
            "output": "Yes." if liked < target else "No.",
        }
        for liked, other in zip(movies, reversed(movies), strict=True)
        for target in movies
    ]
    for name in ("train", "eval"):
        (tmp_path / f"{name}.json").write_text(json.dumps(rows, indent=4), encoding="utf-8")
    path = config_file(tmp_path, tiny_base, tmp_path, num_train_epochs=1)
    assert run(["train", "--config", str(path)]) == 0
    assert run(["infer", "--adapter-dir", str(tmp_path / "run"), "--output", str(tmp_path / "scores.jsonl")]) == 0
    outputs = [json.loads(line)["output"] for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert outputs == [row["output"].rstrip(".") for row in rows]
