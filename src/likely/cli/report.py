"""`likely report`: the page of a run, written anew from what its folder holds."""

from dataclasses import replace
from pathlib import Path

from likely.cli.options import MAIN_RUN, RunFolder


def report(adapter_dir: RunFolder = MAIN_RUN) -> None:
    """Write report.html of a run anew: one page, with the figures of `likely evaluate` if there are any."""
    from rich.console import Console
    from rich.markup import escape

    page = report_run(adapter_dir)
    Console().print(f"Report written to {escape(str(page))}.", soft_wrap=True, highlight=False)


PAGE = "report.html"


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
    from likely.report.facts import facts_of, training_item_counts
    from likely.report.page import write_report

    facts = facts_of(folder)
    evaluation = (
        load_evaluation(folder) if _is_newer(folder / FIGURES_FILE, folder / "adapter_model.safetensors") else None
    )
    if evaluation is not None:
        facts = replace(facts, item_counts=training_item_counts(load_config(folder / "config.yaml", ())))
    write_report(folder / PAGE, facts, evaluation)
    return folder / PAGE


def _is_newer(path: Path, than: Path) -> bool:
    """Return whether a file is there and was written after another, if that is there."""
    return path.is_file() and (not than.is_file() or path.stat().st_mtime >= than.stat().st_mtime)
