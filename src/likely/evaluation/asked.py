"""The records of an evaluation: those to answer, those that baselines and weights are fitted to, and what they all ask.

Read from the files that a configuration names (`data.run_data`); `run` hands them to everybody who answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from likely.config.run_config import RunConfig
from likely.data.record_times import in_seconds
from likely.data.records import TIME, Labels, Record
from likely.data.run_data import files_of, held_out_records, labels_of, split_records, subset_of_users
from likely.data.task import TASK_FILE, RatingsTask, Task, content_of, differences, read_task, task_of
from likely.data.wording import Words
from likely.evaluation.derived_histories import with_histories
from likely.evaluation.features import counted_once, not_among, times_of
from likely.evaluation.fusion import why_no_fusion
from likely.evaluation.given import Given


@dataclass(frozen=True)
class Asked:
    """What everybody answers, and from what.

    Attributes:
        train: training records.
        fitted: those of them that counting is fitted to: where all have times, and so all are counted, those that are
            not among the rows, for a rating counts once.
        held_out: all eval records, without training records where all have times.
        tuned: those of them that mixes with the adapter are fitted to; none without a run.
        rows: records to answer.
        labels: which output is a like.
        task: what the records ask, None where nothing says so.
        notes: what a reader of figures should know of the records, a sentence each.
        is_as_trained: whether these files are such as the run was trained on, as far as the run says.
    """

    train: list[Record]
    fitted: list[Record]
    held_out: list[Record]
    tuned: list[Record]
    rows: list[Record]
    labels: Labels
    task: Task | None
    notes: list[str]
    is_as_trained: bool = True

    @cached_property
    def earlier(self) -> list[Record]:
        """Eval records that are not among the rows; what is earlier than a row counts for it."""
        return not_among(self.held_out, self.rows)

    @property
    def answer_is_the_runs(self) -> bool:
        """Whether what is fitted here may be kept: to all that the run was trained on, and beside nothing else."""
        return self.is_as_trained and len(self.fitted) == len(self.train)

    @property
    def words(self) -> Words | None:
        """In which records speak of ratings, None where that is unknown."""
        return self.task.words if isinstance(self.task, RatingsTask) else None

    @property
    def drawn(self) -> bool:
        """Whether dislikes were drawn from items that their users had not taken, see `data.negatives`."""
        return isinstance(self.task, RatingsTask) and self.task.protocol.negatives > 0

    @cached_property
    def given(self) -> Given:
        """What baselines answer from."""
        short = isinstance(self.task, RatingsTask) and self.task.protocol.short_hints
        return Given(self.fitted, self.rows, self.labels, self.earlier, self.words, short)

    @cached_property
    def why_no_mix(self) -> str | None:
        """Why nothing can be fitted on eval rows, None if it can."""
        return why_no_fusion(self.fitted, self.tuned, self.rows)


def read_asked(folder: Path | str | None, config: RunConfig, data: Path | None, max_samples: int | None) -> Asked:
    """Read the records of an evaluation; arguments as of `likely.evaluation.evaluate`.

    Raises:
        LikelyError: a file cannot be read or holds something else.
    """
    labels, rows = labels_of(config), held_out_records(config, data, max_samples)
    train, task = split_records(config, "train"), task_in(folder, config)
    (train, everything, rows), notes = in_seconds([train, split_records(config, "eval"), rows])
    (train, everything, rows), of_histories = with_histories(train, everything, rows, labels)
    notes += of_histories
    fitted, held_out = counted_once(train, everything, rows)
    notes += unread_times([*train, *everything, *rows])
    notes += known_rows(train, rows, are_all_fitted=len(fitted) == len(train))
    if in_both := len(everything) - len(held_out):
        notes.append(f"{in_both:,} eval records are training records too, and count as these alone.")
    chosen_by = len(rows) - len(not_among(rows, everything)) if folder and config.eval_strategy != "no" else 0
    if chosen_by:
        notes.append(f"{chosen_by:,} rows are eval records, by which the checkpoint was chosen: that is in its favour.")
    tuned = subset_of_users(held_out, config.max_eval_samples, config.seed) if folder else []
    if not all(record.user_id for record in rows):
        notes.append("Not all rows have a user_id: intervals resample rows, and there is no UAUC and no GAUC.")
    changed = changed_since(Path(folder), config, data) if folder is not None else None
    notes += [changed] if changed else []
    return Asked(train, fitted, held_out, tuned, rows, labels, task, notes, changed is None)


def known_rows(train: Sequence[Record], rows: Sequence[Record], are_all_fitted: bool) -> list[str]:
    """Return how many rows are training records, if any, and what that means for their figures, in a sentence.

    Args:
        train: training records.
        rows: records to answer.
        are_all_fitted: whether counting is fitted to such rows too.
    """
    known = len(rows) - len(not_among(rows, train))
    if not known:
        return []
    if are_all_fitted:
        return [
            f"{known:,} rows are training records too, or of the user and item of one, whose answers baselines and "
            "adapter may know."
        ]
    return [
        f"{known:,} rows are training records too: the adapter may know their answers, and counting is fitted to the "
        "others."
    ]


def unread_times(records: Sequence[Record]) -> list[str]:
    """Return that a time cannot be read or is not there, which costs all records theirs, in a sentence with the first.

    Where no record has one there is nothing to say.
    """
    without = [record for record in records if times_of([record]) is None]
    if not without or all(record.extra.get(TIME) in (None, "") for record in records):
        return []
    such = f", such as {without[0].place}" if without[0].place else ""
    have = "have" if len(without) > 1 else "has"
    return [
        f"{len(without):,} of {len(records):,} records {have} no timestamp that can be read{such}, so the times of all "
        "count for nothing: the baselines that need them are left out."
    ]


def changed_since(folder: Path, config: RunConfig, data: Path | None = None) -> str | None:
    """Return how files differ from what a run was trained on, in a sentence or two; None where nothing tells.

    Rows of each part may ask something else, as after another `likely prepare`, and training rows may be others.

    Args:
        folder: of the run.
        config: names the files.
        data: rows in place of the test file.

    Raises:
        LikelyError: the run's task.json is damaged, or the data set is not found.
    """
    from likely.inference.trained_on import training_data_before

    files, task = files_of(config), task_in(folder, config)
    for path in (files.train, files.eval, data or files.test):
        asks = task_of(path, files.columns) if task and path and path.is_file() else None
        if task and asks and (differs := differences(task, asks)):
            how = ", ".join(differs)
            return f"{path} asks something else than the run was trained on ({how}), and figures on it are of that."
    if files.train is None or training_data_before(folder) in (None, content_of(files.train, files.columns)):
        return None
    return (
        f"{files.train} is another file than the run was trained on: counting is fitted to it, and the adapter may "
        "know answers of these rows."
    )


def task_in(folder: Path | str | None, config: RunConfig) -> Task | None:
    """Return what a run's records ask, or without a run those of its training file; None where nothing says so.

    Raises:
        LikelyError: the run's task.json is damaged, or the data set is not found.
    """
    if folder is not None:
        return read_task(Path(folder)) if (Path(folder) / TASK_FILE).exists() else None
    files = files_of(config)
    return task_of(files.train, files.columns) if files.train else None
