"""A page says of a run what its folder says."""

import json

import pytest

from likely.errors import LikelyError
from likely.report.facts import facts_of, facts_without_run
from likely.report.terms import Terms


@pytest.mark.parametrize(("name", "title"), [("null", "the folder"), ("lower rate", "lower rate")])
def test_a_run_is_called_by_its_name_or_else_its_folders(tmp_path, name, title):
    folder = tmp_path / "the folder"
    folder.mkdir()
    (folder / "config.yaml").write_text(f"run_name: {name}\nseed: 42\n")
    assert facts_of(folder).title == title


def test_the_saving_is_what_training_measured(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 42\n")
    assert facts_of(tmp_path).saving is None
    (tmp_path / "metrics.json").write_text(json.dumps({"saving": "half of all tokens"}))
    assert facts_of(tmp_path).saving == "half of all tokens"


def test_a_folder_without_a_configuration_is_no_run(tmp_path):
    with pytest.raises(LikelyError, match=r"has no config\.yaml, so it holds no finished run"):
        facts_of(tmp_path)


def test_baselines_alone_have_no_training_to_tell_of():
    facts = facts_without_run("Baselines", {"seed": 42}, Terms())
    assert (facts.title, facts.metrics, facts.saving) == ("Baselines", {}, None)
    assert set(facts.versions) == {"likely", "scikit-learn"}
