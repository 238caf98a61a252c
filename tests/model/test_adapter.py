"""An adapter goes on the linear modules it is asked to, trains nothing else, and belongs to one base model."""

import json
import shutil
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

from likely.errors import LikelyError
from likely.model.adapter import (
    Lora,
    adapter_base,
    add_adapter,
    base_model,
    check_adapter_base,
    linear_modules,
    load_adapter,
    recompute_activations,
)
from likely.model.base import Precision, load_base
from likely.model.layers import layers_of
from support import with_drawn_adapter
from zoo import family_of

FLOAT32 = Precision("float32", False)
LORA = Lora(4, 8, 0.0, ["q_proj", "down_proj"])


def test_an_adapter_trains_nothing_but_itself(tiny_base):
    model = add_adapter(load_base(str(tiny_base), FLOAT32, "sdpa"), LORA)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained
    assert all("lora_" in name and ("q_proj" in name or "down_proj" in name) for name in trained)


def test_a_fresh_adapter_changes_no_answer(tiny_base):
    base = load_base(str(tiny_base), FLOAT32, "sdpa")
    ids = torch.arange(12)[None]
    before = base(ids).logits.detach()
    assert torch.equal(add_adapter(base, LORA)(ids).logits, before)


@pytest.fixture
def saved_adapter(tiny_base, tmp_path):
    add_adapter(load_base(str(tiny_base), FLOAT32, "sdpa"), LORA).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_an_adapter_knows_its_base(saved_adapter, tiny_base):
    assert adapter_base(saved_adapter) == str(tiny_base)


def test_a_damaged_adapter_is_said(saved_adapter, tiny_base):
    weights = saved_adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(LikelyError, match="damaged"):
        load_adapter(load_base(str(tiny_base), FLOAT32, "sdpa"), saved_adapter)
    (saved_adapter / "adapter_config.json").write_text("{")
    with pytest.raises(LikelyError, match=r"adapter_config.json is not JSON"):
        adapter_base(saved_adapter)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_half_an_adapter_is_none(saved_adapter, name):
    (saved_adapter / name).unlink()
    with pytest.raises(LikelyError, match="holds no adapter"):
        adapter_base(saved_adapter)


def test_an_adapter_goes_with_its_base_wherever_that_has_moved_to(saved_adapter, tiny_base, tmp_path):
    check_adapter_base(saved_adapter, str(tiny_base))
    check_adapter_base(saved_adapter, str(tmp_path / tiny_base.name))
    with pytest.raises(LikelyError, match=f"was trained on {tiny_base}, not on somebody/model"):
        check_adapter_base(saved_adapter, "somebody/model")


def test_an_adapter_gives_the_answers_that_it_was_saved_with(tiny_base, tmp_path):
    trained = add_adapter(load_base(str(tiny_base), FLOAT32, "sdpa"), LORA)
    for name, weight in trained.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    trained.save_pretrained(tmp_path)
    base, ids = load_base(str(tiny_base), FLOAT32, "sdpa"), torch.arange(12)[None]
    before = base(ids).logits
    loaded = load_adapter(base, tmp_path)
    assert base_model(loaded) is base
    assert torch.equal(loaded(ids).logits, trained.eval()(ids).logits)
    assert not torch.equal(loaded(ids).logits, before)


def test_an_adapter_of_other_shapes_is_refused(saved_adapter, tiny_base, tmp_path):
    other = shutil.copytree(tiny_base, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "intermediate_size": config["intermediate_size"] * 2}))
    from transformers import AutoConfig, AutoModelForCausalLM

    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(other)).save_pretrained(other)
    with pytest.raises(LikelyError, match="does not fit"):
        load_adapter(load_base(str(other), FLOAT32, "sdpa"), saved_adapter)


@pytest.mark.parametrize(
    "name", ["Qwen3", "GPT-2", "OPT", "Gemma 3", "Gemma 4", "Qwen3.5", "ModernBERT decoder", "Zamba2"]
)
def test_all_targets_are_peft_s_all_linear(name):
    """Linear layers of the text, without the head; what reads pictures stays as it was."""
    from peft import LoraConfig
    from peft.tuners.tuners_utils import _maybe_include_all_linear_layers

    model = family_of(name).build()
    everything = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
    expected = set(_maybe_include_all_linear_layers(everything, model).target_modules)
    assert set(linear_modules(model)) == {module for module in expected if "vision" not in module}


SEVEN = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Llama", SEVEN),
        ("Qwen3", SEVEN),
        ("Gemma 3", SEVEN),
        ("Phi-3", {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}),
        ("GPT-2", {"c_attn", "c_proj", "c_fc"}),
        ("Qwen3-MoE", {"q_proj", "k_proj", "v_proj", "o_proj", "gate", "experts"}),
    ],
)
def test_all_reaches_every_linear_module_but_the_head(name, expected):
    model = add_adapter(family_of(name).build(), Lora(2, 4, 0.0, ["all"]))
    trained = [weight for weight, parameter in model.named_parameters() if parameter.requires_grad]
    adapted = {weight.partition(".lora_")[0].removesuffix(".base_layer").rpartition(".")[2] for weight in trained}
    assert adapted == expected
    assert not any("vision" in weight for weight in trained)


