"""The builder of a run's prompts for verbs that load no weights: `audit`, `render` and `tree`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from likely.config.run_config import RunConfig
    from likely.encoding.prompt import PromptBuilder


def prompt_builder(config: RunConfig, cutoff_len: int) -> PromptBuilder:
    """Return the builder of a run's prompts, for which the model's tokenizer is enough."""
    from likely.data.run_data import labels_of
    from likely.encoding.prompt import PromptBuilder
    from likely.model.base import check_model_folder, load_tokenizer
    from likely.sources.catalogue import resolve_model

    location = resolve_model(config.model_name_or_path).location
    check_model_folder(location, needs_weights=False)
    tokenizer = load_tokenizer(location, config.model_revision)
    return PromptBuilder(tokenizer, labels_of(config), cutoff_len, config.prompt_date)
