"""`likely evaluate`: figures and page of a run, with baselines and intervals, written beside its adapter.

`evaluation.run` finds the figures; they are kept through `evaluation.storage` and shown by `report`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import BASELINES, MAIN_CONFIG, MAIN_RUN, Overrides
from likely.errors import LikelyError
from likely.files import check_writable, make_writable_folder

if TYPE_CHECKING:
    from rich.console import Console

    from likely.config.run_config import RunConfig
    from likely.evaluation.run import Findings
    from likely.inference.kept_answers import KeptAnswers
    from likely.report.facts import RunFacts


def evaluate(
    overrides: Overrides = None,
    adapter_dir: Annotated[
        Path | None,
        typer.Option("--adapter-dir", "--run", help=f"Folder of a finished run; by default {MAIN_RUN}."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default the run's own.")] = None,
    data: Annotated[Path | None, typer.Option(help="Records; by default the run's test file.")] = None,
    max_samples: Annotated[int | None, typer.Option(help="Score so many records, of whole users.", min=1)] = None,
    base: Annotated[bool, typer.Option("--base/--no-base", help="Ask the base model too: twice the time.")] = True,
    text_features: Annotated[
        bool,
        typer.Option(help="Add what the base model reads in the items' texts: minutes, the first time."),
    ] = True,
    baselines_only: Annotated[bool, typer.Option("--baselines-only", help="No models; needs no adapter.")] = False,
    output: Annotated[Path | None, typer.Option(help=f"Folder of the figures; the run's, or {BASELINES}.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Another system's p_yes of the same rows, by user_id and item_id or by row.")
    ] = None,
    ranking: Annotated[
        int | None, typer.Option(help="Rank likes of so many users among all items too: NDCG@10 and such.", min=1)
    ] = None,
) -> None:
    """Measure base, adapter, baselines and the run's answer on all test rows, with 95% intervals."""
    from likely.config.reading import load_config
    from likely.data.task import BLEND_FILE, CONFIG_FILE
    from likely.evaluation.storage import FIGURES_FILE, ROWS_FILE
    from likely.report.console import SafeConsole
    from likely.report.terminal import results_table

    console = SafeConsole()
    if baselines_only:
        path = config or (adapter_dir / CONFIG_FILE if adapter_dir else MAIN_CONFIG)
        settings, folder, others = load_config(path, overrides or ()), None, []
        written = output or adapter_dir or BASELINES
    else:
        from likely.inference.loaded_run import config_of
        from likely.inference.predict import asked_otherwise
        from likely.model.runtime import ready_process

        ready_process()
        folder = adapter_dir or MAIN_RUN
        settings = config_of(folder, config, overrides or ())
        others = asked_otherwise(folder, settings)
        written = output or folder
    check_folder(written, baselines_only)
    with _kept(written) if folder else nullcontext() as kept:
        findings = measure(console, settings, folder, data, max_samples, base, kept, scores, ranking, text_features)
        findings = with_conditions(findings, settings, data, max_samples, others)
        console.print(results_table(findings.evaluation))  # a disk that has filled up costs the files only
        page = keep_findings(written, findings, _facts(folder, settings), folder)
        is_own = folder is not None and written.resolve() == folder.resolve()
        has_answer = is_own and findings.fitted is not None
        kept_answer = has_answer and not others and keep_answer(written, findings, settings)
    if has_answer and others:
        own = "other than the run's own, by which rank, predict and serve ask it"
        console.print(f"The answer is not kept, as the adapter was asked by {', '.join(others)} {own}.", soft_wrap=True)
    written_files = f"{page.name}, {FIGURES_FILE}, {ROWS_FILE}{f', {BLEND_FILE}' if kept_answer else ''}"
    console.print(f"Written to {written}: {written_files}.", markup=False, soft_wrap=True, highlight=False)


def _kept(written: Path) -> AbstractContextManager[KeptAnswers]:
    """Keep what is scored; imported here because baselines alone need no model library."""
    from likely.inference.kept_answers import keeping_beside

    return keeping_beside(written)


