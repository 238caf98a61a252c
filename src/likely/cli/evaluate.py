"""The ends of the verbs: figures and page of a run, written beside its adapter.

Calls `evaluation` and `evaluation` for the figures and `html_report` for the page, with what it finds in
the run's folder; `cli` and `demo` call it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import BASELINES, MAIN_CONFIG, MAIN_RUN, Overrides

if TYPE_CHECKING:
    from rich.console import Console

    from likely.config.run_config import RunConfig
    from likely.evaluation.contest import Evaluation
    from likely.report.facts import RunFacts


def evaluate(
    overrides: Overrides = None,
    adapter_dir: Annotated[Path | None, typer.Option(help=f"Folder of a finished run; by default {MAIN_RUN}.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default the run's own.")] = None,
    data: Annotated[Path | None, typer.Option(help="Records; by default the run's test file.")] = None,
    max_samples: Annotated[int | None, typer.Option(help="Score so many records, of whole users.")] = None,
    base: Annotated[bool, typer.Option("--base/--no-base", help="Ask the base model too: twice the time.")] = True,
    baselines_only: Annotated[bool, typer.Option("--baselines-only", help="No models; needs no adapter.")] = False,
    output: Annotated[Path | None, typer.Option(help=f"Folder of the figures; the run's, or {BASELINES}.")] = None,
) -> None:
    """Measure base, adapter, baselines and a fusion of them on all test rows, with 95% intervals."""
    from rich.console import Console

    from likely.model.runtime import ready_process

    console = Console()
    if baselines_only:
        from likely.config.reading import load_config

        settings = load_config(config or (adapter_dir / "config.yaml" if adapter_dir else MAIN_CONFIG), overrides or ())
        evaluate_baselines(console, settings, data, max_samples, output or adapter_dir or BASELINES)
        return
    ready_process()

    folder = adapter_dir or MAIN_RUN
    evaluate_run(console, folder, config, overrides or (), data, max_samples, output or folder, base)


def evaluate_run(
    console: Console,
    run_folder: Path,
    config_path: Path | None,
    overrides: Sequence[str],
    data: Path | None,
    max_samples: int | None,
    output: Path,
    with_base: bool = True,
) -> Evaluation:
    """Let base, adapter, their fusion and all baselines answer the same rows; print and write what came out.

    Args:
        console: where to.
        run_folder: of the adapter.
        config_path: YAML file; None for the run's own.
        overrides: `key=value`, over it.
        data: records to answer; None for the run's test file.
        max_samples: at most so many, of whole users.
        output: folder of the figures, the rows and the page.
        with_base: whether the base model answers too, which takes half of the time.
    """
    from likely.cli.report import training_item_counts
    from likely.evaluation.run import check_folder, run_evaluation
    from likely.inference.loaded_run import config_of
    from likely.report.facts import facts_of, facts_without_run

    config = config_of(run_folder, config_path, overrides)
    check_folder(output, baselines_only=False)
    evaluation = run_evaluation(console, config, run_folder, data, max_samples, with_base)
    known = (run_folder / "config.yaml").is_file()
    facts = facts_of(run_folder) if known else facts_without_run(run_folder.resolve().name, config.model_dump())
    finish(console, output, evaluation, replace(facts, item_counts=training_item_counts(config)))
    return evaluation


def evaluate_baselines(
    console: Console, config: RunConfig, data: Path | None, max_samples: int | None, output: Path
) -> Evaluation:
    """Do the same for baselines alone; nothing has to be trained."""
    from likely.cli.report import training_item_counts
    from likely.evaluation.run import check_folder, run_evaluation
    from likely.report.facts import facts_without_run

    check_folder(output, baselines_only=True)
    evaluation = run_evaluation(console, config, None, data, max_samples)
    facts = facts_without_run("Baselines", config.model_dump())
    finish(console, output, evaluation, replace(facts, item_counts=training_item_counts(config)))
    return evaluation


def finish(console: Console, folder: Path, evaluation: Evaluation, facts: RunFacts) -> None:
    """Print the table of a evaluation, and write figures, rows and page."""
    from rich.markup import escape

    from likely.cli.report import PAGE
    from likely.evaluation.storage import FIGURES_FILE, ROWS_FILE, save_evaluation
    from likely.report.page import write_report
    from likely.report.terminal import results_table

    console.print(results_table(evaluation))
    save_evaluation(folder, evaluation)
    write_report(folder / PAGE, facts, evaluation)
    console.print(
        f"Written to {escape(str(folder))}: {PAGE}, {FIGURES_FILE}, {ROWS_FILE}.", soft_wrap=True, highlight=False
    )
