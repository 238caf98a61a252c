"""`likely predict`: P(Yes) of records without answers, written beside their own columns."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from likely.cli.options import MAIN_RUN, Overrides, RunFolder
from likely.errors import StoppedError


def predict(
    data: Annotated[Path, typer.Option(help="Records: .json, .jsonl, .csv or .parquet; answers in it are not read.")],
    output: Annotated[Path, typer.Option(help="File of the scored records: .parquet, .csv or .jsonl.")],
    overrides: Overrides = None,
    adapter_dir: RunFolder = MAIN_RUN,
    base: Annotated[bool, typer.Option("--base", help="Ask the base model too: twice the time.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after a command that did not finish.")] = False,
) -> None:
    """Score records without answers: the same columns, and p_yes beside them."""

    from likely.cli.progress import print_notes, scoring_bar
    from likely.inference.loaded_run import config_of
    from likely.inference.predict import predict
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole

    console = SafeConsole()
    ready_process()
    config = config_of(adapter_dir, None, overrides or ())
    try:
        with scoring_bar(console, "scoring") as on_progress:
            done = predict(adapter_dir, data, output, config, base, resume, on_progress)
    except KeyboardInterrupt:
        raise StoppedError(
            "Stopped; what is scored is kept. Go on with the same command and --resume.", 128 + signal.SIGINT
        ) from None
    print_notes(console, done.notes)
    if done.kept:
        console.print(f"{done.kept:,} rows had been scored before.", highlight=False)
    if done.shortened:
        console.print(f"{done.shortened:,} rows lost old history to fit cutoff_len {config.cutoff_len}.")
    console.print(f"{done.rows:,} rows written to {output}.", highlight=False, markup=False, soft_wrap=True)
