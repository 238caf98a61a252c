"""A linear layer with an adapter whose product is added inside one matrix product.

`model` has peft make :class:`LoraLinear` instead of its own layer wherever the base weights are plain.
peft computes W x + s (B A x): beside the products a pass over the whole output for the scale, one for
the sum, and another over the gradient. Here s scales A x, which is only as wide as the adapter's rank,
and `torch.addmm` adds B times that to W x while it computes it.
"""

from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, PeftConfig
from peft.tuners.lora import Linear

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LoraLinear(Linear):
    """peft's layer with another forward; what it holds, merges and saves is peft's."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return W x + B (s A x), or what peft returns unless one plain adapter of the base's own dtype is at work.

        Args:
            x: [..., inputs].
            *args: of the base layer.
            **kwargs: of the base layer, or peft's.

        Returns:
            [..., outputs].
        """
        active = [name for name in self.active_adapters if name in self.lora_A]
        if self.disable_adapters or self.merged or kwargs or len(active) != 1 or active[0] in self.lora_variant:
            return super().forward(x, *args, **kwargs)
        down, up = self.lora_A[active[0]], self.lora_B[active[0]]
        dtypes = {x.dtype, self.get_base_layer().weight.dtype, down.weight.dtype, up.weight.dtype}
        if len(dtypes) > 1 or up.bias is not None or torch.is_autocast_enabled(x.device.type):
            return super().forward(x, *args, **kwargs)
        result = self.base_layer(x, *args)
        low = down(self.lora_dropout[active[0]](x)) * self.scaling[active[0]]
        flat = result.reshape(-1, result.shape[-1])
        return torch.addmm(flat, low.reshape(-1, low.shape[-1]), up.weight.T).view(result.shape)


def add_in_one_product(config: PeftConfig, model: "PreTrainedModel") -> None:
    """Let peft make :class:`LoraLinear` of a model's linear layers, unless their weights are quantised.

    By peft's experimental way to bring a layer of one's own
    (https://huggingface.co/docs/peft/developer_guides/custom_models). It leaves no trace in what is saved.
    """
    if isinstance(config, LoraConfig) and getattr(model.config, "quantization_config", None) is None:
        config._register_custom_module({torch.nn.Linear: LoraLinear})
