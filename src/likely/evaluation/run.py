"""An evaluation from records to figures: base model, adapter, baselines and the run's `answer` on the same rows.

Takes the records that a run's configuration names (`asked`), asks `baselines` and, through
`inference.loaded_run`, the models, and gives `cli` the figures to show and keep.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from likely.config.run_config import RunConfig
from likely.data.records import Record
from likely.data.run_data import count_items
from likely.data.task import RatingsTask, RecordsTask, Task
from likely.errors import LikelyError
from likely.evaluation.answer import Fitted, the_answer, why_no_answer
from likely.evaluation.asked import Asked, read_asked
from likely.evaluation.baselines import systems_of
from likely.evaluation.contest import Evaluation, Kind, System, judge
from likely.evaluation.features import counted_once
from likely.evaluation.fusion import fusions
from likely.evaluation.own_records import left_out_briefly, named_by_label
from likely.evaluation.ranking_metrics import rank_items
from likely.evaluation.same_records import adapters_records, with_own_records
from likely.evaluation.scores import read_scores
from likely.evaluation.strata import strata_of, tied_note
from likely.evaluation.text_rows import can_compare_texts, text_systems
from likely.model.answers import Answers, FloatRows

if TYPE_CHECKING:
    from likely.encoding.prompt import EncodedRecord
    from likely.inference.kept_answers import KeptAnswers
    from likely.inference.loaded_run import LoadedRun
    from likely.model.item_embeddings import Vectors
    from likely.model.scoring import Progress


@dataclass(frozen=True)
class Findings:
    """What an evaluation found out.

    Attributes:
        evaluation: the figures of everybody on the same rows, and notes on them.
        item_counts: training records of each item, None where they do not all name theirs.
        task: what the records ask, None where nothing says so.
        fitted: what the run's answer is made of, for the folder to keep; None where there is none.
        adapter: what stands for the adapter that was asked, None where none was.
    """

    evaluation: Evaluation
    item_counts: Counter[str] | None
    task: Task | None = None
    fitted: Fitted | None = None
    adapter: str | None = None


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
    text_features: bool = True,
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
        text_features: whether counting also answers with what the base model makes of the items' texts (`text_rows`),
            where there is a base model and records allow it.

    Raises:
        LikelyError: the records, scores or models cannot be read, or there is neither a run nor a configuration.
    """
    config = config or _config_of(folder)
    asked = read_asked(folder, config, data, max_samples)
    p_given = read_scores(scores, asked.rows) if scores else None
    run, fitted = _load(folder, config) if folder else None, None
    systems, notes = systems_of(asked.given)
    notes = [*(left_out_briefly(notes) if isinstance(asked.task, RecordsTask) else notes), *asked.notes]
    if run is not None:
        tuned = asked.tuned if asked.why_no_mix is None else []
        said = ask_models(run, asked.rows, tuned, with_base, on_progress, kept)
        read = _with_texts(run, asked, notes, on_progress) if text_features else []
        systems += [*read, *said.systems(config)]
        mixed, fitted, left_out = _mix(asked, said, systems)
        systems, notes = [*systems, *mixed], [*notes, *run.notes, *left_out]
        trained_on = adapters_records(run.folder, config, run.builder, asked.train) if asked.is_as_trained else []
        if own := counted_once(trained_on, asked.held_out, asked.rows)[0]:
            systems = with_own_records(systems, own, asked.rows, asked.labels, asked.earlier, asked.words)
    if isinstance(asked.task, RecordsTask):
        systems = named_by_label(systems, asked.labels)
    if scores and p_given is not None:
        systems = [*systems, _given(scores, p_given, systems)]
    judged = judge(asked.rows, asked.labels, systems)
    notes += tied_note(judged)
    ranked = None
    if ranking is not None:
        ask = (lambda records: _asked_anew(run, records, on_progress, kept)) if run else None
        ranked, of_ranking = rank_items(asked.given, ranking, ask, config.seed, asked.drawn)
        notes += of_ranking
    judged = replace(judged, strata=strata_of(judged, asked.train), ranking=ranked, notes=notes)
    return Findings(judged, count_items(asked.train), asked.task, fitted, run.adapter if run else None)


def _given(scores: Path, p_yes: FloatRows, systems: Sequence[System]) -> System:
    """Return another system under the name of its file, with the ending where one of the systems has that name."""
    taken = any(one.name == scores.stem for one in systems)
    return System.from_probabilities(scores.name if taken else scores.stem, "given", p_yes)


def _mix(asked: Asked, said: ModelAnswers, systems: Sequence[System]) -> tuple[list[System], Fitted | None, list[str]]:
    """Return the run's answer and counting alone, or fusions where there can be no such answer, and why not."""
    if said.adapter_on_eval is None:
        return [], None, [f"Fusions of the adapter are left out: {asked.why_no_mix}."]
    tuned, task = asked.tuned, asked.task
    reason = why_no_answer(asked.given, task)
    if reason is None and isinstance(task, RatingsTask):
        adapter = (said.adapter_on_eval.p_yes, said.adapter.p_yes)
        mixed, fitted = the_answer(asked.given, tuned, task, adapter)
        if not asked.answer_is_the_runs:
            return mixed, None, ["The answer of this evaluation is not kept."]
        return mixed, fitted, []
    on_eval = said.adapter_on_eval.p_yes
    mixed = fusions(asked.fitted, tuned, asked.rows, asked.labels, on_eval, systems, asked.held_out, asked.words)
    note = f"The run keeps no answer of adapter and counting together: {reason}."
    return mixed, None, [note] if isinstance(task, RatingsTask) else []


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


def _asked_anew(
    run: "LoadedRun", records: Sequence[Record], on_progress: "Progress | None", kept: "KeptAnswers | None"
) -> FloatRows:
    """Return what the adapter says of records that were in no file."""
    encoded = run.encode(records)
    return run.answers(encoded, on_progress=on_progress, kept=kept, plan=run.exact_plan(encoded)).p_yes


def _with_texts(run: "LoadedRun", asked: Asked, notes: list[str], on_progress: "Progress | None") -> list[System]:
    """Return the rows of `text_rows`, as far as records and model allow them; a model that does not gets a note."""
    if not can_compare_texts(asked.given):
        return []
    noun = asked.words.noun if asked.words else "item"

    def embed(texts: Sequence[str]) -> "Vectors":
        return run.item_embeddings(texts, noun, on_progress=on_progress)

    name = Path(run.config.model_name_or_path).name
    try:
        return text_systems(asked.given, asked.task if isinstance(asked.task, RatingsTask) else None, embed, name)
    except LikelyError as error:
        notes.append(f"Features of texts are left out: {error}")
        return []


def simple_baselines(asked: Asked) -> list[System]:
    """Answer rows with the two baselines that fit nothing, as far as what they count is known.

    Where neither can answer, Yes to everything takes their place, so that there is something to compare with.
    """
    systems, _ = systems_of(asked.given, ("item like-rate", "history fraction liked"))
    return systems or systems_of(asked.given, ("always Yes",))[0]


def _config_of(folder: Path | str | None) -> RunConfig:
    """Return the configuration of a run; imported here because baselines alone need no model library."""
    from likely.inference.loaded_run import config_of

    if folder is None:
        raise LikelyError("Nothing says which records to evaluate on; name a run's folder or give a configuration.")
    return config_of(Path(folder))


def _load(folder: Path | str, config: RunConfig) -> "LoadedRun":
    from likely.inference.loaded_run import LoadedRun

    return LoadedRun.load(folder, config)
