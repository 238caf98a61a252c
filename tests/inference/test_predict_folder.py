"""Each file of a folder gets a scored one, once: what is finished stays, and what was begun is gone on with."""

import json
import shutil

import polars as pl
import pytest
from safetensors.torch import load_file, save_file

from likely.cli import predict as verb
from likely.cli import run as command
from likely.errors import LikelyError
from likely.inference import predict as predicting
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.predict import predict
from likely.inference.predict_folder import predict_folder, rows_of_parts
from likely.inference.scored_file import ORIGIN
from likely.inference.scores_in_progress import ScoresInProgress
from likely.model.adapter import ADAPTER_WEIGHTS


@pytest.fixture
def data(tmp_path, rows):
    """Folder of three files of a few users each, and of what other programs leave beside such files."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, part in (("a", rows[:15]), ("b", rows[15:25]), ("c", rows[25:])):
        pl.DataFrame(part).write_parquet(folder / f"{name}.parquet")
    pl.DataFrame(rows[:1]).clear().write_parquet(folder / "empty.parquet")
    for name in ("_SUCCESS", "_a.parquet", ".a.parquet", "notes.txt"):
        (folder / name).write_text("not ours")
    return folder


@pytest.fixture
def no_model(monkeypatch):
    """Return a function after which no model may be loaded."""
    return lambda: monkeypatch.setattr(LoadedRun, "load", lambda *_: pytest.fail("the model was loaded"))


def typed(folder, data, output, *others):
    return command(["predict", "--run", str(folder), "--data", str(data), "--output", str(output), *others])


def test_each_file_is_what_predict_makes_of_it_alone(tmp_path, folder, data, capsys, no_model):
    assert typed(folder, data, tmp_path / "out", "--base") == 0
    assert "40 rows of 3 files written" in capsys.readouterr().out
    names = ["a.parquet", "b.parquet", "c.parquet"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    for name in names:
        predict(folder, data / name, tmp_path / name, with_base=True)
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / name).read_bytes()
    no_model()
    assert typed(folder, data, tmp_path / "out", "--base") == 0
    assert "40 rows had been scored before" in capsys.readouterr().out


def test_files_of_another_command_in_the_output_are_named(tmp_path, folder, data, capsys):
    assert typed(folder, data, tmp_path / "out") == 0
    assert "more .parquet files" not in capsys.readouterr().out
    (data / "b.parquet").unlink()
    (tmp_path / "out" / "_notes.parquet").touch()
    assert typed(folder, data, tmp_path / "out") == 0
    assert "1 more .parquet files are in it, such as b.parquet, of no file with rows in" in capsys.readouterr().out


def test_the_model_is_loaded_once_and_progress_counts_all_rows(tmp_path, folder, data, monkeypatch):
    seen, loaded, load = [], [], LoadedRun.load
    monkeypatch.setattr(LoadedRun, "load", lambda *given: loaded.append(given) or load(*given))
    done = predict_folder(folder, data, tmp_path / "out", with_base=True, on_progress=lambda *two: seen.append(two))
    assert len(loaded) == 1
    assert {name: one.rows for name, one in done.items()} == {"a.parquet": 15, "b.parquet": 10, "c.parquet": 15}
    assert seen == sorted(seen)
    assert seen[-1] == (80, 80)
    assert len(seen) > 6


def test_what_is_not_made_from_the_same_is_made_anew(tmp_path, folder, data, rows):
    output = tmp_path / "out"

    def fresh(run, config=None):
        return [one.rows - one.kept for one in predict_folder(run, data, output, config).values()]

    assert fresh(folder) == [15, 10, 15]
    assert fresh(folder) == [0, 0, 0]
    pl.DataFrame(rows[:4]).write_parquet(data / "a.parquet")
    (output / "b.parquet").unlink()
    (output / "c.parquet").write_bytes((output / "c.parquet").read_bytes()[:-9])
    assert fresh(folder) == [4, 10, 15]
    pl.read_parquet(output / "c.parquet").write_parquet(output / "c.parquet")  # scores, but nobody says whose
    assert fresh(folder) == [0, 0, 15]
    assert fresh(folder, config_of(folder, None, ["cutoff_len=500"])) == [4, 10, 15]
    other = shutil.copytree(folder, tmp_path / "other")
    weights = load_file(other / ADAPTER_WEIGHTS)
    save_file({name: weight / 2 for name, weight in weights.items()}, other / ADAPTER_WEIGHTS)
    assert fresh(other, config_of(folder, None, ["cutoff_len=500"])) == [4, 10, 15]
    assert json.loads(pl.read_parquet_metadata(output / "a.parquet")[ORIGIN])["cutoff_len"] == 500


def test_an_adapter_that_is_replaced_between_two_files_ends_the_command(tmp_path, folder, data, monkeypatch):
    run, output = shutil.copytree(folder, tmp_path / "run"), tmp_path / "out"
    ask = LoadedRun.answers

    def trained_again(self, *given, **named):
        said = ask(self, *given, **named)
        if not (run / "again").exists():  # a training ends while the first file is scored
            weights = load_file(run / ADAPTER_WEIGHTS)
            save_file({name: weight * 3 for name, weight in weights.items()}, run / ADAPTER_WEIGHTS)
            (run / "again").touch()
        return said

    monkeypatch.setattr(LoadedRun, "answers", trained_again)
    with pytest.raises(LikelyError, match="was replaced by another meanwhile"):
        predict_folder(run, data, output)
    assert [one.kept for one in predict_folder(run, data, output).values()] == [0, 0, 0]
    predict_folder(run, data, tmp_path / "anew")
    for path in output.iterdir():
        assert pl.read_parquet(path).equals(pl.read_parquet(tmp_path / "anew" / path.name))


def test_a_killed_command_goes_on_within_the_file(tmp_path, folder, data, monkeypatch, capsys):
    monkeypatch.setattr(predicting, "WINDOW", 4)
    predict_folder(folder, data, tmp_path / "whole")
    append, appended = ScoresInProgress.append, []

    def killed(self, scores):
        if len(appended) == 6:  # four windows of the first file, two of the second
            raise KeyboardInterrupt
        appended.append(append(self, scores))

    with monkeypatch.context() as patch:
        patch.setattr(ScoresInProgress, "append", killed)
        assert typed(folder, data, tmp_path / "out") == 130
    assert "Go on with the same command." in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.parquet", "b.parquet.partial"]
    done = predict_folder(folder, data, tmp_path / "out")
    assert {name: one.kept for name, one in done.items()} == {"a.parquet": 15, "b.parquet": 8, "c.parquet": 0}
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert not list((tmp_path / "out").glob("*.partial"))


def test_a_file_that_is_wrong_ends_the_command_and_those_before_it_are_finished(tmp_path, folder, data, capsys):
    pl.DataFrame({"question": ["?"]}).write_parquet(data / "b.parquet")
    assert typed(folder, data, tmp_path / "out") == 2
    assert "b.parquet, row 1: the key 'instruction' is missing" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--workers", "2"], "--workers are those of --engine ray"),
        (["--engine", "ray"], "needs the extra `ray`, which is not installed"),
    ],
)
def test_what_is_wrong_with_the_options_is_said(tmp_path, folder, data, monkeypatch, capsys, options, complaint):
    monkeypatch.setattr(verb, "find_spec", lambda name: None)
    assert typed(folder, data, tmp_path / "out", *options) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_engine_takes_folders(tmp_path, folder, data, monkeypatch, capsys):
    monkeypatch.setattr(verb, "find_spec", lambda name: name)
    assert typed(folder, data / "a.parquet", tmp_path / "out.parquet", "--engine", "ray") == 2
    assert "takes a folder of .parquet files" in capsys.readouterr().err


def test_folders_that_cannot_be_used_are_said(tmp_path, folder, data, no_model, capsys):
    no_model()
    (tmp_path / "none").mkdir()
    assert typed(folder, tmp_path / "none", tmp_path / "out") == 2
    assert "has no .parquet files" in capsys.readouterr().err
    assert typed(folder, data, data) == 2
    assert "is the file that is read" in capsys.readouterr().err
    assert typed(folder, data, data / "notes.txt") == 2
    assert "notes.txt cannot be written" in capsys.readouterr().err
    (data / "d.parquet").write_text("no table")
    assert typed(folder, data, tmp_path / "out") == 2
    assert "d.parquet is not a Parquet file" in capsys.readouterr().err


def test_files_without_rows_and_notes_of_others_are_left_out(data):
    assert rows_of_parts(data) == {"a.parquet": 15, "b.parquet": 10, "c.parquet": 15}
