"""LoRA adapters: made, checked, loaded and put on a base model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from likely.errors import LikelyError
from likely.model.runtime import quiet_libraries

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter: each target W becomes W + (alpha / rank) B A (arXiv 2106.09685).

    Attributes:
        rank: rows of A and columns of B.
        alpha: numerator of the scale.
        dropout: probability of dropping an input of A while training.
        targets: names of the linear modules that get one.
    """

    rank: int
    alpha: int
    dropout: float
    targets: Sequence[str]


@quiet_libraries()
def add_adapter(
    model: "PreTrainedModel", lora: Lora, four_bit: bool = False, gradient_checkpointing: bool = False
) -> "PeftModel":
    """Give a base model a fresh LoRA adapter, the only part of it that trains.

    Args:
        model: as :func:`load_base` gives it.
        lora: sizes and targets of the adapter.
        four_bit: whether the model's weights are 4-bit.
        gradient_checkpointing: whether activations will be recomputed; the inputs then need gradients.

    Raises:
        LikelyError: the model has no module with one of the target names.
    """
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    from likely.model.lora_linear import add_in_one_product

    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    missing = [target for target in lora.targets if target not in names]
    if missing:
        raise LikelyError(
            f"lora_target names {', '.join(missing)}, which {type(model).__name__} does not have; "
            "name some of its linear modules."
        )
    if four_bit:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=gradient_checkpointing)
    elif gradient_checkpointing:
        model.enable_input_require_grads()
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        task_type="CAUSAL_LM",
        bias="none",
    )
    add_in_one_product(config, model)
    adapted: PeftModel = get_peft_model(model, config)
    return adapted


def adapter_base(adapter_dir: Path) -> str:
    """Return the name or path of the base model that an adapter was trained on.

    Raises:
        LikelyError: the folder holds no adapter.
    """
    path = adapter_dir / "adapter_config.json"
    if not path.is_file() or not (adapter_dir / "adapter_model.safetensors").is_file():
        raise LikelyError(
            f"{adapter_dir} holds no adapter (adapter_config.json, adapter_model.safetensors); "
            "train one with finetune/scripts/finetune_lora.py or name its folder with --adapter-dir."
        )
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (ValueError, KeyError) as error:
        raise LikelyError(f"{path} is damaged ({error}); train the adapter again or copy it anew.") from error


def check_adapter_base(adapter_dir: Path, name_or_path: str) -> None:
    """Check, before anything large is read, that an adapter was trained on a model of this name.

    Raises:
        LikelyError: it was trained on another, or the folder holds no adapter.
    """
    trained_on = adapter_base(adapter_dir)
    if trained_on != name_or_path and Path(trained_on).name != Path(name_or_path).name:
        raise LikelyError(
            f"The adapter in {adapter_dir} was trained on {trained_on}, not on {name_or_path}; "
            "set model_name_or_path to its own base model."
        )


@quiet_libraries()
def load_adapter(model: "PreTrainedModel", adapter_dir: Path) -> "PeftModel":
    """Put a trained adapter on a base model.

    Raises:
        LikelyError: the adapter belongs to a model of other shapes, or is damaged.
    """
    from peft import PeftConfig, PeftModel
    from safetensors import SafetensorError

    from likely.model.lora_linear import add_in_one_product

    base = adapter_base(adapter_dir)
    try:
        config = PeftConfig.from_pretrained(str(adapter_dir))
        add_in_one_product(config, model)
        adapted: PeftModel = PeftModel.from_pretrained(model, str(adapter_dir), config=config)
    except (RuntimeError, ValueError) as error:
        raise LikelyError(
            f"The adapter in {adapter_dir} was trained on {base} and does not fit {model.config.name_or_path}; "
            "use its own base model."
        ) from error
    except SafetensorError as error:
        raise LikelyError(
            f"The adapter in {adapter_dir} is damaged ({error}); train it again or copy it anew."
        ) from error
    return adapted


def base_model(adapted: "PeftModel") -> "PreTrainedModel":
    """Return the transformers model inside an adapted one, adapter modules included."""
    return cast("PreTrainedModel", adapted.get_base_model())
