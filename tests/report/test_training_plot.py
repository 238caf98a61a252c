"""No figure gets lost on the way to a person: in any terminal, in files that are whole, in plots that can be read."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from likely.cli.train import described
from likely.data.records import Record
from likely.model.answers import Answers
from likely.report.terminal import example_table, print_next_commands
from likely.report.training_plot import save_training_plot
from likely.training.run import TrainedRun

LOG = [
    {"loss": 0.9, "step": 4},
    {"loss": 0.7, "step": 8},
    {"eval_loss": 0.6, "eval_auc": 0.75, "eval_accuracy": 0.7, "step": 8},
    {"train_loss": 0.8, "step": 8},
]
METRICS = {"best_step": 8, "eval": LOG[2], "train": {"records": 64, "seconds": 90.0}}


def printed(renderable, width=100, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    console.print(renderable)
    return console.file.getvalue()


def test_examples_show_the_end_of_the_history_the_truth_and_both_probabilities():
    records = [
        Record("Liked?", "- Old (1950) | rated 1\n- [REC] (2007) | rated 5\nCandidate: [b]Heat[/b] (1995)", "Yes"),
        Record("Liked?", "Candidate: Hidden (2000)", "No"),
    ]

    def answers(first):
        both = np.array([True, False])
        return Answers(both, np.array([first, 0.5]), both, ~both, np.ones(2), np.ones(2))

    text = printed(example_table(records, answers(0.25), answers(0.875), examples=1, lines=2))
    for shown in ("[REC] (2007) | rated 5", "Candidate: [b]Heat[/b] (1995)", "Yes", "0.250", "0.875"):
        assert shown in text
    assert "Old" not in text
    assert "Hidden" not in text


def test_examples_are_of_different_users():
    records = [Record("Liked?", f"Candidate: Movie {n}", "Yes", user_id=user) for n, user in enumerate("aaabbc")]
    ones = np.ones(6)
    answers = Answers(ones > 0, ones, ones > 0, ones > 1, ones, ones)
    text = printed(example_table(records, answers, answers, examples=2))
    assert [f"Movie {n}" in text for n in range(6)] == [True, False, False, True, False, False]


def test_commands_are_printed_whole_so_that_they_can_be_copied(tmp_path):
    console = Console(file=io.StringIO(), width=30)
    command = "python finetune/scripts/infer_lora.py --adapter-dir 'output/[my] run'"
    print_next_commands(console, "Adapter", tmp_path / "[my] run", [(command, "base against adapter")])
    text = console.file.getvalue()
    assert command in text
    assert "[my] run" in text


def test_a_finished_run_is_told_in_a_line():
    run = TrainedRun(Path("run"), METRICS, LOG)
    assert described(run) == "64 records in 1.5 min; best at step 8: loss 0.6000  accuracy 0.7000  AUC 0.7500"


def test_a_run_without_evaluation_names_no_best_step():
    run = TrainedRun(Path("run"), {**METRICS, "best_step": None, "eval": {}}, LOG[:2])
    assert described(run).endswith("not evaluated")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "log",
    [LOG, LOG[:2], LOG[2:3], [], [{"eval_loss": 0.7, "eval_auc": math.nan, "step": 2}]],
    ids=["whole", "never evaluated", "one evaluation", "empty", "auc unknown"],
)
def test_any_log_gives_a_plot(tmp_path, log):
    save_training_plot(log, tmp_path / "training.png")
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert [path.name for path in tmp_path.iterdir()] == ["training.png"]


def test_the_plot_changes_with_what_was_measured(tmp_path):
    for name, log in (("a", LOG), ("b", [*LOG, {"eval_auc": 0.9, "step": 16}])):
        save_training_plot(log, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
