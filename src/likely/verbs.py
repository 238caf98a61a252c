"""What the verbs of `cli` do between reading arguments and printing: one function a verb."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from likely.config import RunConfig
from likely.errors import LikelyError
from likely.inference import Comparison, compare, config_of, records_to_score
from likely.movielens import read_movielens
from likely.progress import progress_bar
from likely.prompt import PromptBuilder, user_turn
from likely.records import Labels, find_data, read_records
from likely.sampling import subset_of_users
from likely.sources import resolve_dataset, resolve_model
from likely.timelines import Protocol, SplitSummary, prepare


def prepare_dataset(
    console: Console,
    dataset: str,
    source: Path | None,
    output: Path,
    protocol: Protocol,
    max_users: int | None,
    seed: int,
) -> None:
    """Fetch a release unless a source is given, write its records and print what they are."""
    if source is None:
        with progress_bar(console) as bar:
            task = bar.add_task(f"fetching {dataset}", total=None, figures="")
            resolved = resolve_dataset(
                dataset, on_progress=lambda have, whole: bar.update(task, completed=have, total=whole)
            )
        console.print(f"[bold]Ratings[/bold]  {resolved.story}", highlight=False)
        source = Path(resolved.location)
    started = time.monotonic()
    figures = prepare(read_movielens(source), output, protocol, max_users, seed)
    console.print(preparation_table(figures))
    console.print(f"Written to {output} in {time.monotonic() - started:.1f} s.", highlight=False)


def preparation_table(figures: dict[str, SplitSummary]) -> Table:
    """Return a table of the splits."""
    table = Table(header_style="bold")
    table.add_column("split")
    for name in ("users", "rows", "Yes", "candidates never rated in training"):
        table.add_column(name, justify="right")
    for name, split in figures.items():
        likes = f"{split.likes:,} ({split.likes / max(split.rows, 1):.1%})"
        table.add_row(name, f"{split.users:,}", f"{split.rows:,}", likes, f"{split.unseen:,}")
    return table


def prompt_lengths(config: RunConfig, max_samples: int | None, in_characters: bool) -> list[int]:
    """Return the length of each training record with its answer, uncut, in tokens or characters.

    Tokens are counted by the prompt builder of training. Characters are those of the record itself.
    """
    labels = Labels(config.positive_label, config.negative_label)
    files = find_data(config.dataset_dir, config.dataset, config.train_file, config.eval_file, config.test_file)
    if files.train is None:
        raise LikelyError("The configuration names no training file; set train_file or a dataset with one.")
    records = subset_of_users(read_records(files.train, labels, files.columns), max_samples, config.seed)
    if in_characters:
        return [len(record.system) + len(user_turn(record)) + len(record.output) for record in records]
    from likely.model import check_model_folder, load_tokenizer

    location = resolve_model(config.model_name_or_path).location
    check_model_folder(location, needs_weights=False)
    builder = PromptBuilder(load_tokenizer(location, config.model_revision), labels, cutoff_len=1 << 30)
    return [len(encoded.input_ids) + 1 for encoded in builder.encode_all(records)]


def run_comparison(
    console: Console,
    adapter_dir: Path,
    config_path: Path | None,
    overrides: Sequence[str],
    data: Path | None,
    max_samples: int | None,
) -> Comparison:
    """Score a run's records with base and adapter, with a bar."""
    config = config_of(adapter_dir, config_path, overrides)
    records = records_to_score(config, data, max_samples)
    location = resolve_model(config.model_name_or_path).location
    with progress_bar(console) as bar:
        task = bar.add_task("scoring base and adapter", total=2 * len(records), figures="")
        return compare(
            config, location, adapter_dir, records, lambda done, total: bar.update(task, completed=done, total=total)
        )
