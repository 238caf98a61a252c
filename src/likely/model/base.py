"""Base models, 4-bit weights and LoRA adapters.

Takes names and numbers from the configuration and gives a tokenizer and a model that `training`
and `scoring` run. What cannot be loaded is reported before anything large is read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.errors import LikelyError

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Precision:
    """How weights are held and computed with.

    Attributes:
        dtype: `float32`, `bfloat16` or `float16`: of the weights, or of the arithmetic where the weights are 4-bit.
        four_bit: hold the base model's weights in 4-bit NF4 with double quantisation (QLoRA, arXiv 2305.14314).
        notice: a sentence for the user where this is not what was asked for.
    """

    dtype: str
    four_bit: bool
    notice: str | None = None

    @property
    def is_half(self) -> bool:
        """Whether the model computes in 16 bits."""
        return self.dtype != "float32"


def choose_precision(dtype: str, quantization_bit: int | None) -> Precision:
    """Choose what this machine can do: on CUDA 16-bit arithmetic and QLoRA, elsewhere float32 and plain LoRA.

    Args:
        dtype: `auto`, `float32`, `bfloat16` or `float16`.
        quantization_bit: 4 or None.
    """
    import torch

    on_gpu = torch.cuda.is_available()
    if dtype == "auto":
        half = "bfloat16" if on_gpu and torch.cuda.is_bf16_supported() else "float16"
        dtype = half if on_gpu else "float32"
    if quantization_bit and not on_gpu:
        return Precision(
            dtype, False, "There is no CUDA GPU, so this is plain LoRA instead of QLoRA (quantization_bit: 4)."
        )
    return Precision(dtype, bool(quantization_bit))


def check_model_folder(name_or_path: str, needs_weights: bool = True) -> None:
    """Check, without importing anything heavy, that a local model folder holds a model.

    Args:
        name_or_path: hub name, which is not checked, or local folder.
        needs_weights: false where the tokenizer is enough.

    Raises:
        LikelyError: the path exists but is no model folder, or it can only be a path and is missing.
    """
    path = Path(name_or_path).expanduser()
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


def load_tokenizer(name_or_path: str, revision: str | None = None) -> "PreTrainedTokenizerBase":
    """Load a tokenizer from a hub name or a local folder.

    Raises:
        LikelyError: it cannot be found or reached.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name_or_path, revision=revision)
    except (OSError, ValueError) as error:
        raise _cannot_load("tokenizer", name_or_path, error) from error
    return tokenizer


def load_base(
    name_or_path: str, precision: Precision, implementation: str, revision: str | None = None
) -> "PreTrainedModel":
    """Load a causal language model, on the GPU if there is one.

    Args:
        name_or_path: hub name or local folder.
        precision: as :func:`choose_precision` gives it.
        implementation: attention implementation, as `attention.resolve_attention` gives it.
        revision: branch, tag or commit on the hub.

    Raises:
        LikelyError: it cannot be found, reached or read.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, precision.dtype)
    # None is transformers' own default: `sdpa`, or `eager` for a model that cannot be computed by it.
    attention = None if implementation == "sdpa" else implementation
    arguments: dict[str, Any] = {"dtype": dtype, "attn_implementation": attention, "revision": revision}
    if precision.four_bit:
        arguments["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    if torch.cuda.is_available():
        arguments["device_map"] = {"": torch.cuda.current_device()}
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(name_or_path, **arguments)
    except (OSError, ValueError) as error:
        raise _cannot_load("model", name_or_path, error) from error
    return model


def device_of(model: "torch.nn.Module") -> "torch.device":
    """Return the device that a model's parameters are on."""
    return next(model.parameters()).device


def attention_share(model: "PreTrainedModel") -> float:
    """Return what attention costs for each token of a row's width, relative to all else computed for a token.

    Multiplications a token: attention 2 x width x heads x head size in every layer (scores and
    values), all else one for each weight outside the embedding and the head.
    """
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", 0)
    head_size = getattr(config, "head_dim", None) or config.hidden_size // max(heads, 1)
    attention = 2 * config.num_hidden_layers * heads * head_size
    ends: set[Any] = {model.get_input_embeddings().weight, model.get_output_embeddings().weight}
    weights = model.num_parameters() - sum(weight.numel() for weight in ends)
    return float(attention / max(weights, 1))


def load_model_config(name_or_path: str, revision: str | None = None) -> "PretrainedConfig":
    """Load a model's configuration, without its weights.

    Raises:
        LikelyError: it cannot be found or reached.
    """
    from transformers import AutoConfig

    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(name_or_path, revision=revision)
    except (OSError, ValueError) as error:
        raise _cannot_load("configuration", name_or_path, error) from error
    return config


def _cannot_load(what: str, name_or_path: str, error: Exception) -> LikelyError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return LikelyError(
        f"The {what} of {name_or_path} cannot be loaded ({reason.rstrip('.')}); check model_name_or_path and the "
        "network, or name a local folder."
    )
