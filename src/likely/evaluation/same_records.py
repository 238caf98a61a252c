"""Baselines that know no more than the adapter does: fitted to the very records that it was trained on.

`run` enters them after the baselines that know all training records, where the adapter was trained on fewer.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from likely.config.run_config import RunConfig
from likely.data.records import Labels, Record
from likely.data.run_data import labels_of, training_file
from likely.data.task import CONFIG_FILE, METRICS_FILE
from likely.data.wording import Words
from likely.evaluation.baselines import BASELINES, WITH_HINTS, WITH_TIMES, baseline_systems
from likely.evaluation.contest import System
from likely.evaluation.features import likes_of
from likely.evaluation.metrics import auc
from likely.files import read_json

if TYPE_CHECKING:
    from likely.encoding.prompt import PromptBuilder

TREES = tuple(one.name for one in (*BASELINES, *WITH_HINTS, *WITH_TIMES) if one.name.startswith("boosted trees"))


def adapters_records(
    folder: Path, config: RunConfig, builder: "PromptBuilder", train: Sequence[Record]
) -> list[Record]:
    """Return the training records that an adapter has seen, up to the step whose weights it has.

    A run may choose fewer than there are (`max_samples`), stop before it has come to all of these, and keep weights of
    an earlier step than its last.

    Args:
        folder: of the run.
        config: names the training file. Which records of it were chosen, and their order, the run's own says.
        builder: of prompts, with its tokenizer; the run's own settings say how it was trained.
        train: all records of its training file.

    Returns:
        The records in the order of the file; none if it has seen all of them, or its metrics.json does not say.

    Raises:
        LikelyError: a record does not fit, or metrics.json is damaged.
    """
    from likely.encoding.cache import encode_file
    from likely.encoding.order import choose_runs, shared_runs, shuffled_groups, steps_of
    from likely.encoding.prompt import PromptBuilder
    from likely.inference.loaded_run import config_of

    if not (folder / METRICS_FILE).is_file():
        return []
    figures = read_json(folder / METRICS_FILE, "train again.")
    trained = figures.get("train", {})
    size, step = trained.get("step_size"), figures.get("best_step") or trained.get("steps")
    if size is None or step is None:
        return []
    own = config_of(folder) if (folder / CONFIG_FILE).is_file() else config
    all_chosen = own.max_samples is None or own.max_samples >= len(train)
    if all_chosen and step * size >= len(train):
        return []
    as_trained = PromptBuilder(builder.tokenizer, labels_of(own), own.cutoff_len, own.prompt_date)
    encoded = encode_file(*training_file(config), as_trained)
    chosen = choose_runs(shared_runs(encoded), own.max_samples, own.seed)
    runs = shared_runs([encoded[place] for place in chosen])
    steps = steps_of(shuffled_groups(runs, own.group_size, size, own.seed)(0), size)
    return [train[chosen[place]] for place in sorted(place for one in steps[:step] for place in one)]


def with_own_records(
    systems: Sequence[System],
    own: Sequence[Record],
    rows: Sequence[Record],
    labels: Labels,
    earlier: Sequence[Record] = (),
    words: Words | None = None,
) -> list[System]:
    """Return systems and, after their baselines, the best of these and boosted trees, fitted to fewer records.

    Args:
        systems: everybody, with baselines first, that know all training records.
        own: the records that the adapter was trained on.
        rows: records to answer.
        labels: which output is a like.
        earlier: see :func:`likely.evaluation.baselines.baseline_systems`.
        words: likewise.
    """
    liked = likes_of(rows, labels)
    baselines = [system for system in systems if system.kind == "baseline"]
    best = max(baselines, key=lambda system: auc(liked, system.p_yes))
    known = {system.name: system.p_yes for system in baselines}
    fewer = [
        replace(system, name=f"{system.name}, {len(own):,} records")
        for system in baseline_systems(own, rows, labels, earlier, words, only=known.keys() & {best.name, *TREES})[0]
        # One that fits nothing would say the same again.
        if not np.array_equal(system.p_yes, known[system.name])
    ]
    others = [system for system in systems if system.kind != "baseline"]
    return [*baselines, *fewer, *others]
