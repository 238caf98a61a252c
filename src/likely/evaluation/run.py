"""An evaluation from records to figures: base model, adapter, its fusions (`fusion`) and baselines on the same rows.

Reads the records that a run's configuration names (`data.run_data`), asks `baselines` and, through
`inference.loaded_run`, the models, and gives `cli` the figures to show and keep.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from likely.config.run_config import RunConfig
from likely.data.records import Labels, Record
from likely.data.run_data import (
    count_items,
    files_of,
    held_out_records,
    labels_of,
    split_records,
    subset_of_users,
)
from likely.data.task import TASK_FILE, RatingsTask, RecordsTask, Task, read_task, task_of
from likely.errors import LikelyError
from likely.evaluation.baselines import always_yes, baseline_systems, countable, item_like_rate
from likely.evaluation.contest import Evaluation, Kind, System, judge
from likely.evaluation.derived_histories import with_histories
from likely.evaluation.features import has_history_counts, history_fraction
from likely.evaluation.fusion import fusions, not_asked, rated_pairs, why_no_fusion
from likely.evaluation.own_records import left_out_briefly, named_by_label
from likely.evaluation.ranking_metrics import rank_items
from likely.evaluation.same_records import adapters_records, with_own_records
from likely.evaluation.scores import read_scores
from likely.evaluation.strata import strata_of, tied_note
from likely.model.answers import Answers, FloatRows

if TYPE_CHECKING:
    from likely.encoding.prompt import EncodedRecord
    from likely.inference.kept_answers import KeptAnswers
    from likely.inference.loaded_run import LoadedRun
    from likely.model.scoring import Progress


@dataclass(frozen=True)
class Findings:
    """What an evaluation found out.

    Attributes:
        evaluation: the figures of everybody on the same rows.
        notes: who is left out and why, and what else a reader of the figures should know; a sentence each.
        item_counts: training records of each item, None where they do not all name theirs.
        task: what the records ask, None where nothing says so.
    """

    evaluation: Evaluation
    notes: Sequence[str]
    item_counts: Counter[str] | None
    task: Task | None = None


@dataclass(frozen=True)
class ModelAnswers:
    """What the models said of the rows, and the adapter of the eval rows too; None is what was not asked."""

    base: Answers | None
    adapter: Answers
    adapter_on_eval: Answers | None

    def systems(self, config: RunConfig) -> list[System]:
        """Return the models that were asked, as they stand in a table."""

        def system(name: str, kind: Kind, said: Answers) -> System:
            return System(name, kind, said.p_yes, said.says_yes, said.says_no)

        adapter = system("with the adapter", "adapter", self.adapter)
        if self.base is None:
            return [adapter]
        return [system(f"base {Path(config.model_name_or_path).name}", "base", self.base), adapter]


def evaluate(
    folder: Path | str | None,
    config: RunConfig | None = None,
    data: Path | None = None,
    max_samples: int | None = None,
    with_base: bool = True,
    on_progress: "Progress | None" = None,
    kept: "KeptAnswers | None" = None,
    scores: Path | None = None,
    ranking: int | None = None,
) -> Findings:
    """Let everybody answer the same rows.

    Args:
        folder: of a finished run; None for baselines alone.
        config: names the records and the base model; by default the run's own, which baselines alone do not have.
            Baselines are given all records of its training file.
        data: records to answer; by default the configuration's test file.
        max_samples: at most so many of them, of whole users; None for all.
        with_base: whether the base model answers too, where there is an adapter.
        on_progress: told after every forward pass how many records are scored, and of how many.
        kept: answers of an earlier command that are taken up, and where these are kept.
        scores: file with another system's P(Yes) of the same rows, see :func:`likely.evaluation.scores.read_scores`.
        ranking: of so many users, rank what they like among all items too; None for none.

    Raises:
        LikelyError: the records, scores or models cannot be read, or there is neither a run nor a configuration.
    """
    config = config or _config_of(folder)
    labels = labels_of(config)
    rows = held_out_records(config, data, max_samples)
    others = [System.from_probabilities(scores.stem, "given", read_scores(scores, rows))] if scores else []
    train = split_records(config, "train")
    run = _load(folder, config) if folder else None
    task = task_in(folder, config)
    (train, held_out, rows), counted = with_histories(train, split_records(config, "eval"), rows, labels)
    earlier = not_asked(held_out, rows)
    tuned = subset_of_users(held_out, config.max_eval_samples, config.seed) if folder else []
    words = task.words if isinstance(task, RatingsTask) else None
    systems, notes = baseline_systems(train, rows, labels, earlier, words)
    if isinstance(task, RecordsTask):
        notes = left_out_briefly(notes)
    known = len(rated_pairs(rows) & rated_pairs(train))
    if known:
        notes.append(f"{known:,} rows are training records too, whose answers baselines and adapter may know.")
    if run is not None:
        notes += run.notes
        reason = why_no_fusion(train, tuned, rows, labels)
        said = ask_models(run, rows, [] if reason else tuned, with_base, on_progress, kept)
        systems += said.systems(config)
        if said.adapter_on_eval is None:
            notes.append(f"Fusions of the adapter are left out: {reason}.")
        else:
            systems += fusions(train, tuned, rows, labels, said.adapter_on_eval.p_yes, systems, held_out, words)
        own = adapters_records(run.folder, config, run.builder, train)
        systems = [*(with_own_records(systems, own, rows, labels, earlier, words) if own else systems), *others]
    else:
        systems += others
    if isinstance(task, RecordsTask):
        systems = named_by_label(systems, labels)
    if not all(record.user_id for record in rows):
        notes.append("Not all rows have a user_id: intervals resample rows, and there is no UAUC and no GAUC.")
    judged = judge(rows, labels, systems)
    ask = (lambda asked: _asked(run, asked, on_progress, kept)) if run else None
    ranked, unranked = rank_items(train, earlier, rows, labels, ranking, ask, config.seed) if ranking else (None, [])
    notes += [*counted, *tied_note(judged), *unranked]
    return Findings(replace(judged, strata=strata_of(judged, train), ranking=ranked), notes, count_items(train), task)


def task_in(folder: Path | str | None, config: RunConfig) -> Task | None:
    """Return what a run's records ask, or without a run those of its training file; None where nothing says so.

    Raises:
        LikelyError: the run's task.json is damaged, or the data set is not found.
    """
    if folder is not None:
        return read_task(Path(folder)) if (Path(folder) / TASK_FILE).exists() else None
    files = files_of(config)
    return task_of(files.train, files.columns) if files.train else None


def ask_models(
    run: "LoadedRun",
    rows: Sequence[Record],
    tuned: Sequence[Record] = (),
    with_base: bool = True,
    on_progress: "Progress | None" = None,
    kept: "KeptAnswers | None" = None,
) -> ModelAnswers:
    """Score rows with base model and adapter, and eval rows, where there are any, with the adapter.

    Raises:
        LikelyError: a record does not fit, or what is to be kept cannot be written.
    """
    encoded, encoded_eval = run.encode(rows), run.encode(tuned)
    run.check([*encoded, *encoded_eval])
    total = (1 + with_base) * len(encoded) + len(encoded_eval)

    def progress_after(already: int) -> "Progress | None":
        return (lambda done, _: on_progress(already + done, total)) if on_progress else None

    def ask(asked: "Sequence[EncodedRecord]", adapter: bool, already: int) -> Answers:
        return run.answers(asked, adapter, progress_after(already), kept)

    base = ask(encoded, False, 0) if with_base else None
    adapter = ask(encoded, True, with_base * len(encoded))
    on_eval = ask(encoded_eval, True, total - len(encoded_eval)) if encoded_eval else None
    return ModelAnswers(base, adapter, on_eval)


def _asked(
    run: "LoadedRun", records: Sequence[Record], on_progress: "Progress | None", kept: "KeptAnswers | None"
) -> FloatRows:
    """Return what the adapter says of records that were in no file."""
    encoded = run.encode(records)
    run.check(encoded)
    return run.answers(encoded, on_progress=on_progress, kept=kept).p_yes


def simple_baselines(
    train: Sequence[Record], rows: Sequence[Record], labels: Labels, held_out: Sequence[Record] = ()
) -> list[System]:
    """Answer rows with the two baselines that fit nothing, as far as what they count is known.

    Where neither can answer, Yes to everything takes their place, so that there is something to compare with.
    """
    answers: dict[str, FloatRows] = {}
    both_labels = len({record.output for record in train}) == 2
    if both_labels and all(record.item_id is not None for record in (*train, *rows)):
        answers["item like-rate"] = item_like_rate(countable(train, rows, not_asked(held_out, rows)), rows, labels)
    if has_history_counts(rows):
        answers["history fraction liked"] = history_fraction(rows)
    if not answers:
        answers["always Yes"] = always_yes(rows)
    return [System(name, "baseline", p_yes, p_yes >= 0.5, p_yes < 0.5) for name, p_yes in answers.items()]


def _config_of(folder: Path | str | None) -> RunConfig:
    """Return the configuration of a run; imported here because baselines alone need no model library."""
    from likely.inference.loaded_run import config_of

    if folder is None:
        raise LikelyError("Nothing says which records to evaluate on; name a run's folder or give a configuration.")
    return config_of(Path(folder))


def _load(folder: Path | str, config: RunConfig) -> "LoadedRun":
    from likely.inference.loaded_run import LoadedRun

    return LoadedRun.load(folder, config)
