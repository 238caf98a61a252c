"""The whole path on one machine, for `make demo`: fetch, prepare, audit, finetune, compare, report.

Everything it makes stays in its output folder and is used again by the next run. Where no model or
no ratings can be had, it makes small ones of its own and says so.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import typed
from likely.errors import LikelyError
from likely.files import check_writable, writing

if TYPE_CHECKING:
    from rich.console import Console

    from likely.config.run_config import RunConfig
    from likely.data.protocol import SplitProtocol


def demo(
    output: Annotated[Path, typer.Option(help="Folder of the demo's data and adapter.")] = Path("output/demo"),
    picture: Annotated[Path | None, typer.Option(help="Write the summary as SVG to this file too.")] = None,
) -> None:
    """Run the whole path on this machine: fetch, prepare, audit, finetune, compare."""
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole

    ready_process()
    run_demo(SafeConsole(), output, picture=picture)


CONFIG = "demo"
MODEL, DATASET = "smollm2-135m", "ml-100k"

COMPARED = 250
"""Test records that base and adapter are compared on."""


def demo_protocol() -> SplitProtocol:
    """Return what becomes of the timelines.

    Half the usual history and a hint, so that a very small model learns something in minutes on two cores; and the
    candidate as a line of the history, so that a tree computes it once with the line that it becomes. Hints are long:
    the one run with short ones ended at a higher loss on its eval rows.
    """
    from likely.data.protocol import SplitProtocol

    return SplitProtocol(history_length=8, hints=True, candidate_line=True)


@dataclass(frozen=True)
class Ingredients:
    """The demo's model, by name or folder, and whether the ratings are real ones."""

    model: str
    real_ratings: bool


def run_demo(console: Console, output: Path, config_path: Path | str = CONFIG, picture: Path | None = None) -> None:
    """Run the demo; most of its time is training.

    Args:
        console: where to tell about it.
        output: folder of its records, adapter and scores.
        config_path: knobs of the training.
        picture: write the summary as SVG too.
    """
    from likely.cli.audit import audit_prompts
    from likely.cli.evaluate import keep_answer, keep_findings, measure
    from likely.config.reading import load_config
    from likely.inference.loaded_run import config_of
    from likely.report.facts import facts_of
    from likely.report.picture import save_picture
    from likely.report.terminal import print_next_commands, results_table

    if picture:
        with writing(picture):
            picture.parent.mkdir(parents=True, exist_ok=True)
        check_writable(picture)
    started = time.monotonic()
    console.print(
        "[bold]likely demo[/bold]: will this user like this movie?\n"
        "On two cores about 1 min to fetch and prepare, 7 min to finetune, 2 to 5 min to compare.\n",
        highlight=False,
    )
    data = output / "data"
    files = [f"{split}_file={data / split}.json" for split in ("train", "eval", "test")]
    config = load_config(config_path, [f"output_dir={output}", "overwrite_output_dir=true", *files])
    ingredients = gather(console, output, data)
    config = config.model_copy(update={"model_name_or_path": ingredients.model})
    _heading(console, "Audit", "prompt lengths of 2,000 records")
    audit_prompts(console, config, 2000)
    finetune(console, config)
    _heading(console, "Compare", f"everybody on {COMPARED} test records nobody trained on, 2 to 5 min")
    findings = measure(console, config, output, max_samples=COMPARED, text_features=False)
    page = keep_findings(output, findings, facts_of(output))
    keep_answer(output, findings, config_of(output))
    ratings = "real ratings (MovieLens 100K)" if ingredients.real_ratings else "invented ratings"

    def show(terminal: Console) -> None:
        terminal.print(f"{len(findings.evaluation.records)} held-out records, {ratings}", highlight=False)
        terminal.print(results_table(findings.evaluation))
        terminal.print(f"Curves, mistakes and more: {page}", highlight=False)
        print_next_commands(terminal, "Adapter", output, next_commands(output))

    _heading(console, "Result", f"{(time.monotonic() - started) / 60:.1f} min in all")
    show(console)
    if picture:
        save_picture(picture, "make demo", show)


