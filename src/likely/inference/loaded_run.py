"""Base model against adapter: loaded once, compared on the same rows, beside the simplest baselines.

Takes a configuration and an adapter's folder and gives a :class:`Comparison`, which `report` shows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from likely.cli.progress import progress_bar
from likely.config.reading import load_config
from likely.config.run_config import RunConfig
from likely.data.records import Record, read_records
from likely.data.run_data import files_of, held_out_records, labels_of
from likely.encoding.batches import Budget
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError
from likely.evaluation.baselines import item_like_rate
from likely.evaluation.features import history_fraction
from likely.evaluation.metrics import answer_metrics, probability_metrics
from likely.files import replacing
from likely.model.adapter import adapter_base, base_model, check_adapter_base, load_adapter
from likely.model.answers import Answers
from likely.model.attention import look_around, resolve_attention
from likely.model.base import attention_share, check_model_folder, choose_precision, load_base, load_tokenizer
from likely.model.scoring import PassPlan, Progress, score_base_and_adapter
from likely.report.summary import SummaryRow
from likely.sources.catalogue import resolve_model

if TYPE_CHECKING:
    from peft import PeftModel


@dataclass(frozen=True)
class Comparison:
    """What both models said of the same records, and how good it is."""

    records: list[Record]
    base: Answers
    adapter: Answers
    rows: list[SummaryRow]


def config_of(adapter_dir: Path, config_path: Path | None, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration of a run: the one given, or the one it left beside its adapter.

    Raises:
        LikelyError: there is no adapter, or no configuration.
    """
    adapter_base(adapter_dir)
    if config_path is None and not (adapter_dir / "config.yaml").is_file():
        raise LikelyError(f"{adapter_dir} has no config.yaml; name the configuration of its run with --config.")
    return load_config(config_path or adapter_dir / "config.yaml", overrides)


def compare(
    config: RunConfig,
    model_path: str,
    adapter_dir: Path,
    records: Sequence[Record],
    on_progress: Progress | None = None,
) -> Comparison:
    """Score records with the base model and the adapter, loaded once.

    Args:
        config: of the adapter's run.
        model_path: folder or hub name of the base model.
        adapter_dir: folder of the adapter.
        records: what to score.
        on_progress: told how many scores of both models are done.

    Raises:
        LikelyError: the adapter belongs to another base model, or something cannot be loaded.
    """
    check_adapter_base(adapter_dir, model_path)
    check_model_folder(model_path)
    builder = PromptBuilder(load_tokenizer(model_path, config.model_revision), labels_of(config), config.cutoff_len)
    encoded = builder.encode_all(records)
    adapted = load_adapted(config, model_path, adapter_dir)
    budget = Budget(config.per_device_eval_batch_size * config.cutoff_len, attention_share(base_model(adapted)))
    plan = PassPlan(config.batching, budget, (builder.positive_ids[0], builder.negative_ids[0]))
    base, adapter = score_base_and_adapter(adapted, encoded, plan, on_progress)
    users = [record.user_id for record in records]
    rows = [
        *baseline_rows(config, records),
        SummaryRow(f"base {config.model_name_or_path}", answer_metrics(base, users)),
        SummaryRow("with the adapter", answer_metrics(adapter, users)),
    ]
    return Comparison(list(records), base, adapter, rows)


def run_comparison(
    console: Console,
    adapter_dir: Path,
    config_path: Path | None,
    overrides: Sequence[str],
    data: Path | None,
    max_samples: int | None,
) -> Comparison:
    """Score a run's records with base and adapter, with a bar."""
    config = config_of(adapter_dir, config_path, overrides)
    records = held_out_records(config, data, max_samples)
    location = resolve_model(config.model_name_or_path).location
    with progress_bar(console) as bar:
        task = bar.add_task("scoring base and adapter", total=2 * len(records), figures="")
        return compare(
            config, location, adapter_dir, records, lambda done, total: bar.update(task, completed=done, total=total)
        )


def load_adapted(config: RunConfig, model_path: str, adapter_dir: Path) -> "PeftModel":
    """Load the base model as it was trained on, and the adapter on it."""
    precision = choose_precision(config.dtype, config.quantization_bit)
    attention = resolve_attention(config.flash_attn, look_around(config.batching, precision.is_half))
    base = load_base(model_path, precision, attention.implementation, config.model_revision)
    return load_adapter(base, adapter_dir)


def baseline_rows(config: RunConfig, records: Sequence[Record]) -> list[SummaryRow]:
    """Return the two simplest baselines on the same rows, as far as the records tell what they need."""
    labels = labels_of(config)
    users = [record.user_id for record in records]
    liked = np.array([record.output == labels.positive for record in records])
    rows: list[SummaryRow] = []
    train = files_of(config).train
    if train and train.is_file() and all(record.item_id is not None for record in records):
        rates = item_like_rate(read_records(train, labels, files_of(config).columns), records, labels)
        rows.append(SummaryRow("item like-rate", probability_metrics(liked, rates, users), is_baseline=True))
    if all("history_likes" in record.extra for record in records):
        fraction = probability_metrics(liked, history_fraction(records), users)
        rows.append(SummaryRow("history fraction liked", fraction, is_baseline=True))
    return rows


def write_scores(path: Path, comparison: Comparison) -> None:
    """Write one JSON object a record: ids, the truth, and P(Yes) of base and adapter."""
    with replacing(path) as out:
        for place, record in enumerate(comparison.records):
            line = {
                "row": place,
                "user_id": record.user_id,
                "item_id": record.item_id,
                "output": record.output,
                "base": _said(comparison.base, place),
                "adapter": _said(comparison.adapter, place),
            }
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _said(answers: Answers, place: int) -> dict[str, float | bool]:
    return {
        "p_yes": float(answers.p_yes[place]),
        "label_mass": float(answers.label_mass[place]),
        "answered": bool(answers.says_yes[place] or answers.says_no[place]),
    }
