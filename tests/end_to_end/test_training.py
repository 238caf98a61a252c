"""A run leaves what it promises, resumes where it was, and refuses what it must before it loads a model."""

import json
import re
import shutil
from itertools import chain, repeat

import pytest
import torch
import yaml

from likely.cli import run
from likely.config.reading import load_config
from likely.data.records import write_records
from likely.errors import LikelyError
from likely.evaluation.metrics import answer_metrics
from likely.training.callbacks import Clock
from likely.training.run import train
from support import INSTRUCTION


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
    promised = {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "config.yaml", "metrics.json"}
    assert promised | {"task.json", "README.md", "training.png", "report.html", "logs"} <= names
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


def trained_readme(capsys, path):
    """Train and return what is said and what the run's README says."""
    assert run(["train", "--config", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    return said, (path.parent / "run" / "README.md").read_text()


def test_a_run_that_stops_early_says_that_its_learning_rate_never_came_down(
    finished, tiny_base, data, tmp_path, capsys
):
    """With steps that change nothing, the second evaluation is no better than the first."""
    idle = {"learning_rate": 1e-20, "eval_steps": 1, "save_steps": 1, "early_stopping_patience": 1}
    said, readme = trained_readme(capsys, config_file(tmp_path, tiny_base, data, **idle))
    sentence = (
        r"ended at step 2 of 10, where its learning rate had yet to come down from \d+% of its peak; with max_steps=2 "
    )
    assert re.search(sentence, said)
    assert re.search(sentence, readme)
    assert "come down" not in (finished.parent / "run" / "README.md").read_text()


def test_a_run_that_its_time_ends_has_come_down_with_it(tiny_base, data, tmp_path, capsys, monkeypatch):
    seconds = chain([0.0], repeat(60.0))
    monkeypatch.setattr(Clock, "seconds", lambda self: next(seconds))
    said, readme = trained_readme(capsys, config_file(tmp_path, tiny_base, data, max_minutes=1, eval_strategy="no"))
    assert "come down" not in said + readme


def test_tensorboard_reads_the_curves(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (log_folder,) = (finished.parent / "run" / "logs").iterdir()
    events = EventAccumulator(str(log_folder)).Reload()
    assert {"train/loss", "eval/auc", "eval/loss", "eval/accuracy", "eval/f1"} <= set(events.Tags()["scalars"])


def test_the_code_of_the_model_card_gives_the_same_scores_with_plain_peft(finished, data, tmp_path, monkeypatch):
    output = finished.parent / "run"
    assert run(["infer", "--adapter-dir", str(output), "--output", str(tmp_path / "scores.jsonl")]) == 0
    scores = [json.loads(line)["adapter"]["p_yes"] for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    (code,) = re.findall(r"```python\n(.*?)```", (output / "README.md").read_text(), re.DOTALL)
    assert "likely" not in code.replace(str(finished.parent), "")
    monkeypatch.chdir(output)
    names = {}
    exec(code, names)
    rows = json.loads((data / "eval.json").read_text())
    assert [names["p_yes"](row["input"]) for row in rows] == pytest.approx(scores, rel=1e-4)


def test_the_model_card_says_what_the_run_was(finished, tiny_base):
    output = finished.parent / "run"
    page = (output / "README.md").read_text()
    _, front, text = page.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "base_model": str(tiny_base),
        "library_name": "peft",
        "tags": ["lora", "text-classification", "likely"],
    }
    assert "More Information Needed" not in page
    auc = json.loads((output / "metrics.json").read_text())["eval"]["eval_auc"]
    for words in (INSTRUCTION, "`Yes`", "`No`", "40 of `train.json`", f"| auc | {auc:.4f} |", "rank 4"):
        assert words in text


def test_whoever_may_read_the_folder_may_read_the_run(finished):
    for path in (finished.parent / "run").iterdir():
        assert path.is_dir() or path.stat().st_mode & 0o777 == 0o644, path


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
        train(config, cut_after_step_4)
    with pytest.raises(LikelyError, match="unfinished run; go on with --resume"):
        train(config, answer_metrics)
    resumed = train(config, answer_metrics, resume=True)
    assert resumed.metrics["train"]["steps"] == 10
    last = "checkpoint-10/adapter_model.safetensors"
    expected, got = load_file(finished.parent / "run" / last), load_file(tmp_path / "run" / last)
    assert all(torch.allclose(got[name], expected[name], atol=1e-6) for name in expected)


def test_every_layout_trains_to_the_same_weights(tmp_path, tiny_base, data):
    from safetensors.torch import load_file

    dropout_free = {"lora_dropout": 0.0, "group_size": 1}
    weights = {}
    for name in ("tree", "packed", "padded"):
        (tmp_path / name).mkdir()
        path = config_file(tmp_path / name, tiny_base, data, batching=name, **dropout_free)
        train(load_config(path), answer_metrics)
        weights[name] = load_file(tmp_path / name / "run" / "checkpoint-10" / "adapter_model.safetensors")
    for layout in ("packed", "padded"):
        assert all(torch.allclose(weights["tree"][key], weights[layout][key], atol=2e-4) for key in weights["tree"])


def test_early_stopping_waits_for_its_patience(tmp_path, tiny_base, data):
    path = config_file(
        tmp_path, tiny_base, data, num_train_epochs=20, eval_steps=1, early_stopping_patience=2, learning_rate=1e-9
    )
    finished = train(load_config(path), answer_metrics)
    assert finished.metrics["train"]["steps"] <= 6


def test_an_output_folder_with_a_finished_run_is_kept(finished, capsys):
    before = (finished.parent / "run" / "adapter_model.safetensors").read_bytes()
    assert run(["train", "--config", str(finished)]) == 2
    assert "holds a finished run; set overwrite_output_dir=true" in capsys.readouterr().err
    assert (finished.parent / "run" / "adapter_model.safetensors").read_bytes() == before


def test_an_adapter_of_another_base_is_refused(finished, tiny_base, tmp_path, capsys):
    other = shutil.copytree(tiny_base, tmp_path / "other-base")
    values = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps({**values, "rms_norm_eps": 0.1}), encoding="utf-8")
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
