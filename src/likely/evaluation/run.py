"""`likely evaluate`: base model, adapter, its fusions (`fusion`) and baselines, all on the same rows.

Takes a run's configuration (`inputs` reads its records), asks `baselines` and, through `scoring`, the models,
and gives a :class:`likely.evaluation.contest.Evaluation` of figures (`metrics`) that `cli` shows and saves.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from likely.cli.progress import progress_bar
from likely.config.run_config import RunConfig
from likely.data.records import Record, read_records
from likely.data.run_data import files_of, held_out_records, labels_of, subset_of_users
from likely.errors import LikelyError
from likely.evaluation.baselines import baseline_systems
from likely.evaluation.contest import Evaluation, System, judge
from likely.evaluation.fusion import fusions, rated_pairs, why_no_fusion
from likely.evaluation.storage import kinds_in
from likely.files import make_writable_folder
from likely.model.answers import Answers

if TYPE_CHECKING:
    from likely.encoding.prompt import EncodedRecord


@dataclass(frozen=True)
class ModelAnswers:
    """What the models said of the rows, and the adapter of the eval rows too; None is what was not asked."""

    base: Answers | None
    adapter: Answers
    adapter_on_eval: Answers | None


def check_folder(folder: Path, baselines_only: bool) -> None:
    """Make the folder for the figures, before anything is computed.

    Raises:
        LikelyError: it cannot be written, or has figures of models that those of baselines would replace.
    """
    try:
        make_writable_folder(folder)
    except OSError as error:
        raise LikelyError(f"{folder} cannot be written ({error.strerror}); choose another with --output.") from error
    if baselines_only and kinds_in(folder) - {"baseline"}:
        raise LikelyError(
            f"{folder} holds an evaluation of models, which one of baselines alone would replace; "
            "choose another folder with --output."
        )


def run_evaluation(
    console: Console,
    config: RunConfig,
    adapter_dir: Path | None,
    data: Path | None,
    max_samples: int | None,
    with_base: bool = True,
) -> Evaluation:
    """Let everybody answer the same rows, telling about it.

    Args:
        console: where to tell who is left out, and how long it took.
        config: of the run. Baselines are given all records of its training file.
        adapter_dir: folder of the adapter; None for baselines alone.
        data: records to answer; by default the run's test file.
        max_samples: at most so many of them, of whole users; None for all.
        with_base: whether the base model answers too, where there is an adapter.

    Raises:
        LikelyError: the records or the models cannot be read.
    """
    started = time.monotonic()
    labels = labels_of(config)
    rows = held_out_records(config, data, max_samples)
    train = _records_of(config, "train")
    with console.status("  baselines"):
        systems, notes = baseline_systems(train, rows, labels)
    known = len(rated_pairs(rows) & rated_pairs(train))
    if known:
        notes.append(f"{known:,} rows are training records too, whose answers baselines and adapter may know.")
    if adapter_dir is not None:
        tuned = subset_of_users(_records_of(config, "eval"), config.max_eval_samples, config.seed)
        reason = why_no_fusion(train, tuned, rows, labels)
        said = ask_models(console, config, adapter_dir, rows, [] if reason else tuned, with_base)
        base, adapter = said.base, said.adapter
        if base:
            base_name = f"base {Path(config.model_name_or_path).name}"
            systems.append(System(base_name, "base", base.p_yes, base.says_yes, base.says_no))
        systems.append(System("with the adapter", "adapter", adapter.p_yes, adapter.says_yes, adapter.says_no))
        if said.adapter_on_eval is None:
            notes.append(f"Fusions of the adapter are left out: {reason}.")
        else:
            systems += fusions(train, tuned, rows, labels, said.adapter_on_eval.p_yes, systems)
    if not all(record.user_id for record in rows):
        notes.append("Not all rows have a user_id: intervals resample rows, and there is no UAUC.")
    for note in notes:
        console.print(f"[dim]{note}[/dim]", highlight=False)
    evaluation = judge(rows, labels, systems)
    console.print(
        f"{len(systems)} systems on {len(rows):,} rows in {time.monotonic() - started:.1f} s.", highlight=False
    )
    return evaluation


def ask_models(
    console: Console,
    config: RunConfig,
    adapter_dir: Path,
    rows: Sequence[Record],
    tuned: Sequence[Record],
    with_base: bool = True,
) -> ModelAnswers:
    """Score rows with base model and adapter, loaded once, and eval rows, where there are any, with the adapter.

    Raises:
        LikelyError: the adapter belongs to another base model, or something cannot be loaded.
    """
    from likely.encoding.batches import Budget
    from likely.encoding.prompt import PromptBuilder
    from likely.inference.loaded_run import load_adapted
    from likely.model.adapter import base_model, check_adapter_base
    from likely.model.base import attention_share, check_model_folder, load_tokenizer
    from likely.model.scoring import PassPlan, score
    from likely.sources.catalogue import resolve_model

    location = resolve_model(config.model_name_or_path).location
    check_adapter_base(adapter_dir, location)
    check_model_folder(location)
    builder = PromptBuilder(load_tokenizer(location, config.model_revision), labels_of(config), config.cutoff_len)
    encoded, encoded_eval = builder.encode_all(rows), builder.encode_all(tuned)
    adapted = load_adapted(config, location, adapter_dir)
    inner = base_model(adapted)
    budget = Budget(config.per_device_eval_batch_size * config.cutoff_len, attention_share(inner))
    plan = PassPlan(config.batching, budget, (builder.positive_ids[0], builder.negative_ids[0]))
    total = (1 + with_base) * len(rows) + len(tuned)
    with progress_bar(console) as bar:
        task = bar.add_task("scoring base and adapter" if with_base else "scoring", total=total, figures="")

        def answers(of: "Sequence[EncodedRecord]", already: int) -> Answers:
            return score(adapted, inner, of, plan, lambda done, _: bar.update(task, completed=already + done))

        base = None
        if with_base:
            with adapted.disable_adapter():
                base = answers(encoded, 0)
        adapter = answers(encoded, with_base * len(rows))
        of_eval = answers(encoded_eval, total - len(tuned)) if tuned else None
    return ModelAnswers(base, adapter, of_eval)


def _records_of(config: RunConfig, split: str) -> list[Record]:
    """Return the records of the training or evaluation file, none where there is none."""
    files = files_of(config)
    path = files.train if split == "train" else files.eval
    return read_records(path, labels_of(config), files.columns) if path and path.is_file() else []
