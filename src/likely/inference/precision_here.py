"""The precision in which a run answers on this machine, found before its model is loaded.

`dtype: auto` may be another one on another machine, or at another time on the same. `loaded_run` asks here, and so do
`predict` and those who spread its files, once for all scores that belong together.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from likely.config.run_config import RunConfig
from likely.inference.trained_on import precision_before
from likely.model.base import Precision, check_model_folder, choose_precision, load_model_config
from likely.model.cuda import ready_cuda
from likely.sources.catalogue import resolve_model

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def precision_here(folder: Path, config: RunConfig, model: "PretrainedConfig | None") -> Precision:
    """Return the precision of a run, which keeps to that of its training where it can.

    Args:
        folder: of the run.
        config: of the run, or other knobs.
        model: configuration of the base model; None will do where `dtype` is not `auto`.
    """
    hidden = model.get_text_config().hidden_size if model else None
    before = precision_before(folder)
    return choose_precision(config.dtype, config.quantization_bit, config.four_bit_on_cpu, hidden, before)


def settled(folder: Path, config: RunConfig) -> RunConfig:
    """Return a configuration that names the precision in which the run answers on this machine.

    Raises:
        LikelyError: the base model's configuration cannot be loaded, on which `auto` depends.
    """
    ready_cuda()
    model = None
    if config.dtype == "auto":
        location = resolve_model(config.model_name_or_path).location
        check_model_folder(location)
        model = load_model_config(location, config.model_revision)
    precision = precision_here(folder, config, model)
    return config.model_copy(
        update={"dtype": precision.dtype, "quantization_bit": config.quantization_bit if precision.four_bit else None}
    )
