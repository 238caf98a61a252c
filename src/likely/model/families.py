"""What a model family's layers allow: which layout of a batch is exact, how long a record and how wide a row may be.

Decided from a model's configuration and modules, not from a list of names, before anything is computed;
`self_check` then computes, and so catches what is not foreseen here.
"""

import inspect
from typing import TYPE_CHECKING, Any, cast

from likely.encoding.batches import Layout
from likely.errors import LikelyError
from likely.model.masks import ATTENTION_KINDS

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

BY_PLACE_IN_ROW = {
    "alibi": "biases its attention",  # Falcon's first models
    "attn_temperature_tuning": "scales its attention",  # Llama 4
    "attention_layers": "cuts the windows of its attention",  # GPT-Neo
}
"""Settings of a model under which it does something by where a token stands in its row, whatever its position."""

BY_LONGEST_IN_BATCH = {"dynamic": "max_position_embeddings", "longrope": "original_max_position_embeddings"}
"""Rotary embeddings that change for a whole batch once a record in it is longer than this setting says."""


def choose_layout(config: "PretrainedConfig", requested: Layout) -> tuple[Layout, str | None]:
    """Return the layout in which a model is exact, and a sentence for the user where it is not the one asked for.

    Args:
        config: of the model.
        requested: `tree`, `packed` or `padded`.

    Raises:
        LikelyError: transformers knows no causal language model of this configuration.
    """
    obstacle = _obstacle_to_sharing_rows(config)
    if requested == "padded" or obstacle is None:
        return requested, None
    return "padded", f"padded instead of {requested}, because {obstacle}"


def architecture_of(config: "PretrainedConfig") -> "type[PreTrainedModel]":
    """Return the class that `AutoModelForCausalLM` makes of a configuration.

    Raises:
        LikelyError: transformers knows none.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise LikelyError(
            f"{config.name_or_path or 'The model'} is of the type {config.model_type}, for which transformers has no "
            "causal language model; set model_name_or_path to a model that writes text."
        )
    return cast("type[PreTrainedModel]", MODEL_FOR_CAUSAL_LM_MAPPING[type(config)])


def _obstacle_to_sharing_rows(config: "PretrainedConfig") -> str | None:
    """Return why records of this model cannot share a row, or None."""
    architecture, text = architecture_of(config), config.get_text_config()
    name = architecture.__name__
    others = sorted(set(getattr(text, "layer_types", None) or ()) - set(ATTENTION_KINDS))
    if others:
        return f"{name} has layers that are not attention under a mask ({', '.join(others)})"
    if "position_ids" not in inspect.signature(architecture.forward).parameters:
        return f"{name} takes no positions, only places in a row"
    for setting, deed in BY_PLACE_IN_ROW.items():
        if getattr(text, setting, None):
            return f"{name} {deed} by a token's place in its row ({setting})"
    return None


def position_limit(model: "PreTrainedModel") -> int | None:
    """Return how many positions a model has a table for, or None where positions are computed.

    A table is an embedding or a buffer with an entry for each of the configuration's positions; OPT's and
    BioGPT's have two more.
    """
    import torch

    positions = _positions(model.config.get_text_config())
    if positions is None:
        return None
    tokens = model.get_input_embeddings()
    tables = [m.num_embeddings for m in model.modules() if isinstance(m, torch.nn.Embedding) and m is not tokens]
    tables += [len(buffer) for buffer in model.buffers() if buffer.dim() > 1]
    return positions if any(positions <= size <= positions + 2 for size in tables) else None


def width_multiple(model: "PreTrainedModel") -> int:
    """Return what the widths of rows are rounded up to, so that a GPU's kernels meet few shapes.

    FlexAttention's blocks are of 128 tokens. Rows keep their own width on a CPU, which gains nothing, and where a
    row that is wider than its records would be too wide: under a table of positions, or rotary embeddings that turn
    by the longest record.
    """
    turns = any(
        rope.get("rope_type") in BY_LONGEST_IN_BATCH for rope in _rotary_settings(model.config.get_text_config())
    )
    if model.device.type != "cuda" or turns or position_limit(model) is not None:
        return 1
    return 128 if model.config._attn_implementation == "flex_attention" else 32


def check_fit(model: "PreTrainedModel", longest: int, largest_id: int) -> str | None:
    """Check that a model has an embedding for every token of a run, and room for its records.

    Args:
        model: as it was loaded.
        longest: tokens of the longest record.
        largest_id: the largest token id of any record, its answer included.

    Returns:
        A sentence for the user where records are longer than what the model was trained on.

    Raises:
        LikelyError: it has not.
    """
    name, text = model.config.name_or_path or type(model).__name__, model.config.get_text_config()
    embeddings = cast("torch.nn.Embedding", model.get_input_embeddings()).weight.shape[0]
    if largest_id >= embeddings:
        raise LikelyError(
            f"A record holds the token id {largest_id}, but {name} has embeddings for {embeddings} tokens only, so "
            "tokens were added to its tokenizer alone; call resize_token_embeddings on the model and save both."
        )
    limit = position_limit(model)
    if limit is not None and longest > limit:
        raise LikelyError(
            f"A record has {longest} tokens, but {name} has a table of {limit} positions and cannot read further; "
            f"set cutoff_len={limit}."
        )
    for rope in _rotary_settings(text):
        limit = rope.get(BY_LONGEST_IN_BATCH.get(str(rope.get("rope_type")), "")) or _positions(text)
        if rope.get("rope_type") in BY_LONGEST_IN_BATCH and limit is not None and longest > limit:
            raise LikelyError(
                f"A record has {longest} tokens, and past {limit} {name} turns all positions of a batch otherwise "
                f"(rope_type {rope['rope_type']}), so that no record would be exact; set cutoff_len={limit}."
            )
    positions = _positions(text)
    if positions is not None and longest > positions:
        return f"a record has {longest} tokens, more than the {positions} positions that {name} was trained on"
    return None


def _positions(text: "PretrainedConfig") -> int | None:
    """Return how many positions a model was made for, as far as its configuration says."""
    found = getattr(text, "max_position_embeddings", None) or getattr(text, "max_seq_len", None)
    return int(found) if found else None


def _rotary_settings(text: "PretrainedConfig") -> list[dict[str, Any]]:
    """Return the settings of a model's rotary embeddings, which some models have for each kind of layer."""
    settings = getattr(text, "rope_parameters", None) or {}
    return [settings] if "rope_type" in settings else [each for each in settings.values() if isinstance(each, dict)]
