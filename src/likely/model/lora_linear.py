"""A linear layer with an adapter whose product is added inside one matrix product.

`adapter` has peft make :class:`LoraLinear` instead of its own layer, and `lora_linear_4bit` its like for 4-bit weights.
peft computes W x + s (B A x): beside the products a pass over the whole output for the scale, one for
the sum, and another over the gradient; and where W has 16 bits, it makes x float32 for the float32 A and B. Here s
scales A x, which is only as wide as the adapter's rank, `torch.addmm` adds B times that to W x while it computes it,
and A and B are cast to the dtype of W x, which is far less than x.
"""

from typing import TYPE_CHECKING, Any, cast

import torch
from peft import LoraConfig, PeftConfig
from peft.tuners.lora import Linear
from peft.tuners.lora.layer import LoraLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LoraLinear(Linear):
    """peft's layer with another forward; what it holds, merges and saves is peft's."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return W x + B (s A x), or what peft returns unless one plain adapter is at work.

        Args:
            x: [..., inputs].
            *args: of the base layer.
            **kwargs: of the base layer, or peft's.

        Returns:
            [..., outputs].
        """
        if not is_one_product(self, kwargs):
            return super().forward(x, *args, **kwargs)
        return in_one_product(self, x, *args)


def is_one_product(layer: LoraLayer, kwargs: dict[str, Any]) -> bool:
    """Return whether one plain adapter is at work in a layer of peft's, which is called with these arguments."""
    active = [name for name in layer.active_adapters if name in layer.lora_A]
    if layer.disable_adapters or layer.merged or kwargs or len(active) != 1 or active[0] in layer.lora_variant:
        return False
    return layer.lora_B[active[0]].bias is None


def in_one_product(layer: LoraLayer, x: torch.Tensor, *args: Any) -> torch.Tensor:
    """Return W x + B (s A x) in the dtype of W x, of a layer of peft's in which one plain adapter is at work."""
    (active,) = (name for name in layer.active_adapters if name in layer.lora_A)
    down, up = (cast("torch.Tensor", part[active].weight) for part in (layer.lora_A, layer.lora_B))
    result: torch.Tensor = layer.base_layer(x, *args)
    dropped = layer.lora_dropout[active](x.to(result.dtype))
    low = torch.nn.functional.linear(dropped, down.to(result.dtype)) * layer.scaling[active]
    flat = result.reshape(-1, result.shape[-1])
    return torch.addmm(flat, low.reshape(-1, low.shape[-1]), up.to(result.dtype).T).view(result.shape)


def add_in_one_product(config: PeftConfig, model: "PreTrainedModel") -> None:
    """Let peft make :class:`LoraLinear` of a model's linear layers, or its like of those with 4-bit weights.

    By peft's experimental way to bring a layer of one's own
    (https://huggingface.co/docs/peft/developer_guides/custom_models). It leaves no trace in what is saved. Layers
    that are quantised otherwise stay peft's.
    """
    from transformers import BitsAndBytesConfig

    if not isinstance(config, LoraConfig):
        return
    quantization = getattr(model.config, "quantization_config", None)
    if quantization is None:
        config._register_custom_module({torch.nn.Linear: LoraLinear})
    elif isinstance(quantization, BitsAndBytesConfig) and quantization.load_in_4bit:
        from bitsandbytes.nn.modules import Linear4bit

        from likely.model.lora_linear_4bit import LoraLinear4bit

        config._register_custom_module({Linear4bit: LoraLinear4bit})
