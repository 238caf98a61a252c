"""Where a chat template writes the date, a run keeps the one it was trained with, and is asked with no other."""

import datetime
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from transformers import AutoTokenizer

from likely.cli import run
from likely.cli.prompts import prompt_builder
from likely.config.reading import load_config
from likely.data.records import write_records
from likely.encoding import prompt
from likely.errors import LikelyError
from likely.evaluation.metrics import answer_metrics
from likely.inference import predict as predicting
from likely.inference import scores_in_progress
from likely.inference.loaded_run import LoadedRun, config_of
from likely.training import run_folder
from likely.training.run import train
from support import rows_of

pytestmark = pytest.mark.usefixtures("sketched")

TODAY = datetime.date(2031, 3, 10)
YESTERDAY = TODAY - datetime.timedelta(1)


@pytest.fixture
def it_is(monkeypatch):
    """Set the clock by which prompts are dated."""

    def turn_to(day):
        clock = SimpleNamespace(
            date=SimpleNamespace(today=lambda: day, fromisoformat=datetime.date.fromisoformat), datetime=None
        )
        for module in (prompt, run_folder, scores_in_progress):
            monkeypatch.setattr(module, "datetime", clock)

    turn_to(YESTERDAY)
    return turn_to


@pytest.fixture
def config(tmp_path, tiny_base, records):
    """A configuration in a file; the template of its model begins with the date."""
    base = shutil.copytree(tiny_base, tmp_path / "dated-base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = "Today: {{ strftime_now('%d %b %Y') }}\n" + tokenizer.chat_template
    tokenizer.save_pretrained(base)
    write_records(tmp_path / "train.json", rows_of(records))
    values = {
        "model_name_or_path": str(base),
        "dataset": None,
        **dict.fromkeys(("train_file", "eval_file", "test_file"), str(tmp_path / "train.json")),
        "output_dir": str(tmp_path / "run"),
        "cutoff_len": 512,
        "max_steps": 2,
        "eval_steps": 1,
        "lora_rank": 4,
    }
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_run_trained_yesterday_is_asked_with_the_prompts_of_yesterday(config, it_is, records, tmp_path, capsys):
    folder = train(load_config(config), answer_metrics).output_dir
    then = LoadedRun.load(folder)
    assert "Today: 09 Mar 2031\n" in then.builder.render(records[0])
    it_is(TODAY)
    now = LoadedRun.load(folder)
    assert now.notes == ()
    assert now.builder.render(records[0]) == then.builder.render(records[0])
    np.testing.assert_array_equal(now.answers(records).p_yes, then.answers(records).p_yes)
    assert config_of(folder, config).prompt_date == YESTERDAY  # the file given says nothing of a date
    assert prompt_builder(load_config(folder / "config.yaml"), 512).date == YESTERDAY
    assert prompt_builder(load_config(config), 512).date == TODAY
    assert run(["infer", "--run", str(folder), "--max-samples", "5"]) == 0
    assert "prompt_date" not in capsys.readouterr().out


def test_a_resumed_run_goes_on_with_its_first_day(config, it_is):
    train(load_config(config), answer_metrics)
    it_is(TODAY)
    with pytest.raises(LikelyError, match=r"prompt_date: 2031-03-09 -> 2031-03-10[;)]"):
        train(load_config(config, ["max_steps=4", "prompt_date=2031-03-10"]), answer_metrics, resume=True)
    train(load_config(config, ["max_steps=4"]), answer_metrics, resume=True)
    kept = load_config(config.parent / "run" / "config.yaml")
    assert kept.prompt_date == YESTERDAY


def test_a_run_that_kept_no_date_is_answered_with_a_warning(config, it_is, records, capsys):
    folder = train(load_config(config), answer_metrics).output_dir
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(settings.replace("prompt_date: 2031-03-09\n", ""))
    it_is(TODAY)
    (note,) = LoadedRun.load(folder).notes
    assert "does not say which one it was trained with, so 2031-03-10 is written; set prompt_date" in note
    for verb in ("infer", "evaluate"):
        assert run([verb, "--run", str(folder), "--max-samples", "5"]) == 0
        assert "set prompt_date" in " ".join(capsys.readouterr().out.split())
    assert LoadedRun.load(folder, config_of(folder, None, ["prompt_date=2031-03-09"])).notes == ()


def test_one_file_of_scores_has_the_prompts_of_one_day(config, it_is, tmp_path, monkeypatch, capsys):
    """Also where the run kept no day, and the command was killed and goes on the day after."""
    folder = train(load_config(config), answer_metrics).output_dir
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(settings.replace("prompt_date: 2031-03-09\n", ""))
    monkeypatch.setattr(predicting, "WINDOW", 9)
    words = ["predict", "--run", str(folder), "--data", str(tmp_path / "train.json"), "--output"]
    assert run([*words, str(tmp_path / "whole.jsonl")]) == 0
    assert "so 2031-03-09 is written; set prompt_date" in " ".join(capsys.readouterr().out.split())
    append, appended = scores_in_progress.ScoresInProgress.append, []

    def killed(self, scores):
        if len(appended) == 2:
            raise KeyboardInterrupt
        appended.append(scores)
        append(self, scores)

    with monkeypatch.context() as patch:
        patch.setattr(scores_in_progress.ScoresInProgress, "append", killed)
        assert run([*words, str(tmp_path / "out.jsonl")]) == 130
    it_is(TODAY)
    assert run([*words, str(tmp_path / "out.jsonl"), "--resume"]) == 0
    assert "so 2031-03-09 is written; set prompt_date" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert run([*words, str(tmp_path / "today.jsonl")]) == 0
    assert (tmp_path / "today.jsonl").read_bytes() != (tmp_path / "whole.jsonl").read_bytes()


def test_a_template_without_a_date_keeps_none(config, tiny_base):
    settings = load_config(config, [f"model_name_or_path={tiny_base}", "prompt_date=2031-03-09"])
    folder = train(settings, answer_metrics).output_dir
    assert load_config(folder / "config.yaml").prompt_date is None
