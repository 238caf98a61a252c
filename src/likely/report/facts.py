"""What a run's folder says of a run, for its page."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from likely.config.run_config import RunConfig
from likely.data.records import read_records
from likely.data.run_data import files_of, labels_of
from likely.errors import LikelyError


@dataclass(frozen=True)
class RunFacts:
    """What a page says of a run, beside its evaluation.

    Attributes:
        title: heading of the page.
        config: the resolved configuration, as its YAML file has it; empty where there is none.
        metrics: content of metrics.json, None where nothing was trained.
        versions: of Python and packages, by name.
        saving: what computing in a tree saved, in a sentence; None where unknown.
        made: when, in words.
        item_counts: training records of each item, None where unknown.
    """

    title: str
    config: Mapping[str, Any]
    metrics: Mapping[str, Any] | None
    versions: Mapping[str, str]
    saving: str | None
    made: str
    item_counts: Mapping[str, int] | None = None


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
        metrics = json.loads(metrics_path.read_text(encoding="utf-8")) if has_metrics else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise LikelyError(
            f"{run_folder} holds a damaged config.yaml or metrics.json ({error}); train again."
        ) from error
    if not isinstance(config, dict) or not isinstance(metrics, dict | None):
        raise LikelyError(f"{run_folder} holds a config.yaml or metrics.json that is not a run's; train again.")
    written = (metrics_path if has_metrics else config_path).stat().st_mtime
    versions = dict((metrics or {}).get("versions") or {})
    if metrics and "python" in metrics:
        versions["python"] = metrics["python"]
    return RunFacts(
        title=str(config.get("run_name") or run_folder.resolve().name),
        config=config,
        metrics=metrics,
        versions=versions,
        saving=(metrics or {}).get("saving"),
        made=datetime.fromtimestamp(written, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def facts_without_run(title: str, config: RunConfig) -> RunFacts:
    """Return what there is to say where no training left its files."""
    versions = {name: version(name) for name in ("likely", "scikit-learn")}
    return RunFacts(
        title, config.model_dump(), None, versions, None, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    )


def training_item_counts(config: RunConfig) -> Mapping[str, int] | None:
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
