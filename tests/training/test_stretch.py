"""Where the log of a run goes."""

import re

import pytest

from likely.config.run_config import RunConfig
from likely.training.run_folder import Start
from likely.training.stretch import run_name_of


def config(**changes):
    return RunConfig(model_name_or_path="some/model", output_dir="run", **changes)


def test_a_log_has_the_name_that_is_set_or_the_one_before_a_resume():
    before = Start(about={"run_name": "first"})
    assert run_name_of(config(run_name="second"), before) == "second"
    assert run_name_of(config(), before) == "first"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", run_name_of(config(), Start()))


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", ".."])
def test_a_checkpoint_cannot_send_the_log_elsewhere(name):
    assert run_name_of(config(), Start(about={"run_name": name})).startswith("2")
