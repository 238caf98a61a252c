"""What a run's folder says of a run, for its page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from likely.data.task import RatingsTask, RecordsTask, Task, read_task
from likely.errors import LikelyError


@dataclass(frozen=True)
class RunFacts:
    """What a page says of a run, beside its evaluation.

    Attributes:
        title: heading of the page.
        config: the resolved configuration, as its YAML file has it; empty where there is none.
        metrics: content of metrics.json; empty where nothing was trained.
        versions: of Python and packages, by name.
        made: when, in words.
        item_counts: training records of each item, None where unknown.
        noun: what a user is to like or not.
    """

    title: str
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    versions: Mapping[str, str]
    made: str
    item_counts: Mapping[str, int] | None = None
    noun: str = "movie"

    @property
    def saving(self) -> str | None:
        """What computing in a tree saved, in a sentence; None where unknown."""
        return self.metrics.get("saving")


def facts_of(run_folder: Path) -> RunFacts:
    """Read config.yaml and, where there is one, metrics.json of a run's folder.

    `item_counts` is in neither and left None.

    Raises:
        LikelyError: the folder holds no run, or one of the files cannot be read.
    """
    config_path, metrics_path = run_folder / "config.yaml", run_folder / "metrics.json"
    if not config_path.is_file():
        raise LikelyError(f"{run_folder} has no config.yaml, so it holds no finished run; name the folder of one.")
    has_metrics = metrics_path.is_file()
    try:
        config = yaml.safe_load(config_path.read_text(encoding="utf-8"))
        metrics = json.loads(metrics_path.read_text(encoding="utf-8")) if has_metrics else {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise LikelyError(
            f"{run_folder} holds a damaged config.yaml or metrics.json ({error}); train again."
        ) from error
    if not isinstance(config, dict) or not isinstance(metrics, dict):
        raise LikelyError(f"{run_folder} holds a config.yaml or metrics.json that is not a run's; train again.")
    versions = dict(metrics.get("versions") or {})
    if "python" in metrics:
        versions["python"] = metrics["python"]
    written = (metrics_path if has_metrics else config_path).stat().st_mtime
    title = str(config.get("run_name") or run_folder.resolve().name)
    made = _in_words(datetime.fromtimestamp(written, UTC))
    return RunFacts(title, config, metrics, versions, made, noun=_noun_of(run_folder))


def _noun_of(run_folder: Path) -> str:
    """Return what a run is about; a candidate, where its folder does not say."""
    try:
        return noun_of(read_task(run_folder))
    except LikelyError:
        return noun_of(RecordsTask())


def noun_of(task: Task) -> str:
    """Return what a task asks about."""
    return task.noun if isinstance(task, RatingsTask) else "candidate"


def facts_without_run(title: str, config: Mapping[str, Any], noun: str) -> RunFacts:
    """Return what there is to say where no training left its files."""
    versions = {name: version(name) for name in ("likely", "scikit-learn")}
    return RunFacts(title, config, {}, versions, _in_words(datetime.now(UTC)), noun=noun)


def _in_words(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
