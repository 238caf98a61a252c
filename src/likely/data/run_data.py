"""The records that a run's configuration names: where they are, how they are labelled, and which are taken.

A part of a file is always of whole users: metrics per user need all of a user's rows, and these share most of their
prompts.

Reads files through `dataset_info` and `records` for `training`, `inference` and `evaluation`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from likely.config.run_config import RunConfig
from likely.data.dataset_info import Columns, DataFiles, find_data
from likely.data.records import Labels, Record, read_records
from likely.errors import LikelyError


def labels_of(config: RunConfig) -> Labels:
    """Return the two answers of a run."""
    return Labels(config.positive_label, config.negative_label)


def files_of(config: RunConfig) -> DataFiles:
    """Return the files of a run and the names of their columns, and what answers mean in them."""
    files = find_data(config.dataset_dir, config.dataset, config.train_file, config.eval_file, config.test_file)
    return replace(files, columns=replace(files.columns, label_map=config.label_map))


def training_file(config: RunConfig) -> tuple[Path, Columns]:
    """Return the training file and the names of its columns.

    Raises:
        LikelyError: no file is named.
    """
    files = files_of(config)
    if files.train is None:
        raise LikelyError("The configuration names no training file; set train_file or a dataset with one.")
    return files.train, files.columns


def check_both_answers(path: Path, positives: Iterable[bool], labels: Labels) -> None:
    """Check that a training file has something to learn from.

    Args:
        path: the file.
        positives: whether each of its records has the positive label.
        labels: the two answers.

    Raises:
        LikelyError: all records have the same answer.
    """
    counts = Counter(positives)
    if len(counts) == 1:
        ((is_positive, number),) = counts.items()
        only, other = (labels.positive, labels.negative)[:: 1 if is_positive else -1]
        raise LikelyError(
            f"All {number:,} training records of {path} answer {only}, so there is nothing to learn; give records that "
            f"answer {other} too."
        )


def training_records(config: RunConfig) -> list[Record]:
    """Return all records of the training file.

    Raises:
        LikelyError: no file is named, or it is missing or wrong.
    """
    path, columns = training_file(config)
    return read_records(path, labels_of(config), columns)


def evaluation_records(config: RunConfig) -> list[Record]:
    """Return the records that a training is evaluated on, `max_eval_samples` of whole users; none without evaluation.

    Raises:
        LikelyError: no file is named, it is missing or wrong, or its records cannot give the metric
            that chooses the best checkpoint.
    """
    if config.eval_strategy == "no":
        return []
    files = files_of(config)
    if files.eval is None:
        raise LikelyError("The configuration names no evaluation file; set eval_file or eval_strategy: no.")
    everything = read_records(files.eval, labels_of(config), files.columns)
    records = subset_of_users(everything, config.max_eval_samples, config.seed)
    if config.metric_for_best_model == "eval_auc" and len({record.output for record in records}) < 2:
        raise LikelyError(
            f"All {len(records)} evaluation records of {files.eval} have the same label, so there is no AUC; "
            "use other records or set metric_for_best_model=eval_loss."
        )
    return records


def held_out_records(config: RunConfig, data_file: Path | None, max_samples: int | None) -> list[Record]:
    """Return the records of a file, or of the run's test file, or where it names none of its evaluation file.

    Args:
        config: of the run.
        data_file: wins over the run's own files.
        max_samples: at most so many, of whole users; None for all.

    Raises:
        LikelyError: no file is named, or it is missing or wrong.
    """
    files = files_of(config)
    path = data_file or files.test or files.eval
    if path is None:
        raise LikelyError("The configuration names no test_file and no eval_file; name a file with --data.")
    return subset_of_users(read_records(path, labels_of(config), files.columns), max_samples, config.seed)


def split_records(config: RunConfig, split: Literal["train", "eval"]) -> list[Record]:
    """Return all records of the training or evaluation file; none where no such file is named.

    Raises:
        LikelyError: the file is missing or wrong.
    """
    files = files_of(config)
    path = files.train if split == "train" else files.eval
    return read_records(path, labels_of(config), files.columns) if path else []


def count_items(records: Sequence[Record]) -> Counter[str] | None:
    """Return how many records each item has; None where not all of them name theirs, or there are none."""
    items = [record.item_id for record in records if record.item_id is not None]
    return Counter(items) if items and len(items) == len(records) else None


def subset_of_users(records: Sequence[Record], maximum: int | None, seed: int) -> list[Record]:
    """Return at most `maximum` records: users in a random order, all records of one before the next.

    Only the last user taken may be cut short, to reach the number exactly. A record without a
    `user_id` counts as a user of its own. The records keep their order.

    Args:
        records: what to choose from.
        maximum: how many to keep; None keeps all.
        seed: of the order of users.

    Raises:
        LikelyError: `maximum` is below 1.
    """
    if maximum is not None and maximum < 1:
        raise LikelyError(f"max_samples is {maximum}; set it to 1 or more, or leave it out for all records.")
    if maximum is None or len(records) <= maximum:
        return list(records)
    users = np.array([record.user_id or f"row {row}" for row, record in enumerate(records)])
    names, user_of_row = np.unique(users, return_inverse=True)
    rank = np.random.default_rng(seed).permutation(len(names))
    by_user = np.argsort(rank[user_of_row], kind="stable")[:maximum]
    return [records[row] for row in np.sort(by_user)]
