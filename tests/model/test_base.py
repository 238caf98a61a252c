"""Models load as asked or say why not; four-bit weights train and score like any others."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from likely.encoding.batches import PASS, PASS_ON_CPU, PASS_ON_CUDA
from likely.errors import LikelyError
from likely.model.adapter import Lora, add_adapter, recompute_activations
from likely.model.base import (
    Precision,
    attention_share,
    check_model_folder,
    choose_precision,
    load_base,
    load_model_config,
    load_tokenizer,
    pass_cost,
)
from zoo import FAMILIES

FLOAT32 = Precision("float32", False)
LORA = Lora(4, 8, 0.0, ["q_proj", "down_proj"])


@pytest.mark.parametrize(
    ("on_gpu", "bf16", "dtype", "bits", "expected"),
    [
        (False, False, "auto", None, ("float32", False, False)),
        (False, False, "auto", 4, ("float32", False, True)),
        (False, False, "bfloat16", None, ("bfloat16", False, False)),
        (True, True, "auto", None, ("bfloat16", False, False)),
        (True, True, "auto", 4, ("bfloat16", True, False)),
        (True, False, "auto", 4, ("float16", True, False)),
        (True, True, "float32", 4, ("float32", True, False)),
    ],
)
def test_precision_is_what_the_machine_can_do(monkeypatch, on_gpu, bf16, dtype, bits, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: on_gpu)
    # Without bfloat16 of its own, as a T4: torch emulates it and says that it is supported.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation)
    precision = choose_precision(dtype, bits)
    assert (precision.dtype, precision.four_bit, precision.notice is not None) == expected


def test_four_bits_can_be_asked_for_without_a_gpu():
    assert choose_precision("bfloat16", 4, four_bit_on_cpu=True) == Precision("bfloat16", True)
    assert choose_precision("bfloat16", None, four_bit_on_cpu=True) == Precision("bfloat16", False)


CODE = "from pathlib import Path\nPath({marker!r}).write_text('it ran')\nclass Own: pass\n"


@pytest.fixture
def own_code(tiny_base, tmp_path):
    """A model folder that names code of its own, which would leave a mark, for each of its parts."""
    folder = shutil.copytree(tiny_base, tmp_path / "own")
    (folder / "own.py").write_text(CODE.format(marker=str(tmp_path / "marker")))
    parts = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}
    for name in ("config.json", "tokenizer_config.json"):
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**settings, "auto_map": parts}))
    return folder


def test_code_of_a_model_folder_is_not_run_where_transformers_knows_the_model(own_code, tmp_path):
    load_base(str(own_code), FLOAT32, "sdpa")
    load_tokenizer(str(own_code))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("load", [load_model_config, load_tokenizer, lambda name: load_base(name, FLOAT32, "sdpa")])
def test_a_model_that_is_code_of_its_own_is_refused_unasked(own_code, tmp_path, monkeypatch, load):
    for name, key in (("config.json", "model_type"), ("tokenizer_config.json", "tokenizer_class")):
        settings = json.loads((own_code / name).read_text())
        (own_code / name).write_text(json.dumps({**settings, key: "own"}))
    monkeypatch.setattr("builtins.input", lambda *question: pytest.fail("it asked"))
    with pytest.raises(
        LikelyError, match=r"code of its own \(auto_map in its configuration\), which is never run here"
    ):
        load(str(own_code))
    assert not (tmp_path / "marker").exists()


def test_a_model_that_sdpa_cannot_compute_loads_with_eager(tmp_path):
    next(family for family in FAMILIES if family.name == "Gemma 2").build().save_pretrained(tmp_path)
    assert load_base(str(tmp_path), FLOAT32, "sdpa").config._attn_implementation == "eager"


def test_a_configuration_is_read_without_the_weights(tiny_base, tmp_path):
    shutil.copy(tiny_base / "config.json", tmp_path)
    assert load_model_config(str(tmp_path)).model_type == "llama"
    with pytest.raises(LikelyError, match=r"configuration of .*missing cannot be loaded"):
        load_model_config(str(tmp_path / "missing"))


def test_attention_costs_little_beside_a_wide_model(tiny_base):
    """For Llama of width w with key-value heads and intermediate size as given, by hand."""
    model = load_base(str(tiny_base), FLOAT32, "sdpa")
    config = model.config
    width, layers = config.hidden_size, config.num_hidden_layers
    kv = config.num_key_value_heads * width // config.num_attention_heads
    weights = layers * (2 * width * width + 2 * width * kv + 3 * width * config.intermediate_size + 2 * width) + width
    assert attention_share(model) == pytest.approx(2 * layers * width / weights, rel=1e-6)
    model.config._attn_implementation = "flex_attention"
    assert attention_share(model) == 0


@pytest.mark.parametrize(
    ("device", "trains", "expected"),
    [("cuda", True, PASS_ON_CUDA), ("cuda", False, PASS_ON_CUDA), ("cpu", True, PASS), ("cpu", False, PASS_ON_CPU)],
)
def test_a_pass_costs_what_its_device_takes_to_begin_it(device, trains, expected):
    assert pass_cost(SimpleNamespace(device=torch.device(device)), trains) == expected


@pytest.mark.parametrize("checkpointing", [False, True])
def test_four_bit_weights_give_every_record_the_gradient_it_has_alone(tiny_base, builder, records, checkpointing):
    """QLoRA as on a GPU: nf4, double quantisation; the tree against one record at a time."""
    pytest.importorskip("bitsandbytes")
    from likely.encoding.batches import Budget, make_batches
    from likely.model.forward import answer_logits

    torch.manual_seed(0)
    base = load_base(str(tiny_base), Precision("float32", True), "sdpa")
    settings = base.config.quantization_config
    assert (settings.bnb_4bit_quant_type, settings.bnb_4bit_use_double_quant) == ("nf4", True)
    model = add_adapter(base, LORA)
    if checkpointing:
        recompute_activations(model)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    model.train()
    encoded = builder.encode_all(records[:10])
    trained = [weight for weight in model.parameters() if weight.requires_grad]

    def gradient(batches):
        model.zero_grad()
        for batch in batches:
            logits = answer_logits(model, batch, base)
            torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="sum").backward()
        return torch.cat([weight.grad.flatten() for weight in trained])

    tree, one_by_one = (list(make_batches(encoded, *how)) for how in (("tree", Budget(4000)), ("padded", Budget(1))))
    together, alone = gradient(tree), gradient(one_by_one)
    assert (together - alone).norm() / alone.norm() < 1e-4
    with torch.no_grad():
        answer_logits(model.eval(), tree[0], base)
    model.train()
    assert torch.equal(gradient(tree), together)  # no evaluation changes the weights, or how they are held


def test_weights_that_are_kept_in_four_bits_are_trained_like_those_that_become_so_here(tiny_base, tmp_path):
    pytest.importorskip("bitsandbytes")
    from bitsandbytes.nn.modules import Linear4bit

    load_base(str(tiny_base), Precision("float32", True), "sdpa").save_pretrained(tmp_path)
    kept = load_base(str(tmp_path), Precision("float32", False), "sdpa")
    held = [module for module in kept.modules() if isinstance(module, Linear4bit)]
    assert held
    assert not any(module.support_avx512bf16_for_cpu for module in held)  # which would leave no gradient


def test_beside_four_bit_weights_nothing_becomes_float32_but_the_adapter(tiny_base):
    pytest.importorskip("bitsandbytes")
    model = add_adapter(load_base(str(tiny_base), Precision("bfloat16", True), "sdpa"), LORA)
    kinds = {(weight.requires_grad, weight.dtype) for weight in model.parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16), (False, torch.uint8)}


def test_weights_that_are_missing_are_not_drawn_at_random(tiny_base, tmp_path):
    folder = shutil.copytree(tiny_base, tmp_path / "part")
    weights = load_file(folder / "model.safetensors")
    gone = next(name for name in weights if "down_proj" in name)
    save_file({name: weight for name, weight in weights.items() if name != gone}, folder / "model.safetensors")
    with pytest.raises(LikelyError, match=r"has no weights for 1 of its tensors, such as .*down_proj"):
        load_base(str(folder), FLOAT32, "sdpa")


def test_a_path_in_nobody_s_home_is_no_model():
    with pytest.raises(LikelyError, match="is not a folder; check the path"):
        check_model_folder("~nobody-of-this-name/model")
