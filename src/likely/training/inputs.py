"""All that a run reads before its model: records and tokenizer, each of them once."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from likely.config.run_config import RunConfig
from likely.data.catalogue_file import catalogue_beside
from likely.data.records import read_records
from likely.data.run_data import check_both_answers, evaluation_records, files_of, labels_of, training_file
from likely.data.task import RatingsTask, Task, differences, is_changed, task_of
from likely.encoding.cache import encode_file
from likely.encoding.order import choose_runs, shared_runs
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.errors import LikelyError
from likely.model.base import check_model_folder, load_tokenizer
from likely.model.hub import cached_folder
from likely.sources.catalogue import resolve_model
from likely.training.model_card import Question, question_of


@dataclass(frozen=True)
class RunInputs:
    """All that a run reads before its model, once.

    Attributes:
        location: hub name or folder of the base model.
        builder: of prompts, with its tokenizer.
        train: records to train on, encoded.
        train_rows: which rows of their file they are, from 1.
        eval: records to evaluate on, encoded; none without evaluation.
        eval_rows: which rows of their file these are.
        eval_users: whose each of these is.
        question: what the records ask.
        training_file: where those to train on come from.
        task: what they ask, as far as scoring has to know it.
        catalogue: text of the items that were prepared with them; None where there is none.
    """

    location: str
    builder: PromptBuilder
    train: list[EncodedRecord]
    train_rows: list[int]
    eval: list[EncodedRecord]
    eval_rows: list[int]
    eval_users: list[str | None]
    question: Question
    training_file: Path
    task: Task
    catalogue: str | None = None


def read_inputs(config: RunConfig, date: datetime.date) -> RunInputs:
    """Read records and tokenizer of a run; the records first, where the tokenizer has to come from afar.

    Args:
        config: all knobs.
        date: that the prompts have, if the chat template writes one.

    Raises:
        LikelyError: a file is missing or wrong, a record does not fit, there is no such model, or those to evaluate on
            ask something else than those to train on.
    """
    labels = labels_of(config)
    path, columns = training_file(config)
    evaluated = evaluation_records(config)
    task = task_of(path, columns)
    if evaluated:
        check_same_task(path, task, config)
    name, revision = config.model_name_or_path, config.model_revision
    asked = evaluated
    if not asked or not (Path(name).is_dir() or cached_folder(name, revision)):
        asked = read_records(path, labels, columns)  # so that its mistakes are found before anything is fetched
        check_both_answers(path, (record.output == labels.positive for record in asked), labels)
    location = resolve_model(name).location
    check_model_folder(location)
    builder = PromptBuilder(load_tokenizer(location, revision), labels, config.cutoff_len, date)
    everything = encode_file(path, columns, builder)
    check_both_answers(path, (record.liked for record in everything), labels)
    chosen = choose_runs(shared_runs(everything), config.max_samples, config.seed)
    return RunInputs(
        location=location,
        builder=builder,
        train=[everything[index] for index in chosen],
        train_rows=[index + 1 for index in chosen],
        eval=builder.encode_all(evaluated),
        eval_rows=[record.place.row for record in evaluated if record.place],
        eval_users=[record.user_id for record in evaluated],
        question=question_of(asked),
        training_file=path,
        task=task,
        catalogue=catalogue_beside(path) if isinstance(task, RatingsTask) else None,
    )


def check_same_task(path: Path, task: Task, config: RunConfig) -> None:
    """Check that a run is evaluated on what it is trained on.

    Args:
        path: of the records to train on.
        task: what they ask.
        config: names the file to evaluate on, which is there.

    Raises:
        LikelyError: both files were prepared, and one asks something else, or may do so.
    """
    files = files_of(config)
    assert files.eval
    if isinstance(task, RatingsTask) and is_changed(files.eval):
        raise LikelyError(
            f"{files.eval} was changed since it was prepared, or is of another preparation than {path}; prepare both "
            "again, or give what you have changed another name."
        )
    if differs := differences(task, task_of(files.eval, files.columns)):
        raise LikelyError(
            f"{files.eval} asks something else than {path} ({', '.join(differs)}), so its figures would say nothing of "
            "the training; prepare both alike, or name another eval_file."
        )


def describe(inputs: RunInputs, cutoff_len: int) -> str:
    """Return how many records there are, and what was left out of them for length, in a line."""
    said = f"{len(inputs.train):,} to train on, {len(inputs.eval):,} to evaluate"
    dropped = [record.dropped_lines for record in (*inputs.train, *inputs.eval) if record.dropped_lines]
    if not dropped:
        return f"{said}; all fit into cutoff_len {cutoff_len}"
    shortened = sum(record.dropped_lines > 0 for record in inputs.train)
    return (
        f"{said}; cutoff_len {cutoff_len} shortens the history of {shortened:,} and {len(dropped) - shortened:,}, by "
        f"{sum(dropped) / len(dropped):,.0f} lines on average"
    )
