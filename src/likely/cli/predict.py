"""`likely predict`: P(Yes) of records without answers, written beside their own columns."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from likely.cli.options import MAIN_RUN, Overrides, RunFolder
from likely.errors import LikelyError, StoppedError

if TYPE_CHECKING:
    from rich.console import Console

    from likely.inference.predict import Prediction
    from likely.inference.predict_folder import Spread


def predict(
    data: Annotated[
        Path,
        typer.Option(help="Records: .json, .jsonl, .csv, .parquet, or a folder of .parquet; answers are not read."),
    ],
    output: Annotated[
        Path, typer.Option(help="File of the scored records: .parquet, .csv or .jsonl; a folder where --data is one.")
    ],
    overrides: Overrides = None,
    adapter_dir: RunFolder = MAIN_RUN,
    base: Annotated[bool, typer.Option("--base", help="Ask the base model too: twice the time.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after a command that did not finish; folders always do.")
    ] = False,
    engine: Annotated[
        Literal["ray"] | None, typer.Option(help="Spread the files of a folder over the workers of Ray.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Of Ray, a model each; by default one a GPU, or a machine without.", min=1)
    ] = None,
) -> None:
    """Score records without answers: the same columns, and beside them p_yes, and answer where the run keeps one."""
    spread = _engine(engine, workers, data)

    from likely.cli.progress import print_notes, scoring_bar
    from likely.evaluation.answering import mixing_of
    from likely.inference.loaded_run import config_of
    from likely.inference.predict import asked_otherwise, predict
    from likely.inference.predict_folder import others_in, predict_folder
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole

    console = SafeConsole()
    ready_process()
    config = config_of(adapter_dir, None, overrides or ())
    mixing, others = mixing_of(adapter_dir), asked_otherwise(adapter_dir, config)
    if mixing and others:
        mixing = None
        console.print(f"No column answer is written: it was fitted with the run's own {', '.join(others)}.")
    try:
        with scoring_bar(console, "scoring") as on_progress:
            if data.is_dir():
                done = predict_folder(adapter_dir, data, output, config, base, on_progress, spread, mixing)
            else:
                one = predict(adapter_dir, data, output, config, base, resume, on_progress, mixing=mixing)
                done = {data.name: one}
    except KeyboardInterrupt:
        again = "the same command" if data.is_dir() else "the same command and --resume"
        raise StoppedError(f"Stopped; what is scored is kept. Go on with {again}.", 128 + signal.SIGINT) from None
    print_notes(console, dict.fromkeys(note for one in done.values() for note in one.notes))
    _say_what_was_done(console, done, config.cutoff_len, output)
    if data.is_dir() and (others := others_in(output, done)):
        console.print(
            f"{len(others):,} more .parquet files are in it, such as {others[0]}, of no file with rows in {data}; who "
            "reads the whole folder gets their rows too.",
            markup=False,
            soft_wrap=True,
        )


def _say_what_was_done(console: Console, done: Mapping[str, Prediction], cutoff_len: int, output: Path) -> None:
    """Print how many rows were scored now or before, of how many files, and where they are."""
    rows, kept, shortened = (
        sum(counts) for counts in zip(*((one.rows, one.kept, one.shortened) for one in done.values()), strict=True)
    )
    if kept:
        console.print(f"{kept:,} rows had been scored before.", highlight=False)
    if shortened:
        console.print(f"{shortened:,} rows lost old history to fit cutoff_len {cutoff_len}.")
    files = f" of {len(done):,} files" if output.is_dir() else ""
    console.print(f"{rows:,} rows{files} written to {output}.", highlight=False, markup=False, soft_wrap=True)


def _engine(engine: str | None, workers: int | None, data: Path) -> Spread | None:
    """Return what spreads the files of a folder, if anything is to.

    Raises:
        LikelyError: it is not installed, or there is no folder.
    """
    if engine is None:
        if workers is not None:
            raise LikelyError("--workers are those of --engine ray; add it, or leave --workers out.")
        return None
    if find_spec("ray") is None:
        raise LikelyError(
            "--engine ray needs the extra `ray`, which is not installed; install it with: pip install 'ray[data]'"
        )
    if not data.is_dir():
        raise LikelyError(f"--engine ray takes a folder of .parquet files, and --data {data} is none; name one.")
    from functools import partial

    from likely.inference.on_ray import spread_on_ray

    return partial(spread_on_ray, workers=workers)
