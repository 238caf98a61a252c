"""A key of the configuration given as an option is answered with how to write it; commands are named as typed."""

import os
import re
import sys

import pytest

from likely.cli import run
from likely.cli.options import preset_names, typed
from likely.config.presets import PRESETS


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["train", "--learning_rate", "1e-4"], "write learning_rate=1e-4 without dashes"),
        (["train", "--learning-rate=1e-4"], "write learning_rate=1e-4 without dashes"),
        (["train", "--seed"], "write seed=... without dashes"),
        (["audit", "--report_to", "none"], "write report_to=none without dashes"),
        (["infer", "--cutoff-len", "256"], "write cutoff_len=256 without dashes"),
    ],
)
def test_a_key_with_dashes_is_answered_with_how_to_write_it(capsys, arguments, advice):
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert advice in error
    assert error.count("\n") == 1


def test_an_option_that_is_no_key_is_left_to_the_parser(capsys):
    assert run(["train", "--nothing-of-the-kind"]) == 2
    assert "without dashes" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["audit", "tree", "train", "infer", "evaluate"])
def test_a_verb_alone_has_its_defaults(capsys, monkeypatch, tmp_path, verb):
    monkeypatch.chdir(tmp_path)
    assert run([verb]) == 2
    assert re.search("make it with: likely prepare|holds no adapter", capsys.readouterr().err)


def test_a_verb_without_keys_has_none_to_advise(capsys):
    assert run(["report", "--seed", "7"]) == 2
    assert "without dashes" not in capsys.readouterr().err


def test_a_shell_completes_the_presets():
    assert preset_names() == list(PRESETS)


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment with a `likely` in its `bin`, that of the Python that runs."""
    scripts = tmp_path / "my env" / "bin"
    scripts.mkdir(parents=True)
    for name in ("python", "likely"):
        (scripts / name).write_text("#!/bin/sh\n")
        (scripts / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(scripts / "python"))
    monkeypatch.setenv("PATH", os.defpath)
    return scripts


def test_a_command_on_the_path_is_typed_by_its_name(environment, monkeypatch):
    monkeypatch.setenv("PATH", str(environment))
    assert typed("likely") == "likely"
    assert typed("tensorboard") == "tensorboard"


def test_a_command_that_is_not_on_the_path_is_typed_by_where_it_is(environment, monkeypatch):
    monkeypatch.chdir(environment.parent.parent)
    assert typed("likely") == "'my env/bin/likely'"
    monkeypatch.chdir("/")
    assert typed("likely") == f"'{environment.relative_to('/') / 'likely'}'"


def test_the_likely_of_another_environment_is_not_meant(environment, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "likely").write_text("#!/bin/sh\n")
    (other / "likely").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    monkeypatch.chdir(other)
    assert typed("likely") == f"'{environment / 'likely'}'"
