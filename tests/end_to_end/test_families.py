"""A run with a model of any family is exact or ends in a sentence, and the check costs it nothing but a moment."""

import pytest
import yaml
from transformers import AutoTokenizer

from likely.cli import run
from likely.config.reading import load_config
from likely.data.records import write_records
from zoo import FAMILIES, Family

pytestmark = pytest.mark.usefixtures("sketched")


@pytest.fixture(scope="module")
def data(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("data")
    columns = ("instruction", "input", "output", "user_id", "item_id")
    rows = [{name: getattr(record, name) for name in columns} for record in records]
    write_records(folder / "train.json", rows[:30])
    write_records(folder / "eval.json", rows[30:])
    return folder


@pytest.fixture
def base_of(tiny_base, tmp_path):
    """Writes a family's tiny model beside a tokenizer, as a folder."""

    def write(name, **changes):
        family = next(family for family in FAMILIES if family.name == name)
        folder = tmp_path / "base"
        AutoTokenizer.from_pretrained(tiny_base).save_pretrained(folder)
        settings = {**family.settings, "vocab_size": 600, "max_position_embeddings": 1024, **changes}
        Family(name, "", family.model_type, settings).build().save_pretrained(folder)
        return folder

    return write


def train_on(base, data, folder, **changes):
    """Train two steps through the command line; the exit status."""
    values = {
        "model_name_or_path": str(base),
        "dataset": None,
        "train_file": str(data / "train.json"),
        "eval_file": str(data / "eval.json"),
        "output_dir": str(folder / "run"),
        "cutoff_len": 512,
        "max_steps": 2,
        "gradient_accumulation_steps": 4,
        "learning_rate": 5e-3,
        "lora_target": "all",
        "lora_rank": 4,
        "logging_steps": 1,
    }
    folder.mkdir(exist_ok=True)
    (folder / "run.yaml").write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
    return run(["train", "--config", str(folder / "run.yaml")])


def test_layers_that_are_no_attention_run_padded_and_it_is_said(base_of, data, tmp_path, capsys):
    assert train_on(base_of("LFM2"), data, tmp_path) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "padded instead of tree, because Lfm2ForCausalLM has layers that are not attention" in printed
    assert load_config(tmp_path / "run" / "config.yaml").batching == "padded"
    assert run(["infer", "--adapter-dir", str(tmp_path / "run")]) == 0


def test_a_layout_that_was_chosen_for_the_model_is_no_change_on_resume(base_of, data, tmp_path, capsys):
    """Nor is the layout written out; what was not asked for is not told as a change of the configuration."""
    assert train_on(base_of("LFM2"), data, tmp_path) == 0
    resume = ["train", "--config", str(tmp_path / "run.yaml"), "--resume"]
    for steps, layout in ((3, "tree"), (4, "packed"), (5, "padded")):
        capsys.readouterr()
        assert run([*resume, f"max_steps={steps}", f"batching={layout}"]) == 0
        printed = " ".join(capsys.readouterr().out.split())
        assert "Going on from checkpoint" in printed
        assert "From now on" not in printed
    assert run([*resume, "max_steps=6", "seed=7"]) == 2


def test_a_layout_that_is_changed_is_told_on_resume(tiny_base, data, tmp_path, capsys):
    assert train_on(tiny_base, data, tmp_path) == 0
    resume = ["train", "--config", str(tmp_path / "run.yaml"), "--resume", "max_steps=3", "batching=padded"]
    assert run(resume) == 0
    assert "From now on: batching tree -> padded" in " ".join(capsys.readouterr().out.split())


def test_the_check_changes_no_bit_of_a_run(tiny_base, data, tmp_path, monkeypatch):
    adapters = []
    for name in ("checked", "unchecked"):
        assert train_on(tiny_base, data, tmp_path / name, lora_dropout=0.1) == 0
        adapters.append((tmp_path / name / "run" / "adapter_model.safetensors").read_bytes())
        monkeypatch.setattr("likely.training.run.check_exactness", lambda *arguments: None)
    assert adapters[0] == adapters[1]


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("GPT", {"n_positions": 1024}, "its code stops: RuntimeError"),
        ("GPT-2", {"n_positions": 64}, "has a table of 64 positions and cannot read further; set cutoff_len=64"),
        ("Llama", {"vocab_size": 300}, "call resize_token_embeddings"),
    ],
)
def test_what_cannot_be_exact_is_refused_before_a_step(base_of, data, tmp_path, capsys, name, changes, sentence):
    family = next(family for family in FAMILIES if family.name == name)
    if "n_positions" in family.settings:
        changes = {**changes, "max_position_embeddings": changes["n_positions"]}
    assert train_on(base_of(name, **changes), data, tmp_path) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