def next_commands(output: Path) -> list[tuple[str, str]]:
    """Return what to type after the demo, and what for."""
    likely, folder = typed("likely"), shlex.quote(str(output))
    return [
        (f"{likely} serve --run {folder}", "try it on a page"),
        (f"{likely} infer --run {folder} --max-samples 20", "example histories with P(Yes)"),
        (f"{typed('tensorboard')} --logdir {folder}/logs --port 6006", "training curves"),
        (f"{likely} prepare --dataset ml-latest-small", "the records of the main configuration"),
        (f"{likely} train --config qwen3_movielens_qlora", "Qwen3-0.6B, on a GPU"),
    ]


def gather(console: Console, output: Path, data: Path) -> Ingredients:
    """Get model and ratings, real ones where they can be had, and prepare the records in the folder `data`."""
    from likely.data.movielens import read_movielens
    from likely.data.preparation import prepare
    from likely.report.preparation_table import preparation_table
    from likely.sources.catalogue import CATALOGUE, resolve_dataset, resolve_model
    from likely.sources.invented_ratings import make_sample

    _heading(console, "Fetch", "a pretrained model (98 MB) and real ratings, once")
    real_ratings = True
    try:
        with console.status("  fetching the ratings"):
            ratings = resolve_dataset(DATASET)
        console.print(f"  ratings  {ratings.story}; {CATALOGUE[DATASET].licence}", highlight=False)
        source = Path(ratings.location)
    except LikelyError as error:
        console.print(f"  [yellow]No real ratings ({error}) Using invented ones.[/yellow]", highlight=False)
        source, real_ratings = make_sample(output / "sample"), False
    _heading(console, "Prepare", "each user's timeline, the last ratings held out")
    console.print(preparation_table(prepare(read_movielens(source), data, demo_protocol())))
    try:
        with console.status("  fetching the model and converting it, once; about half a minute"):
            model = resolve_model(MODEL)
        console.print(f"  model    {model.story}; {CATALOGUE[MODEL].licence}", highlight=False)
        return Ingredients(MODEL, real_ratings)
    except LikelyError as error:
        console.print(f"  [yellow]No real model ({error}) Making a tiny one.[/yellow]", highlight=False)
        return Ingredients(str(tiny_base(output / "tiny-base", data)), real_ratings)


def tiny_base(folder: Path, data: Path) -> Path:
    """Make the tiny base of last resort out of the training prompts, unless it is there."""
    from likely.data.records import Labels, read_records
    from likely.sources.tiny_model import chat_prompt, make_tiny_base

    if (folder / "config.json").is_file():
        return folder
    records = read_records(data / "train.json", Labels())[:600]
    return make_tiny_base(folder, [chat_prompt(f"{record.instruction}\n{record.input}") for record in records])


def finetune(console: Console, config: RunConfig) -> None:
    """Train, unless an earlier demo left an adapter made in the same way of the same records."""
    from likely.cli.train import train_shown
    from likely.model.adapter import ADAPTER_WEIGHTS

    output = Path(config.output_dir)
    _heading(console, "Finetune", f"LoRA on up to {config.max_samples:,} records, about 7 min")
    if (output / ADAPTER_WEIGHTS).is_file() and _is_made_so(output, config):
        console.print(f"  The adapter in {output} is there already; delete the folder to train anew.")
        return
    train_shown(console, config)


def _is_made_so(output: Path, config: RunConfig) -> bool:
    """Return whether a finished run was made by this configuration, and of what is in its training file now."""
    from likely.config.reading import load_config
    from likely.data.run_data import training_file
    from likely.data.task import CONFIG_FILE, content_of
    from likely.inference.trained_on import training_data_before

    same = load_config(output / CONFIG_FILE, ["overwrite_output_dir=true"]) == config
    return same and training_data_before(output) == content_of(*training_file(config))


def _heading(console: Console, title: str, about: str) -> None:
    console.rule(f"[bold]{title}[/bold]  [dim]{about}[/dim]", align="left")
