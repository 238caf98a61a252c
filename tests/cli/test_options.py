"""A key of the configuration that is given as an option is answered with how to write it."""

import pytest

from likely.cli import run
from likely.cli.options import preset_names
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


def test_a_verb_without_keys_has_none_to_advise(capsys):
    assert run(["report", "--seed", "7"]) == 2
    assert "without dashes" not in capsys.readouterr().err


def test_a_shell_completes_the_presets():
    assert preset_names() == list(PRESETS)
