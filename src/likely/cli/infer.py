"""`likely infer`: base model against adapter, on examples and in figures."""

from pathlib import Path
from typing import Annotated

import typer

from likely.cli.options import MAIN_RUN, Overrides


def infer(
    overrides: Overrides = None,
    adapter_dir: Annotated[Path, typer.Option(help="Folder of a finished run.")] = MAIN_RUN,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default the run's own.")] = None,
    data: Annotated[Path | None, typer.Option(help="Records; by default the run's test file.")] = None,
    max_samples: Annotated[int | None, typer.Option(help="Score so many records, of whole users.")] = 200,
    output: Annotated[Path | None, typer.Option(help="Write one JSON object a record to this file.")] = None,
    examples: Annotated[int, typer.Option(help="Histories shown.")] = 5,
) -> None:
    """Compare base model and adapter: examples, P(Yes) of both, metrics."""
    from rich.console import Console

    from likely.inference.loaded_run import run_comparison
    from likely.model.runtime import ready_process
    from likely.report.summary import summary_table
    from likely.report.terminal import example_table

    console = Console()
    ready_process()
    comparison = run_comparison(console, adapter_dir, config, overrides or (), data, max_samples)
    if examples:
        console.print(example_table(comparison.records, comparison.base, comparison.adapter, examples))
    console.print(summary_table(comparison.rows, f"{len(comparison.records):,} records"))
    if output:
        from likely.inference.loaded_run import write_scores

        write_scores(output, comparison)
        console.print(f"Scores written to {output}.", highlight=False)
