"""Baselines that know no more than the adapter does: fitted to the very records that it was trained on.

`run` enters them after the baselines that know all training records, where the adapter was trained on fewer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from likely.config.run_config import RunConfig
from likely.data.records import Labels, Record
from likely.data.run_data import training_file
from likely.data.wording import Words
from likely.evaluation.baselines import BASELINES, WITH_HINTS, WITH_TIMES, baseline_systems
from likely.evaluation.contest import System
from likely.evaluation.features import likes_of
from likely.evaluation.metrics import auc

if TYPE_CHECKING:
    from likely.encoding.prompt import PromptBuilder

TREES = tuple(one.name for one in (*BASELINES, *WITH_HINTS, *WITH_TIMES) if one.name.startswith("boosted trees"))


def adapters_records(config: RunConfig, builder: "PromptBuilder", train: Sequence[Record]) -> list[Record]:
    """Return the training records that a run's `max_samples` chose; none if it chose all of them.

    Args:
        config: of the run.
        builder: its prompts, by whose tokens records are chosen.
        train: all records of its training file.

    Raises:
        LikelyError: a record does not fit.
    """
    from likely.encoding.cache import encode_file
    from likely.encoding.order import choose_runs, shared_runs

    if config.max_samples is None or config.max_samples >= len(train):
        return []
    encoded = encode_file(*training_file(config), builder)
    return [train[place] for place in choose_runs(shared_runs(encoded), config.max_samples, config.seed)]


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
    best = max(baselines, key=lambda system: auc(liked, system.p_yes) if 0 < liked.mean() < 1 else 0.0)
    known = {system.name: system.p_yes for system in baselines}
    fewer = [
        replace(system, name=f"{system.name}, {len(own):,} records")
        for system in baseline_systems(own, rows, labels, earlier, words, only=(best.name, *TREES))[0]
        # One that fits nothing would say the same again.
        if not np.array_equal(system.p_yes, known[system.name])
    ]
    others = [system for system in systems if system.kind != "baseline"]
    return [*baselines, *fewer, *others]