def check_folder(folder: Path, baselines_only: bool) -> None:
    """Make the folder for the figures and try whether they can be written, before anything is computed.

    Raises:
        LikelyError: they cannot be written, or it has figures of models that those of baselines would replace.
    """
    from likely.cli.report import PAGE
    from likely.evaluation.storage import FIGURES_FILE, ROWS_FILE, kinds_in

    try:
        make_writable_folder(folder)
    except OSError as error:
        raise LikelyError(f"{folder} cannot be written ({error.strerror}); choose another with --output.") from error
    for name in (PAGE, FIGURES_FILE, ROWS_FILE):
        check_writable(folder / name)
    if baselines_only and kinds_in(folder) - {"baseline", "given"}:
        raise LikelyError(
            f"{folder} holds an evaluation of models, which one of baselines alone would replace; "
            "choose another folder with --output."
        )


def measure(
    console: Console,
    config: RunConfig,
    folder: Path | None,
    data: Path | None = None,
    max_samples: int | None = None,
    with_base: bool = True,
    kept: KeptAnswers | None = None,
    scores: Path | None = None,
    ranking: int | None = None,
    text_features: bool = True,
) -> Findings:
    """Evaluate, with a bar; print who is left out and why, and how long it took."""
    from likely.cli.progress import print_notes, scoring_bar
    from likely.evaluation.run import evaluate

    started = time.monotonic()
    with scoring_bar(console, "scoring" if folder else "baselines") as on_progress:
        findings = evaluate(
            folder, config, data, max_samples, with_base, on_progress, kept, scores, ranking, text_features
        )
    evaluation, seconds = findings.evaluation, time.monotonic() - started
    print_notes(console, evaluation.notes, kept)
    console.print(
        f"{len(evaluation.results)} systems on {len(evaluation.records):,} rows in {seconds:.1f} s.", highlight=False
    )
    return findings


def with_conditions(
    findings: Findings, config: RunConfig, data: Path | None, max_samples: int | None, others: Sequence[str]
) -> Findings:
    """Return findings whose notes say, before all others, which rows were asked and by which other settings."""
    said = [f"The rows are those of {data}."] if data else []
    said += [f"No more than {max_samples:,} rows were asked, of whole users."] if max_samples else []
    settings = ", ".join(f"{key}={getattr(config, key)}" for key in others)
    said += [f"The adapter was asked by {settings}, which is not the run's own."] if settings else []
    evaluation = findings.evaluation
    return replace(findings, evaluation=replace(evaluation, notes=[*said, *evaluation.notes]))


def keep_findings(folder: Path, findings: Findings, facts: RunFacts, run: Path | None = None) -> Path:
    """Write figures, rows and page of a run, that of the folder unless another is named, and return the page."""
    from likely.cli.report import PAGE
    from likely.evaluation.storage import save_evaluation
    from likely.inference.trained_on import check_adapter
    from likely.model.fingerprint import adapter_of, adapter_there
    from likely.report.page import write_report

    own = run or folder
    if findings.adapter:
        check_adapter(own, findings.adapter, adapter_of(own))
    save_evaluation(folder, findings.evaluation, findings.adapter or adapter_there(own))
    write_report(folder / PAGE, replace(facts, item_counts=findings.item_counts), findings.evaluation)
    return folder / PAGE


def keep_answer(folder: Path, findings: Findings, config: RunConfig) -> bool:
    """Write what the run's answer is made of into its folder, where there is one, and say whether there is."""
    if findings.fitted is None or findings.adapter is None:
        return False
    from likely.evaluation.blend import save_blend

    save_blend(folder, findings.fitted, findings.adapter, config)
    return True


def _facts(folder: Path | None, config: RunConfig) -> RunFacts:
    """Return what a page says of a run, or of baselines without one."""
    from likely.data.run_data import labels_of
    from likely.data.task import CONFIG_FILE
    from likely.evaluation.asked import task_in
    from likely.report.facts import facts_of, facts_without_run
    from likely.report.terms import terms_of

    if folder and (folder / CONFIG_FILE).is_file():
        return facts_of(folder)
    terms = terms_of(task_in(folder, config), labels_of(config))
    return facts_without_run(folder.resolve().name if folder else "Baselines", config.model_dump(), terms)
