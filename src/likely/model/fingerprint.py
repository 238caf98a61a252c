"""Short texts that stand for records, weights and adapters: equal only where what they stand for is.

`training` compares them on `--resume`, and `inference` before it goes on from scores that it kept.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from likely.data.task import digest_of
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS

if TYPE_CHECKING:
    import torch


def tokens_of(encoded: Sequence[EncodedRecord]) -> str:
    """Return what stands for encoded records: a hash of all their tokens."""
    digest = hashlib.sha256()
    for record in encoded:
        digest.update(record.input_ids.tobytes())
        digest.update(repr(record.answer).encode())
    return digest.hexdigest()[:16]


def weights_of(model: "torch.nn.Module", adapter: bool = True) -> str:
    """Return what stands for a model's weights: a hash of the first values of each, which training would change.

    Args:
        model: with an adapter in it or without.
        adapter: whether the weights of a LoRA adapter count; without them, a model is known again under any.
    """
    import torch

    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        if not adapter and "lora_" in name:
            continue
        head = parameter.detach().flatten()[:64].cpu().contiguous()
        digest.update(repr(tuple(parameter.shape)).encode())
        digest.update(head.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def adapter_of(folder: Path) -> str:
    """Return what stands for the adapter in a folder: a hash of its weights and of how they are applied.

    Raises:
        OSError: it cannot be read.
    """
    digests = "".join(digest_of(folder / name) for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG))
    return hashlib.sha256(digests.encode()).hexdigest()[:16]
