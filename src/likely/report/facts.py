"""What a run's folder says of a run, for its page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from likely.data.records import Labels
from likely.data.task import CONFIG_FILE, METRICS_FILE, TASK_FILE, read_task
from likely.errors import LikelyError
from likely.files import read_json, read_text
from likely.report.terms import Terms, terms_of

LABEL_KEYS = {"positive_label": "Yes", "negative_label": "No"}

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, yaml.YAMLError)
"""What PyYAML raises for text that is no YAML, and for words that look like a date or a number and are none."""

Number = Annotated[float, Field(ge=-1e15, le=1e15)]


class _Trained(BaseModel):
    """The size of a training in metrics.json."""

    model_config = ConfigDict(strict=True)

    records: int
    steps: int
    seconds: Number


class _Metrics(BaseModel):
    """What a page reads of metrics.json, all of which may be missing; null is a figure that is not finite."""

    model_config = ConfigDict(strict=True)

    best_step: Number | None = None
    eval: dict[str, Number | None] | None = None
    train: _Trained | None = None
    versions: dict[str, str] | None = None
    python: str | None = None
    saving: str | None = None
    log: list[dict[str, Number | None]] | None = None


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
        terms: words for what the records ask.
    """

    title: str
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    versions: Mapping[str, str]
    made: str
    item_counts: Mapping[str, int] | None = None
    terms: Terms = field(default_factory=Terms)

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
    config_path, metrics_path = run_folder / CONFIG_FILE, run_folder / METRICS_FILE
    if not config_path.is_file():
        raise LikelyError(f"{run_folder} has no config.yaml, so it holds no finished run; name the folder of one.")
    has_metrics = metrics_path.exists()
    text = read_text(config_path, "train again.")
    metrics = read_json(metrics_path, "train again, or remove it.") if has_metrics else {}
    try:
        config = yaml.safe_load(text)
        _Metrics.model_validate(metrics)
    except UNREADABLE as error:
        raise LikelyError(f"{run_folder} holds a damaged config.yaml or metrics.json; train again.") from error
    if not isinstance(config, dict):
        raise LikelyError(f"{run_folder} holds a config.yaml that is not a run's; train again.")
    versions = dict(metrics.get("versions") or {})
    if "python" in metrics:
        versions["python"] = metrics["python"]
    written = (metrics_path if has_metrics else config_path).stat().st_mtime
    title = str(config.get("run_name") or run_folder.resolve().name)
    labels = Labels(*(str(config.get(key, default)) for key, default in LABEL_KEYS.items()))
    terms = terms_of(read_task(run_folder) if (run_folder / TASK_FILE).exists() else None, labels)
    return RunFacts(title, config, metrics, versions, _in_words(datetime.fromtimestamp(written, UTC)), terms=terms)


def facts_without_run(title: str, config: Mapping[str, Any], terms: Terms) -> RunFacts:
    """Return what there is to say where no training left its files."""
    versions = {name: version(name) for name in ("likely", "scikit-learn")}
    return RunFacts(title, config, {}, versions, _in_words(datetime.now(UTC)), terms=terms)


def _in_words(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
