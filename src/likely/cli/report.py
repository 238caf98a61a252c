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

    An evaluation of an earlier adapter in the same folder is left out.

    Returns:
        The page.

    Raises:
        LikelyError: the folder holds no run, or what it holds is damaged.
    """
    from likely.config.reading import load_config
    from likely.evaluation.storage import FIGURES_FILE, load_evaluation
    from likely.report.facts import facts_of
    from likely.report.page import write_report

    facts, evaluation = facts_of(folder), None
    if _is_newer(folder / FIGURES_FILE, folder / "adapter_model.safetensors"):
        evaluation = load_evaluation(folder)
        facts = replace(facts, item_counts=training_item_counts(load_config(folder / "config.yaml", ())))
    write_report(folder / PAGE, facts, evaluation)
    return folder / PAGE


def training_item_counts(config: RunConfig) -> Mapping[str, int] | None:
    """Return how many training records each item has, None where they cannot be counted: a page can do without."""
    from likely.data.run_data import count_items, training_records

    try:
        return count_items(training_records(config))
    except LikelyError:
        return None


def _is_newer(path: Path, than: Path) -> bool:
    """Return whether a file is there and was written after another, if that is there."""
    return path.is_file() and (not than.is_file() or path.stat().st_mtime >= than.stat().st_mtime)
