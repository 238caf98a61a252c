"""`likely audit`: how long the prompts are, what `cutoff_len` that asks for, and what the layout saves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_CONFIG, Config, Overrides
from likely.cli.prompts import prompt_builder

if TYPE_CHECKING:
    from rich.console import Console

    from likely.config.run_config import RunConfig
    from likely.encoding.prompt import EncodedRecord


def audit(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    max_samples: Annotated[int | None, typer.Option(help="Measure so many records.", min=1)] = None,
    char_only: Annotated[bool, typer.Option("--char-only", help="Count characters; needs no tokenizer.")] = False,
) -> None:
    """Measure how long the prompts of the records are, made exactly as training makes them."""
    from likely.config.reading import load_config
    from likely.report.console import SafeConsole
    from likely.report.lengths_table import print_audit

    run = load_config(config, overrides or ())
    if char_only:
        print_audit(SafeConsole(), character_lengths(run, max_samples), "characters", None)
    else:
        audit_prompts(SafeConsole(), run, max_samples)


def audit_prompts(console: Console, config: RunConfig, max_samples: int | None) -> None:
    """Print the lengths of training records in tokens, uncut, and what the configured layout saves on them.

    A length is that of the prompt and the longer of the two answers.
    """
    from likely.data.run_data import subset_of_users, training_records
    from likely.report.lengths_table import print_audit

    records = subset_of_users(training_records(config), max_samples, config.seed)
    encoded = prompt_builder(config, cutoff_len=1 << 30).encode_all(records)
    builder = prompt_builder(config, config.cutoff_len)
    lengths = [len(whole.prompt_ids) + builder.longest_answer for whole in encoded]
    print_audit(console, lengths, "tokens", config.cutoff_len)
    cut = [
        builder.encode(record) if length > config.cutoff_len else whole
        for record, whole, length in zip(records, encoded, lengths, strict=True)
    ]
    console.print(f"{saving_in_words(config, cut)}.", highlight=False)


def character_lengths(config: RunConfig, max_samples: int | None) -> list[int]:
    """Return the characters of the same training records with their answers, without a tokenizer."""
    from likely.data.run_data import subset_of_users, training_records
    from likely.encoding.prompt import user_turn

    records = subset_of_users(training_records(config), max_samples, config.seed)
    texts = ((one.system, *chain(*one.history), user_turn(one), one.output) for one in records)
    return [sum(map(len, of_record)) for of_record in texts]


def saving_in_words(config: RunConfig, encoded: Sequence[EncodedRecord]) -> str:
    """Return what the configured layout saves in an epoch of these records."""
    from likely.encoding.batches import Budget
    from likely.encoding.order import shared_runs, shuffled_groups
    from likely.encoding.saving import epoch_saving

    order = shuffled_groups(shared_runs(encoded), config.group_size, config.step_size, config.seed)
    budget = Budget(config.tokens_asked)
    saving = epoch_saving(encoded, order, config.step_size, config.batching, budget)
    return saving.describe(config.batching, config.per_device_train_batch_size)
