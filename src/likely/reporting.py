"""The ends of the verbs: figures and page of a run, written beside its adapter.

Calls `evaluation` and `contest` for the figures and `html_report` for the page, with what it finds in
the run's folder; `cli` and `demo` call it.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from likely.config import RunConfig, load_config
from likely.contest import FIGURES_FILE, ROWS_FILE, Contest, load_contest, save_contest
from likely.errors import LikelyError
from likely.evaluation import check_folder, run_evaluation
from likely.html_report import RunFacts, facts_of, write_report
from likely.inference import config_of
from likely.inputs import files_of, labels_of
from likely.records import read_records
from likely.standings import standings_table

PAGE = "report.html"


def evaluate_run(
    console: Console,
    run_folder: Path,
    config_path: Path | None,
    overrides: Sequence[str],
    data: Path | None,
    max_samples: int | None,
    output: Path,
    with_base: bool = True,
) -> Contest:
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
    config = config_of(run_folder, config_path, overrides)
    check_folder(output, baselines_only=False)
    contest = run_evaluation(console, config, run_folder, data, max_samples, with_base)
    known = (run_folder / "config.yaml").is_file()
    facts = facts_of(run_folder) if known else facts_without_run(run_folder.resolve().name, config)
    finish(console, output, contest, replace(facts, item_counts=item_counts(config)))
    return contest


def evaluate_baselines(
    console: Console, config: RunConfig, data: Path | None, max_samples: int | None, output: Path
) -> Contest:
    """Do the same for baselines alone; nothing has to be trained."""
    check_folder(output, baselines_only=True)
    contest = run_evaluation(console, config, None, data, max_samples)
    facts = facts_without_run("Baselines", config)
    finish(console, output, contest, replace(facts, item_counts=item_counts(config)))
    return contest


def facts_without_run(title: str, config: RunConfig) -> RunFacts:
    """Return what there is to say where no training left its files."""
    versions = {name: version(name) for name in ("likely", "scikit-learn")}
    return RunFacts(
        title, config.model_dump(), None, versions, None, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    )


def finish(console: Console, folder: Path, contest: Contest, facts: RunFacts) -> None:
    """Print the table of a contest, and write figures, rows and page."""
    console.print(standings_table(contest))
    save_contest(folder, contest)
    write_report(folder / PAGE, facts, contest)
    console.print(
        f"Written to {escape(str(folder))}: {PAGE}, {FIGURES_FILE}, {ROWS_FILE}.", soft_wrap=True, highlight=False
    )


def report_run(folder: Path) -> Path:
    """Write the page of a run's folder from what is there, with the contest of `likely evaluate` if there was one.

    An evaluation of an earlier adapter in the same folder is left out.

    Returns:
        The page.

    Raises:
        LikelyError: the folder holds no run, or what it holds is damaged.
    """
    facts = facts_of(folder)
    contest = load_contest(folder) if _is_newer(folder / FIGURES_FILE, folder / "adapter_model.safetensors") else None
    if contest is not None:
        facts = replace(facts, item_counts=item_counts(load_config(folder / "config.yaml", ())))
    write_report(folder / PAGE, facts, contest)
    return folder / PAGE


def _is_newer(path: Path, than: Path) -> bool:
    """Return whether a file is there and was written after another, if that is there."""
    return path.is_file() and (not than.is_file() or path.stat().st_mtime >= than.stat().st_mtime)


def item_counts(config: RunConfig) -> Mapping[str, int] | None:
    """Return how many training records each item has; None where records do not name theirs or are not there."""
    files = files_of(config)
    if files.train is None or not files.train.is_file():
        return None
    try:
        records = read_records(files.train, labels_of(config), files.columns)
    except LikelyError:
        return None  # a page can do without
    items = [record.item_id for record in records if record.item_id is not None]
    return Counter(items) if len(items) == len(records) else None
