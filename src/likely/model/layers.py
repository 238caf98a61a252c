"""The layers of a transformers model, whatever its family calls them: some are compiled, adapted or stopped at."""

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def layers_of(model: "PreTrainedModel") -> "torch.nn.ModuleList":
    """Return the layers of a model from the input to the output; an empty list where they are no list.

    They are the first list of modules in its decoder, or elsewhere in it, that has as many as its configuration says.

    Args:
        model: a transformers model, adapter modules included.
    """
    import torch

    number = model.config.get_text_config().num_hidden_layers
    for module in chain(model.get_decoder().modules(), model.modules()):
        if isinstance(module, torch.nn.ModuleList) and len(module) == number:
            return module
    return torch.nn.ModuleList()
