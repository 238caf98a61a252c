"""LoRA adapters: made, checked, loaded and put on a base model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from likely.errors import LikelyError
from likely.files import read_json
from likely.model.layers import layers_of
from likely.model.runtime import explained, quiet_libraries

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


BY_TOKEN = ("alora_invocation_tokens", "arrow_config")
"""Settings of peft's by which an adapter is applied to some tokens, or one of several is chosen for each."""

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ALL = "all"
"""As the only target: every linear module but the head."""


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter: each target W becomes W + (alpha / rank) B A (arXiv 2106.09685).

    Attributes:
        rank: rows of A and columns of B.
        alpha: numerator of the scale.
        dropout: probability of dropping an input of A while training.
        targets: names of the linear modules that get one, or `all` alone for all of them but the head.
        upper_layers: only those of so many layers next to the output; None for all layers. Nothing trains below them,
            so that the backward pass ends there.
    """

    rank: int
    alpha: int
    dropout: float
    targets: Sequence[str]
    upper_layers: int | None = None


@quiet_libraries()
def add_adapter(model: "PreTrainedModel", lora: Lora) -> "PeftModel":
    """Give a base model a fresh LoRA adapter, the only part of it that trains.

    The adapter's weights are float32, whatever the base's. A 4-bit base keeps its embeddings, norms and head as they
    were loaded; peft's `prepare_model_for_kbit_training` would make them float32, and with them all that flows past.

    Args:
        model: as :func:`load_base` gives it.
        lora: sizes and targets of the adapter.

    Raises:
        LikelyError: the model has no linear module with one of the target names, or not so many layers, or peft cannot
            adapt one.
    """
    from peft import LoraConfig, get_peft_model

    from likely.model.lora_linear import add_in_one_product

    upper = _upper_layers(model, lora.upper_layers)
    linear = [name for name in linear_modules(model) if upper is None or name.startswith(upper.prefixes)]
    has_experts_in_one_piece = _has_experts_in_one_piece(model)
    if not has_experts_in_one_piece:
        _check_targets(lora.targets, linear, model)
    targets: str | list[str] = list(lora.targets)
    if targets == [ALL]:
        targets = _own_names(linear) if upper else "all-linear"
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        exclude_modules=_left_alone(model) or None,
        layers_to_transform=upper.numbers if upper else None,
        layers_pattern=upper.list_name if upper else None,
        task_type="CAUSAL_LM",
        bias="none",
    )
    add_in_one_product(config, model)
    try:
        adapted: PeftModel = get_peft_model(model, config)
    except ValueError as error:
        remedy = "set lora_dropout=0" if config.target_parameters and lora.dropout else f"set {_choice(linear)}"
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise LikelyError(f"peft cannot adapt {type(model).__name__} so ({reason}); {remedy}.") from error
    if upper and has_experts_in_one_piece and (config.target_parameters or list(lora.targets) == [ALL]):
        raise LikelyError(f"peft adapts the experts of {type(model).__name__} in all layers; set lora_layers=none.")
    if has_experts_in_one_piece:
        _check_targets([name for name in lora.targets if name in (config.target_modules or ())], linear, model)
    return adapted


@quiet_libraries()
def recompute_activations(model: "PeftModel") -> None:
    """Let the backward pass compute again what each layer kept, so that a step needs far less memory.

    transformers lets the embeddings have gradients for it, which only torch's reentrant way needs. They are without
    them here: what lies below the lowest layer with an adapter is not computed again.
    """
    inner = base_model(model)
    inner.gradient_checkpointing_enable({"use_reentrant": False})  # later activation_checkpointing_enable
    inner.disable_input_require_grads()


@dataclass(frozen=True)
class _UpperLayers:
    """The layers next to the output: their numbers from the input on, and the names of their list and of each."""

    numbers: list[int]
    list_name: str
    prefixes: tuple[str, ...]


def _upper_layers(model: "PreTrainedModel", count: int | None) -> _UpperLayers | None:
    if count is None:
        return None
    family, layers = type(model).__name__, layers_of(model)
    if count > len(layers):
        raise LikelyError(f"lora_layers is {count}, and {family} has {len(layers)} layers; set it to none for all.")
    path = next(name for name, module in model.named_modules() if module is layers)
    numbers = list(range(len(layers) - count, len(layers)))
    return _UpperLayers(numbers, path.rpartition(".")[2], tuple(f"{path}.{number}." for number in numbers))


def _has_experts_in_one_piece(model: "PreTrainedModel") -> bool:
    """Return whether experts are no modules, only stacked parameters, which peft knows by their old names."""
    from torch.nn.modules.conv import _ConvNd

    owners = (module for module in model.modules() if not isinstance(module, _ConvNd))
    return any(weight.dim() == 3 for module in owners for weight in module.parameters(recurse=False))


def linear_modules(model: "PreTrainedModel") -> list[str]:
    """Return the full names of the linear modules that the text passes through, without the head."""
    import torch
    from transformers.pytorch_utils import Conv1D

    left_alone, head = set(_left_alone(model)), model.get_output_embeddings()
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head and name not in left_alone
    ]


def _left_alone(model: "PreTrainedModel") -> list[str]:
    """Return the names of linear modules that get no adapter whatever the targets are."""
    return [*_outside_the_text(model), *_routers(model)]


def _outside_the_text(model: "PreTrainedModel") -> list[str]:
    """Return the names of linear modules of what reads pictures or sound, in a model that reads more than text."""
    import torch

    if model.config.get_text_config() is model.config:
        return []
    text = {*model.get_decoder().modules(), model.get_output_embeddings()}
    return [n for n, module in model.named_modules() if isinstance(module, torch.nn.Linear) and module not in text]


def _routers(model: "PreTrainedModel") -> list[str]:
    """Return the names of linear layers of a family's own that give more than their product, as routers of experts may.

    peft adds an adapter's product to what a layer gives, which has to be a tensor.
    """
    import torch

    def gives_more(module: torch.nn.Module) -> bool:
        if not isinstance(module, torch.nn.Linear) or type(module).__module__ != type(model).__module__:
            return False
        nothing = torch.zeros(1, module.in_features, dtype=module.weight.dtype, device=module.weight.device)
        return not isinstance(module(nothing), torch.Tensor)

    with torch.no_grad():
        return [name for name, module in model.named_modules() if gives_more(module)]


def _check_targets(targets: Sequence[str], linear: Sequence[str], model: "PreTrainedModel") -> None:
    missing = [target for target in targets if not any(f".{name}".endswith(f".{target}") for name in linear)]
    if missing and list(targets) != [ALL]:
        raise LikelyError(
            f"lora_target names {', '.join(missing)}, which {type(model).__name__} does not have; "
            f"set {_choice(linear)}."
        )


def _choice(linear: Sequence[str]) -> str:
    return f"lora_target to all, or to some of its linear modules: {', '.join(_own_names(linear))}"


def _own_names(linear: Sequence[str]) -> list[str]:
    """Return what modules are called within their layer or block."""
    return sorted({name.rpartition(".")[2] for name in linear})


def adapter_base(adapter_dir: Path) -> str:
    """Return the name or path of the base model that an adapter was trained on.

    Raises:
        LikelyError: the folder holds no adapter.
    """
    path = adapter_dir / ADAPTER_CONFIG
    if not path.is_file() or not (adapter_dir / ADAPTER_WEIGHTS).is_file():
        raise LikelyError(
            f"{adapter_dir} holds no adapter ({ADAPTER_CONFIG}, {ADAPTER_WEIGHTS}); "
            "train one with likely train, or name its folder with --run."
        )
    described = read_json(path, "train the adapter again or copy it anew.")
    if not isinstance(described, dict) or "base_model_name_or_path" not in described:
        raise LikelyError(f"{path} does not name a base model; train the adapter again or copy it anew.")
    return str(described["base_model_name_or_path"])


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
        LikelyError: the adapter belongs to a model of other shapes, is damaged, or lacks weights.
    """
    from peft import PeftConfig, PeftModel

    from likely.model.lora_linear import add_in_one_product

    base = adapter_base(adapter_dir)

    def sentence(reason: str) -> str:
        return f"The adapter in {adapter_dir} is damaged ({reason}); train it again or copy it anew."

    with explained(sentence):
        config = PeftConfig.from_pretrained(str(adapter_dir))
        if kind := next((key for key in BY_TOKEN if vars(config).get(key) is not None), None):
            raise LikelyError(
                f"The adapter in {adapter_dir} is not the same at every token ({kind}); train another here."
            )
        add_in_one_product(config, model)
        try:
            adapted: PeftModel = PeftModel.from_pretrained(model, str(adapter_dir), config=config)
        except (RuntimeError, ValueError) as error:
            raise LikelyError(
                f"The adapter in {adapter_dir} was trained on {base} and does not fit {model.config.name_or_path}; "
                "use its own base model."
            ) from error
        _check_complete(adapted, adapter_dir)
    return adapted


def _check_complete(adapted: "PeftModel", adapter_dir: Path) -> None:
    """Check that every weight of an adapter came from its file; peft leaves the others as drawn, with a warning."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    path = adapter_dir / ADAPTER_WEIGHTS
    with safe_open(str(path), "pt") as file:
        missing = sorted(set(get_peft_model_state_dict(adapted, save_embedding_layers=False)) - set(file.keys()))
    if missing:
        raise LikelyError(
            f"{path} has no weights for {len(missing)} of the adapter's tensors, such as {missing[0]}; train it again "
            "or copy it anew."
        )


def base_model(adapted: "PeftModel") -> "PreTrainedModel":
    """Return the transformers model inside an adapted one, adapter modules included."""
    return cast("PreTrainedModel", adapted.get_base_model())
