"""Whatever a user gets wrong ends in one sentence on stderr and exit status 2, with nothing loaded and nothing lost."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
import yaml

from likely.cli import run
from likely.config.presets import PRESETS
from likely.config.reading import load_config
from likely.training import run as training

ROW = {"instruction": "Liked?", "input": "- Heat (1995) | rated 5\nCandidate: Ronin (1998)", "output": "Yes"}
ROWS = [ROW, {**ROW, "output": "No"}]


def text(value):
    return json.dumps(value).encode()


@pytest.fixture
def no_model(monkeypatch):
    """Fail the test if a model is loaded."""

    def refuse(*arguments):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(training, "load_base", refuse)


@pytest.fixture
def project(tmp_path, tiny_base):
    """A folder with a configuration and good data; returns a function that writes the configuration."""
    for name in ("train", "eval"):
        (tmp_path / f"{name}.json").write_bytes(text(ROWS))

    def write(**changes):
        values = {
            "model_name_or_path": str(tiny_base),
            "dataset": None,
            "train_file": str(tmp_path / "train.json"),
            "eval_file": str(tmp_path / "eval.json"),
            "output_dir": str(tmp_path / "out"),
            "cutoff_len": 256,
        }
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
        return path

    return write


def complaint(capsys, arguments):
    """Run a command that has to fail as promised and return its sentence."""
    assert run([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("likely: ")
    assert error.count("\n") == 1
    assert error.rstrip().endswith((".", "?")) or "make it" in error
    return error


def test_a_sentence_that_quotes_somebody_cannot_steer_the_terminal(project, tmp_path, capsys):
    (tmp_path / "train.json").write_bytes(text([ROW, {**ROW, "output": "May\u202ebe"}]))
    sentence = complaint(capsys, ["train", "--config", project(output_dir=f"{tmp_path}/\x1b[2Jout")])
    assert "is neither Yes nor No" in sentence
    assert not set(sentence) & set("\x1b\u202e")
    assert "x[2J.yaml does not exist" in complaint(capsys, ["train", "--config", "x\x1b[2J.yaml"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "No such command 'trian'; did you mean 'train'"),
        (["train", "--confg", "run.yaml"], "No such option: --confg; did you mean --config?"),
        (["--versoin"], "No such option: --versoin; did you mean --version?"),
        (["train", "-x"], "No such option: -x; see likely train --help."),
        (["rank"], "Missing option '--history'; see likely rank --help."),
        (["rank", "--history"], "Option '--history' requires an argument; see likely rank --help."),
        (["rank", "--top", "many"], "Invalid value for '--top'"),
        (["config", "one", "two"], "unexpected extra argument(s) (two); see likely config --help."),
        (["xyzzy"], "No such command 'xyzzy'; see likely --help."),
    ],
)
def test_a_command_that_is_typed_wrongly(capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("likely.cli.app.typed", lambda command: command)
    assert words in complaint(capsys, arguments)


def test_a_command_without_a_verb_lists_them(capsys):
    assert run([]) == 2
    printed = capsys.readouterr()
    assert "Usage:" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["train.json does not exist"]),
        (b"", ["train.json is empty"]),
        (b"[]", ["train.json holds no records"]),
        (text(ROWS)[:-20], ["train.json is not JSON", "line 1"]),
        (b"\x89PNG\r\n\x1a\n\x00\xff", ["train.json is not UTF-8"]),
        (b'"just words"', ["train.json holds a str"]),
        (text([ROW, ["a", "list"]]), ["train.json, row 2", "'instruction'"]),
        (text([ROW, {"input": "x", "output": "Yes"}]), ["row 2", "'instruction' is missing"]),
        (text([ROW, {**ROW, "output": ["Yes"]}]), ["row 2, key 'output'", "is not text"]),
        (text([ROW, {**ROW, "output": 1}]), ["row 2, key 'output'", "'1' is neither Yes nor No", 'label_map=\'{"1":']),
        (text([ROW, {**ROW, "output": "Maybe"}]), ["row 2, key 'output'", "'Maybe' is neither Yes nor No"]),
        (text([ROW, {**ROW, "history": ["x"]}]), ["row 2, key 'history'"]),
        (text(ROW)[:-1], ["train.json is not JSON (line 1, column"]),
    ],
    ids=[
        "missing",
        "empty",
        "no rows",
        "cut off",
        "binary",
        "text",
        "row",
        "key",
        "type",
        "number",
        "label",
        "history",
        "line",
    ],
)
def test_data_that_is_wrong(project, tmp_path, capsys, no_model, content, words):
    (tmp_path / "train.json").unlink()
    if content is not None:
        (tmp_path / "train.json").write_bytes(content)
    error = complaint(capsys, ["train", "--config", project()])
    assert all(word in error for word in words)


@pytest.mark.parametrize(
    "override",
    [
        "lora_rank=0", "lora_rank=-1", "lora_dropout=1.5", "cutoff_len=3", "learning_rate=fast",
        "per_device_train_batch_size=0", "num_train_epochs=-1", "leaning_rate=1e-4", "eval_strategy=sometimes",
        "metric_for_best_model=eval_bleu", "flash_attn=warp", "seed", "cutoff_len=20", "dataset_dir=nowhere",
        "lora_target=[]", "flash_attn=flash_attention_2", "flash_attn=flex_attention",
    ],
)  # fmt: skip
def test_values_that_are_wrong(project, tmp_path, capsys, no_model, override):
    values = {"dataset": "movielens_qwen3", "train_file": None} if override.startswith("dataset_dir") else {}
    error = complaint(capsys, ["train", "--config", project(**values), override])
    assert override.partition("=")[0] in error
    assert not (tmp_path / "out" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seed:\t1\n\tx: 2\n", "a tab"),
        (b"- seed\n", "a list"),
        (b"\xff\x00", "not UTF-8 text"),
        (None, "does not exist"),
    ],
)
def test_configurations_that_are_none(tmp_path, capsys, content, words):
    if content is not None:
        (tmp_path / "run.yaml").write_bytes(content)
    assert words in complaint(capsys, ["train", "--config", tmp_path / "run.yaml"])


def test_models_that_are_none(project, tmp_path, capsys, no_model):
    (tmp_path / "empty").mkdir()
    (tmp_path / "weightless").mkdir()
    (tmp_path / "weightless" / "config.json").write_text("{}")
    for model, words in (
        (tmp_path / "empty", "without config.json"),
        (tmp_path / "weightless", "no weights"),
        (tmp_path / "nowhere", "is not a folder"),
    ):
        error = complaint(capsys, ["train", "--config", project(model_name_or_path=str(model))])
        assert words in error


def test_a_module_that_the_model_does_not_have(project, capsys):
    error = complaint(capsys, ["train", "--config", project(lora_target="q_proj,query_key_value")])
    assert "lora_target names query_key_value" in error


def test_an_output_folder_that_cannot_be_written(project, tmp_path, capsys, no_model):
    (tmp_path / "file").write_text("in the way")
    error = complaint(capsys, ["train", "--config", project(output_dir=str(tmp_path / "file" / "out"))])
    assert "cannot be written" in error
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("command", ["infer", "evaluate"])
def test_a_folder_without_an_adapter(tmp_path, capsys, command):
    assert "holds no adapter" in complaint(capsys, [command, "--adapter-dir", tmp_path])


def test_an_evaluation_that_cannot_start(project, tmp_path, capsys, no_model):
    """Each mistake is told before anything is computed, and leaves no folder behind that was not there."""
    alone = ["evaluate", "--baselines-only", "--config", project()]
    (tmp_path / "file").write_text("in the way")
    assert "cannot be written" in complaint(capsys, [*alone, "--output", tmp_path / "file"])
    assert "does not exist" in complaint(capsys, ["evaluate", "--baselines-only", "--adapter-dir", tmp_path / "no"])
    assert not (tmp_path / "no").exists()
    (tmp_path / "eval.json").unlink()
    assert "eval.json does not exist" in complaint(capsys, [*alone, "--output", tmp_path / "figures"])
    assert not list((tmp_path / "figures").iterdir())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,2,4.0", "Line 3 of"),
        ("1,2,9.5,100", "outside of the scale 0.5 to 5"),
        ("1,2,\udcff,100", "has no valid rating"),
    ],
    ids=["short", "out of range", "not UTF-8"],
)
def test_ratings_that_are_wrong_leave_the_last_preparation(tmp_path, capsys, line, words):
    release, output = tmp_path / "ml", tmp_path / "out"
    release.mkdir()
    output.mkdir()
    (output / "train.json").write_text("precious")
    (release / "movies.csv").write_text("movieId,title,genres\n1,Heat (1995),Crime\n2,Ronin (1998),Crime\n")
    ratings = f"userId,movieId,rating,timestamp\n1,1,4.0,100\n{line}\n"
    (release / "ratings.csv").write_bytes(ratings.encode("utf-8", "surrogateescape"))
    assert words in complaint(capsys, ["prepare", "--source", release, "--output", output])
    assert (output / "train.json").read_text() == "precious"


def test_names_that_are_unknown(tmp_path, capsys):
    assert "did you mean ml-1m?" in complaint(capsys, ["prepare", "--dataset", "ml-1n"])
    assert "There is no folder or zip" in complaint(capsys, ["prepare", "--source", tmp_path / "nowhere"])
    assert run(["train", "--confg", "x"]) == 2
    assert run(["prepare", "--window", "rolling"]) == 2
    assert run(["trian"]) == 2


@pytest.mark.parametrize(
    ("verb", "given", "written"),
    [
        ("train", ["--learning_rate", "1e-4"], "learning_rate=1e-4"),
        ("train", ["--learning-rate", "1e-4"], "learning_rate=1e-4"),
        ("train", ["--learning_rate=1e-4"], "learning_rate=1e-4"),
        ("train", ["--max_steps"], "max_steps=..."),
        *((verb, ["seed=1", "--lora_r", "8"], "lora_r=8") for verb in ("train", "audit", "tree", "infer", "evaluate")),
    ],
)
def test_a_key_given_as_an_option_is_answered_with_how_to_write_it(capsys, verb, given, written):
    assert f"is not an option; write {written}" in complaint(capsys, [verb, *given])


def test_an_option_that_is_nearly_one_is_not_taken_for_a_key(capsys):
    assert run(["audit", "--max_samples", "3"]) == 2
    assert "--max-samples" in capsys.readouterr().err
    assert run(["prepare", "--seed_", "3"]) == 2


def test_the_version_is_told(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"likely {version('likely')}\n"


def test_presets_are_listed_and_written(capsys, tmp_path):
    assert run(["config"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(PRESETS)
    for name in PRESETS:
        assert run(["config", name]) == 0
        (tmp_path / "run.yaml").write_text(capsys.readouterr().out)
        assert load_config(tmp_path / "run.yaml") == load_config(name)
    assert "did you mean smollm2_movielens_cpu?" in complaint(capsys, ["config", "smollm_movielens_cpu"])


def test_shells_complete_verbs_and_presets():
    def completed(line):
        asked = {"_LIKELY_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        code = "import sys; sys.argv = ['likely']; from likely.cli import main; main()"
        told = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True)
        return told.stdout.split()

    assert completed("likely ev") == ["evaluate"]
    assert completed("likely train --config qwen3_movielens_1") == ["qwen3_movielens_16gb"]
    assert completed("likely config de") == ["demo"]


def test_a_bug_keeps_its_traceback(project, monkeypatch):
    def bug(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(training, "load_base", bug)
    with pytest.raises(ZeroDivisionError):
        run(["train", "--config", str(project())])


NO_MORE = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"
"""The help of a command that does nothing."""


def test_asking_for_help_is_quick():
    """Under half a second of computing, or twice what typer alone takes where a machine is slow."""
    of_ours = min(seconds_of(["-m", "likely", "--help"]) for _ in range(3))
    assert of_ours < 0.5 or of_ours < 2 * min(seconds_of(["-c", NO_MORE]) for _ in range(3))


def seconds_of(command):
    """Computing time of Python with such arguments; other work on the machine adds to it."""
    before = os.times()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_the_command_line_imports_nothing_heavy_before_a_verb_runs():
    code = (
        "import sys, likely.cli; print(*{'torch', 'transformers', 'polars', 'sklearn', 'matplotlib'} & {*sys.modules})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"\n"
