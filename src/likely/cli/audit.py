"""How long prompts are, and what `cutoff_len` that asks for.

Takes lengths in tokens or characters, as `cli` measures them through `prompt`, and prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_CONFIG, Config, Overrides

if TYPE_CHECKING:
    from likely.config.run_config import RunConfig
    from likely.encoding.prompt import EncodedRecord


def audit(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    max_samples: Annotated[int | None, typer.Option(help="Measure so many records.")] = None,
    char_only: Annotated[bool, typer.Option("--char-only", help="Count characters; needs no tokenizer.")] = False,
) -> None:
    """Measure how long the prompts are, through the very builder of training."""
    from rich.console import Console

    from likely.config.reading import load_config
    from likely.report.lengths_table import print_audit, print_saving

    run = load_config(config, overrides or ())
    if char_only:
        print_audit(Console(), character_lengths(run, max_samples), "characters", None)
        return
    encoded = encode_prompts(run, max_samples)
    print_audit(Console(), token_lengths(encoded), "tokens", run.cutoff_len)
    print_saving(Console(), run, encoded)


def encode_prompts(config: RunConfig, max_samples: int | None) -> list[EncodedRecord]:
    """Return training records, whole users at random, uncut and encoded by the prompt builder of training."""
    from likely.data.run_data import labels_of, subset_of_users, training_records
    from likely.encoding.prompt import PromptBuilder
    from likely.model.base import check_model_folder, load_tokenizer
    from likely.sources.catalogue import resolve_model

    records = subset_of_users(training_records(config), max_samples, config.seed)
    location = resolve_model(config.model_name_or_path).location
    check_model_folder(location, needs_weights=False)
    builder = PromptBuilder(load_tokenizer(location, config.model_revision), labels_of(config), cutoff_len=1 << 30)
    return builder.encode_all(records)


def token_lengths(encoded: Sequence[EncodedRecord]) -> list[int]:
    """Return the tokens of each record with its answer."""
    return [len(record.input_ids) + 1 for record in encoded]


def character_lengths(config: RunConfig, max_samples: int | None) -> list[int]:
    """Return the characters of the same training records with their answers, without a tokenizer."""
    from likely.data.run_data import subset_of_users, training_records
    from likely.encoding.prompt import user_turn

    records = subset_of_users(training_records(config), max_samples, config.seed)
    return [len(record.system) + len(user_turn(record)) + len(record.output) for record in records]
