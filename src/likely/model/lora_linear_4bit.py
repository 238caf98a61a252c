"""The layer of `lora_linear` over 4-bit base weights; imported only where there are some, as bitsandbytes is slow."""

from typing import Any

import torch
from peft.tuners.lora.bnb import Linear4bit

from likely.model.lora_linear import in_one_product, is_one_product


class LoraLinear4bit(Linear4bit):
    """peft's layer with the forward of :class:`likely.model.lora_linear.LoraLinear`."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return W x + B (s A x), or what peft returns unless one plain adapter is at work; x is [..., inputs]."""
        if not is_one_product(self, kwargs):
            return super().forward(x, *args, **kwargs)
        return in_one_product(self, x, *args)
