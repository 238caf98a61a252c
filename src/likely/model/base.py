"""Base models: how precisely they compute, and where their tokenizer and weights are loaded from.

Takes names and numbers from the configuration and gives a tokenizer and a model that `training`
and `scoring` run. What cannot be loaded is reported before anything large is read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from likely.encoding.batches import PASS, PASS_ON_CPU, PASS_ON_CUDA
from likely.errors import LikelyError
from likely.model.attention import FLASH_ATTENTIONS
from likely.model.compiled import allow_pieces
from likely.model.cuda import ready_cuda
from likely.model.hub import TOKENIZER_FILES, WEIGHT_FILES, from_cache_or_hub
from likely.model.runtime import explained, keep_freed_memory, quiet_libraries
from likely.model.trial import bfloat16_gain

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

T = TypeVar("T")

CLEARLY_FASTER = 1.3
"""How many times as fast bfloat16 has to be on a CPU to be chosen over float32, which rounds less."""


@dataclass(frozen=True)
class Precision:
    """How weights are held and computed with.

    Attributes:
        dtype: `float32`, `bfloat16` or `float16`: of the weights, or of the arithmetic where the weights are 4-bit.
        four_bit: hold the base model's weights in 4-bit NF4 with double quantisation (QLoRA, arXiv 2305.14314).
        notice: what to say to the user of the choice, where there is something.
    """

    dtype: str
    four_bit: bool
    notice: str | None = None

    @property
    def is_half(self) -> bool:
        """Whether the model computes in 16 bits."""
        return self.dtype != "float32"

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.dtype}{', 4-bit weights' if self.four_bit else ''}"


def choose_precision(
    dtype: str,
    quantization_bit: int | None,
    four_bit_on_cpu: bool = False,
    hidden: int | None = None,
    before: str | None = None,
) -> Precision:
    """Choose what this machine can do: on CUDA 16-bit arithmetic and QLoRA, elsewhere plain LoRA.

    Without CUDA `auto` is float32, or bfloat16 where a trial says that this processor is clearly faster in it.

    Args:
        dtype: `auto`, `float32`, `bfloat16` or `float16`.
        quantization_bit: 4 or None.
        four_bit_on_cpu: hold weights in 4 bits without CUDA too, which bitsandbytes computes slowly.
        hidden: width of the model's hidden states, for the trial; None for none.
        before: what the run was in so far, as a `Precision` in words. `auto` keeps to it without CUDA, or to float32
            where bfloat16 would be clearly slower; None for a run that begins.
    """
    import torch

    on_gpu = torch.cuda.is_available()
    notices = []
    if dtype == "auto" and on_gpu:
        # A GPU before Ampere, such as the T4, computes bfloat16 by emulation, far slower than float16.
        dtype = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    elif dtype == "auto":
        dtype, tried = _by_trial(hidden, before)
        notices += [tried] if tried else []
    if quantization_bit and not (on_gpu or four_bit_on_cpu):
        notices.append("There is no CUDA GPU, so this is plain LoRA instead of QLoRA (quantization_bit: 4).")
        quantization_bit = None
    return Precision(dtype, bool(quantization_bit), " ".join(notices) or None)


def _by_trial(hidden: int | None, before: str | None) -> tuple[str, str | None]:
    """Return the dtype that `auto` is without CUDA, and a sentence for the user where something was tried."""
    if hidden is None or (before is not None and not before.startswith("bfloat16")):
        return "float32", None
    gain = bfloat16_gain(hidden)
    # A run that is in bfloat16 leaves it only where that is clearly slower, not because a trial came out lower.
    if gain >= (CLEARLY_FASTER if before is None else 1 / CLEARLY_FASTER):
        return "bfloat16", f"bfloat16, in which this processor multiplies {gain:.1f} times as fast as in float32."
    slow = "not clearly faster" if before is None else "slower"
    return "float32", f"float32, as this processor is {slow} in bfloat16 ({gain:.1f} times as fast)."


def check_model_folder(name_or_path: str, needs_weights: bool = True) -> None:
    """Check, without importing anything heavy, that a local model folder holds a model.

    Args:
        name_or_path: hub name, which is not checked, or local folder.
        needs_weights: false where the tokenizer is enough.

    Raises:
        LikelyError: the path exists but is no model folder, or it can only be a path and is missing.
    """
    path = Path(name_or_path)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise LikelyError(
                f"model_name_or_path {name_or_path} is a folder without config.json, so not a model; "
                "name a folder that transformers' save_pretrained has written, or a hub model."
            )
        if needs_weights and not any(path.glob("*.safetensors")) and not any(path.glob("*.bin")):
            raise LikelyError(
                f"model_name_or_path {name_or_path} has a config.json but no weights (*.safetensors); "
                "copy the weights there or name another model."
            )
    elif path.exists() or name_or_path.startswith((".", "/", "~")) or name_or_path.count("/") > 1:
        raise LikelyError(f"model_name_or_path {name_or_path} is not a folder; check the path or name a hub model.")


@quiet_libraries()
def load_tokenizer(name_or_path: str, revision: str | None = None) -> "PreTrainedTokenizerBase":
    """Load a tokenizer from a local folder, huggingface's cache or the hub, in this order.

    Raises:
        LikelyError: it cannot be found, reached or read.
    """
    from transformers import AutoTokenizer

    def load(location: str) -> "PreTrainedTokenizerBase":
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            location, revision=revision, trust_remote_code=False
        )
        tokenizer.name_or_path = name_or_path
        tokenizer("A word", add_special_tokens=False)  # what its settings hold shows where they are used
        return tokenizer

    return _load("tokenizer", name_or_path, revision, TOKENIZER_FILES, load)


@quiet_libraries()
def load_base(
    name_or_path: str,
    precision: Precision,
    implementation: str,
    revision: str | None = None,
    in_blocks: bool = True,
) -> "PreTrainedModel":
    """Load a causal language model from a local folder, huggingface's cache or the hub, in this order.

    On the GPU if there is one. Without one, this process keeps freed memory from now on (`runtime`).

    Args:
        name_or_path: hub name or local folder.
        precision: as :func:`choose_precision` gives it.
        implementation: attention implementation, as `attention.resolve_attention` gives it.
        revision: branch, tag or commit on the hub.
        in_blocks: let `sdpa` leave out what the mask hides (`block_attention`); false for transformers' own.

    Raises:
        LikelyError: it cannot be found, reached or read, or weights are missing.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, precision.dtype)
    # None is transformers' own default: `sdpa`, or `eager` for a model that cannot be computed by it.
    attention = None if implementation == "sdpa" else implementation
    arguments: dict[str, Any] = {"dtype": dtype, "attn_implementation": attention, "revision": revision}
    arguments["trust_remote_code"] = False  # left open, transformers asks on the terminal whether to run it
    if precision.four_bit:
        how = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": dtype}
        arguments["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, **how)
    if ready_cuda():
        arguments["device_map"] = {"": torch.cuda.current_device()}
    else:
        keep_freed_memory()
    if implementation == "flex_attention":
        allow_pieces()  # transformers compiles it, one piece for each kind of shape, mask and gradient

    def load(location: str) -> "PreTrainedModel":
        loaded: Any = AutoModelForCausalLM.from_pretrained(location, output_loading_info=True, **arguments)
        model: PreTrainedModel = loaded[0]
        if missing := sorted(loaded[1]["missing_keys"]):
            raise LikelyError(
                f"The model {name_or_path} has no weights for {len(missing)} of its tensors, such as {missing[0]}, "
                "which would be drawn at random; fetch it again, or name a causal language model."
            )
        model.name_or_path = model.config.name_or_path = name_or_path  # what an adapter remembers, not a cache's folder
        return model

    model = _load("model", name_or_path, revision, WEIGHT_FILES, load)
    if _is_in_four_bits(model):
        _never_repack(model)
    if in_blocks:
        from likely.model.block_attention import attend_in_blocks

        attend_in_blocks(model)
    return model


def _is_in_four_bits(model: "PreTrainedModel") -> bool:
    """Return whether bitsandbytes holds a model, here or already in its files."""
    held = getattr(model.config, "quantization_config", None)
    return held is not None and held.quant_method == "bitsandbytes"


def _never_repack(model: "PreTrainedModel") -> None:
    """Keep 4-bit weights as they were loaded, whatever the processor.

    On CPUs with AVX512-BF16 bitsandbytes packs them anew at the first evaluation: their scales are rounded to 16 bits
    from then on, and a training that goes on gets no gradient through them.
    """
    from bitsandbytes.nn.modules import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def device_of(model: "torch.nn.Module") -> "torch.device":
    """Return the device that a model's parameters are on."""
    return next(model.parameters()).device


def attention_share(model: "PreTrainedModel") -> float:
    """Return what attention costs for each token of a row's width, relative to all else computed for a token.

    Multiplications a token: attention 2 x width x heads x head size in every layer (scores and
    values), all else one for each weight outside the embedding and the head.

    Nothing where a row's records cost what they cost alone, so that joining a row is never dearer than beginning one:
    under FlashAttention, which computes nothing between them, and FlexAttention, which leaves out the blocks that no
    token of them sees.
    """
    if model.config._attn_implementation in (*FLASH_ATTENTIONS, "flex_attention"):
        return 0.0
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", 0)
    head_size = getattr(config, "head_dim", None) or config.hidden_size // max(heads, 1)
    attention = 2 * config.num_hidden_layers * heads * head_size
    ends: set[Any] = {model.get_input_embeddings().weight, model.get_output_embeddings().weight}
    weights = model.num_parameters() - sum(weight.numel() for weight in ends)
    return float(attention / max(weights, 1))


def pass_cost(model: "PreTrainedModel", trains: bool = False) -> int:
    """Return what a forward pass costs besides its rows, in tokens.

    Args:
        model: on its device.
        trains: of passes with a gradient; on a CPU they count as much as they always did, as dropout is drawn by pass.
    """
    device = model.device.type
    if device == "cuda":
        return PASS_ON_CUDA
    return PASS_ON_CPU if device == "cpu" and not trains else PASS


def load_model_config(name_or_path: str, revision: str | None = None) -> "PretrainedConfig":
    """Load a model's configuration, without its weights.

    Raises:
        LikelyError: it cannot be found, reached or read.
    """
    from transformers import AutoConfig

    def load(location: str) -> "PretrainedConfig":
        config: PretrainedConfig = AutoConfig.from_pretrained(location, revision=revision, trust_remote_code=False)
        config.name_or_path = name_or_path
        return config

    return _load("configuration", name_or_path, revision, ("config.json",), load)


def _load(what: str, name_or_path: str, revision: str | None, files: Sequence[str], load: Callable[[str], T]) -> T:
    def sentence(reason: str) -> str:
        if "custom code" in reason:
            return (
                f"The {what} of {name_or_path} is code of its own (auto_map in its configuration), which is never run "
                "here; set model_name_or_path to a model that transformers can load by itself."
            )
        return (
            f"The {what} of {name_or_path} cannot be loaded ({reason}); check model_name_or_path, or name "
            "a local folder."
        )

    with explained(sentence):
        if Path(name_or_path).is_dir():
            return load(name_or_path)
        return from_cache_or_hub(name_or_path, revision, files, load)
