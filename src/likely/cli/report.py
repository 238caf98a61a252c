"""`likely report`: the page of a run, written anew from what its folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from likely.cli.options import MAIN_RUN, RunFolder
from likely.errors import LikelyError

if TYPE_CHECKING:
    from likely.config.run_config import RunConfig

PAGE = "report.html"


def report(adapter_dir: RunFolder = MAIN_RUN) -> None:
    """Write report.html of a run anew: one page, with the figures of `likely evaluate` if there are any."""
    from rich.markup import escape

    from likely.report.console import SafeConsole

    page = report_run(adapter_dir)
    SafeConsole().print(f"Report written to {escape(str(page))}.", soft_wrap=True, highlight=False)


def report_run(folder: Path) -> Path:
    """Write the page of a run's folder from what is there, with the evaluation of `likely evaluate` if there was one.

    An evaluation of another adapter, such as an earlier one in the same folder, is left out.

    Returns:
        The page.

    Raises:
        LikelyError: the folder holds no run, or what it holds is damaged.
    """
    from likely.config.reading import load_config
    from likely.data.task import CONFIG_FILE
    from likely.evaluation.storage import load_evaluation
    from likely.report.facts import facts_of
    from likely.report.page import write_report

    facts, evaluation = facts_of(folder), None
    if _has_evaluation(folder):
        evaluation = load_evaluation(folder)
        facts = replace(facts, item_counts=training_item_counts(folder, load_config(folder / CONFIG_FILE, ())))
    write_report(folder / PAGE, facts, evaluation)
    return folder / PAGE


def training_item_counts(folder: Path, config: RunConfig) -> Mapping[str, int] | None:
    """Return how many training records each item has; a page can do without.

    None where they cannot be counted, or the file is no more what the run in the folder was trained on.
    """
    from likely.data.run_data import count_items, training_file, training_records
    from likely.data.task import content_of
    from likely.inference.trained_on import training_data_before

    try:
        records = training_records(config)
        same = training_data_before(folder) in (None, content_of(*training_file(config)))
        return count_items(records) if same else None
    except LikelyError:
        return None


def _has_evaluation(folder: Path) -> bool:
    """Return whether a folder has an evaluation of its own adapter, as far as the evaluation says of which it is."""
    from likely.evaluation.storage import FIGURES_FILE, adapter_in
    from likely.model.adapter import ADAPTER_WEIGHTS
    from likely.model.fingerprint import adapter_there

    figures, weights = folder / FIGURES_FILE, folder / ADAPTER_WEIGHTS
    if not figures.is_file() or not weights.is_file():
        return figures.is_file()
    evaluated = adapter_in(folder)
    if evaluated is not None:
        return evaluated == adapter_there(folder)
    # Earlier versions left only the time to tell.
    return figures.stat().st_mtime >= weights.stat().st_mtime