@pytest.mark.parametrize(
    ("name", "path"),
    [("Llama", "model.layers"), ("GPT-2", "transformer.h"), ("OPT", "decoder.layers"), ("Qwen3.5", ".layers")],
)
@pytest.mark.parametrize("targets", ["all", "own"])
def test_an_adapter_of_upper_layers_reaches_all_their_targets_and_nothing_below(name, path, targets):
    base = family_of(name).build()
    layers = base.config.get_text_config().num_hidden_layers
    upper = {module for module in linear_modules(base) if f"{path}.{layers - 1}." in module}
    names = ["all"] if targets == "all" else sorted({module.rpartition(".")[2] for module in upper})
    model = add_adapter(base, Lora(2, 4, 0.0, names, upper_layers=1))
    trained = {weight for weight, parameter in model.named_parameters() if parameter.requires_grad}
    assert {weight.partition(".lora_")[0].removeprefix("base_model.model.") for weight in trained} == upper


def test_an_adapter_of_upper_layers_is_read_again_as_it_was(tiny_qwen, tmp_path):
    ids = torch.arange(12)[None]
    load = partial(load_base, str(tiny_qwen), FLOAT32, "sdpa")
    model = with_drawn_adapter(load(), Lora(4, 8, 0.0, ["q_proj", "down_proj"], upper_layers=1), spread=0.5).eval()
    model.save_pretrained(tmp_path)
    assert torch.equal(load_adapter(load(), tmp_path).eval()(ids).logits, model(ids).logits)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_backward_pass_ends_below_the_lowest_adapter(tiny_qwen, checkpointing):
    model = add_adapter(load_base(str(tiny_qwen), FLOAT32, "sdpa"), Lora(4, 8, 0.0, ["q_proj"], upper_layers=1)).train()
    if checkpointing:
        recompute_activations(model)
    below, above = layers_of(base_model(model))
    outputs = []
    for layer in (below, above):
        layer.register_forward_hook(lambda module, arguments, output: outputs.append(output))
    model(torch.arange(12)[None]).logits.sum().backward()
    assert [output.requires_grad for output in outputs[:2]] == [False, True]


def test_more_upper_layers_than_there_are_are_refused():
    with pytest.raises(
        LikelyError, match=r"lora_layers is 3, and LlamaForCausalLM has 2 layers; set it to none for all"
    ):
        add_adapter(family_of("Llama").build(), Lora(2, 4, 0.0, ["all"], upper_layers=3))


@pytest.mark.parametrize("targets", [["all"], ["q_proj", "gate_proj", "up_proj"]])
def test_upper_layers_of_experts_are_refused(targets):
    with pytest.raises(LikelyError, match=r"peft adapts the experts of Qwen3Moe.* in all layers; set lora_layers=none"):
        add_adapter(family_of("Qwen3-MoE").build(), Lora(2, 4, 0.0, targets, upper_layers=1))


@pytest.mark.parametrize("name", ["Phi-3.5-MoE", "Llama 4"])
def test_routers_that_give_more_than_their_product_stay_as_they_are(name):
    model = add_adapter(family_of(name).build(), Lora(2, 4, 0.0, ["all"])).train()
    model(torch.arange(3, 20)[None]).logits.sum().backward()
    trained = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert not any("router" in name for name in trained)
    assert all(gradient is not None for gradient in trained.values())


def test_a_wrong_target_is_told_which_there_are():
    with pytest.raises(
        LikelyError, match=r"names k_proj, which Phi3.* set lora_target to all, .*: down_proj, .*qkv_proj\.$"
    ):
        add_adapter(family_of("Phi-3").build(), Lora(2, 4, 0.0, ["k_proj", "o_proj"]))


def test_a_wrong_target_beside_experts_is_told_too():
    with pytest.raises(LikelyError, match=r"names qkv_proj, which Qwen3Moe"):
        add_adapter(family_of("Qwen3-MoE").build(), Lora(2, 4, 0.0, ["q_proj", "qkv_proj", "gate_proj", "up_proj"]))


def test_experts_take_no_dropout():
    with pytest.raises(LikelyError, match="set lora_dropout=0"):
        add_adapter(family_of("Mixtral").build(), Lora(2, 4, 0.1, ["all"]))


def test_an_adapter_that_lacks_weights_is_refused(saved_adapter, tiny_base):
    path = saved_adapter / "adapter_model.safetensors"
    weights = load_file(path)
    gone = next(name for name in weights if "down_proj.lora_B" in name)
    save_file({name: weight for name, weight in weights.items() if name != gone}, path)
    with pytest.raises(LikelyError, match=r"has no weights for 1 of the adapter's tensors, such as .*down_proj.lora_B"):
        load_adapter(load_base(str(tiny_base), FLOAT32, "sdpa"), saved_adapter)
