"""Short texts that stand for records, weights and adapters: equal only where what they stand for is.

`training` compares them on `--resume`, and `inference` before it goes on from scores that it kept.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.data.task import digest_of
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

SAMPLE = 64
"""Values of a weight that are looked at where all would take too long."""

NOT_COMPUTING = (
    *("name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype", "quantization_config"),
    *("attn_implementation", "use_cache", "return_dict", "output_attentions", "output_hidden_states"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "id2label", "label2id", "problem_type", "initializer_range"),
)
"""Keys of a configuration on which no answer depends, or whose effect is compared elsewhere."""

BLOCK = 1 << 24
"""Values of a weight that are hashed at once, and copied from a GPU."""


def library_versions() -> dict[str, str]:
    """Return the versions of this package and of the libraries on whose code an answer depends, by name."""
    return {name: version(name) for name in ("likely", "torch", "transformers", "peft")}


def tokens_of(encoded: Sequence[EncodedRecord]) -> str:
    """Return what stands for encoded records: a hash of all their tokens."""
    digest = hashlib.sha256()
    for record in encoded:
        digest.update(record.input_ids.tobytes())
        digest.update(repr(record.answer).encode())
    return digest.hexdigest()[:16]


def weights_of(model: "torch.nn.Module", adapter: bool = True) -> str:
    """Return what stands for a model's weights: a hash of every value of its parameters and buffers.

    The scales of 4-bit weights are among what it would save, and what turns positions among its buffers. Weights are
    hashed side by side on all cores: 135 million in float32 take half a second to a second on two.

    Args:
        model: with an adapter in it or without.
        adapter: whether the weights of a LoRA adapter count; without them, a model is known again under any.
    """
    import torch

    named = (*model.state_dict().items(), *model.named_buffers())
    asked = (value for name, value in named if adapter or "lora_" not in name)
    tensors = [value for value in asked if isinstance(value, torch.Tensor)]
    once = {(tensor.data_ptr(), tensor.shape): tensor for tensor in tensors}  # a head may be the embeddings
    with ThreadPoolExecutor() as threads:  # hashlib lets go of the interpreter's lock
        digests = list(threads.map(_digest_of, once.values()))
    # Not by their names, which change where a layer is wrapped.
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def identity_of(model: "PreTrainedModel") -> dict[str, str]:
    """Return what tells a base model from others, as a run keeps it; see `inference.trained_on`."""
    return {
        "sample": sample_of(model),
        "rounded": rounded_sample_of(model),
        "settings": settings_of(model.config),
    }


def sample_of(model: "torch.nn.Module") -> str:
    """Return what tells a model from others at next to no cost: a hash of the first values of each of its weights.

    Weights of 4 bits are left out, which may be rounded otherwise on another device.
    """
    digest = hashlib.sha256()
    for weight in model.parameters():
        if weight.is_floating_point():
            digest.update(repr(tuple(weight.shape)).encode())
            digest.update(_digest_of(weight.detach().flatten()[:SAMPLE]).encode())
    return digest.hexdigest()[:16]


def rounded_sample_of(model: "PreTrainedModel") -> str:
    """Return what tells a model from others in float32, in bfloat16 and beside 4-bit weights alike.

    It is a hash of the first values, in bfloat16, of what is never held in 4 bits: the embeddings, and weights of one
    dimension such as norms. Not of a model in float16, which has rounded otherwise.
    """
    import torch

    digest, embeddings = hashlib.sha256(), model.get_input_embeddings().weight
    for weight in model.parameters():
        if weight.is_floating_point() and (weight.dim() == 1 or weight is embeddings):
            digest.update(_digest_of(weight.detach().flatten()[:SAMPLE].to(torch.bfloat16)).encode())
    return digest.hexdigest()[:16]


def settings_of(config: "PretrainedConfig") -> str:
    """Return what tells how a model computes with its weights: a hash of its configuration.

    What does not change an answer is left out: names, types of values, tokens by which texts end, what is returned.
    """

    def computing(values: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in values.items() if key not in NOT_COMPUTING and not key.startswith("_")}
        return {key: computing(value) if isinstance(value, dict) else value for key, value in kept.items()}

    text = json.dumps(computing(config.to_dict()), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def adapter_of(folder: Path) -> str:
    """Return what stands for the adapter in a folder: a hash of its weights and of how they are applied.

    Raises:
        OSError: it cannot be read.
    """
    digests = "".join(digest_of(folder / name) for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG))
    return hashlib.sha256(digests.encode()).hexdigest()[:16]


def adapter_there(folder: Path) -> str | None:
    """Return what stands for the adapter in a folder, None where there is none."""
    is_whole = all((folder / name).is_file() for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG))
    return adapter_of(folder) if is_whole else None


def _digest_of(weight: "torch.Tensor") -> str:
    import torch

    digest = hashlib.sha256(repr((tuple(weight.shape), weight.dtype)).encode())
    values = weight.detach().flatten()
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK].cpu().contiguous()
        digest.update(block.view(torch.uint8).numpy().data)
    return digest.hexdigest()
