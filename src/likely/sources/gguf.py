"""From one GGUF file to a plain model folder.

`sources` finds a GGUF file in a Python package; every other module wants what `from_pretrained`
reads quickly: safetensors, a configuration and a tokenizer.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Read a GGUF file and write it as a model folder, weights in float16.

    Four-bit weights are products of a 4-bit and a 16-bit number; rounding them to float16 moves
    them by less than a thousandth of a quantisation step, and halves the folder.

    Args:
        gguf: the file; transformers reads tokenizer and configuration from it too.
        folder: an empty folder.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)
    plain_copy(AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)).half().save_pretrained(folder)


def plain_copy(model: "PreTrainedModel") -> "PreTrainedModel":
    """Return a model of the same weights that `save_pretrained` accepts.

    A model read from GGUF remembers its quantisation and refuses to be saved; one made afresh from
    its configuration without `quantization_config` does not.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    copy: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    copy.load_state_dict(model.state_dict())
    return copy
