"""Each layer of a model as one compiled piece, for GPUs, where a small model's step is bound by starting kernels.

`training` asks for it (`torch_compile`) once the adapter is on the model. Shapes are dynamic, as every tree has its
own; layers are alike, so that one piece serves them all.
"""

from importlib.util import find_spec
from shutil import which
from typing import TYPE_CHECKING, Any

from likely.model.layers import layers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

C_COMPILERS = ("cc", "gcc", "clang")
"""Triton calls one of them for what starts its kernels."""

PIECES = 64
"""Most pieces that torch compiles of one code before it gives up: with and without gradients, adapter, mask."""


def is_compiled(requested: str, device: str) -> bool:
    """Return whether layers are to be compiled.

    Args:
        requested: `auto`, `true` or `false`; `auto` is true on CUDA where Triton, which torch compiles with, is there,
            and a C compiler, which Triton needs.
        device: type of the device that the model is on.
    """
    if requested != "auto":
        return requested == "true"
    return device == "cuda" and find_spec("triton") is not None and any(which(name) for name in C_COMPILERS)


def allow_pieces() -> None:
    """Let torch compile :data:`PIECES` of one code; past its own limit it runs the plain code without a word.

    Plain FlexAttention writes down the scores of all pairs of tokens, in float32.
    """
    import torch

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, PIECES)


def compile_layers(model: "PreTrainedModel", backend: "str | Callable[..., Any]" = "inductor") -> int:
    """Let every layer be compiled when it first runs; what it computes stays the same but for rounding.

    Args:
        model: a transformers model, adapter modules included.
        backend: of `torch.compile`.

    Returns:
        How many layers there are; none where they are no list.
    """
    import torch

    allow_pieces()
    # Shapes change, numbers of the configuration do not; FlexAttention's kernel takes its scale as a constant only.
    torch._dynamo.config.specialize_float = True
    layers = layers_of(model)
    for layer in layers:
        layer.compile(dynamic=True, backend=backend)
    return len(layers)
