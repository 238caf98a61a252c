"""The run's answer in an evaluation: what counting and the adapter say together, and beside it counting alone.

`run` gives the adapter's answers and enters both beside the other systems, so that their difference, on the same rows,
is what the language model is worth. What is fitted here is what `blend` keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likely.data.records import Record
from likely.data.task import RatingsTask, Task
from likely.evaluation.contest import System
from likely.evaluation.counting import Counting, fit_counting
from likely.evaluation.features import has_history_counts, likes_of, log_odds
from likely.evaluation.given import HISTORIES, Given
from likely.evaluation.metrics import auc, log_loss
from likely.evaluation.stacking import Stack, fit_stack
from likely.model.answers import FloatRows

ANSWER, ALONE = "the run's answer", "counting alone"


@dataclass(frozen=True)
class Fitted:
    """What was fitted on eval rows.

    Attributes:
        counting: its parts.
        alone: weights of these parts.
        together: weights of these parts and, last, the adapter.
        rows: that the weights were fitted on.
        users: whose rows they are.
        figures: AUC and log-loss of both on these very rows, for which they are a little too good.
    """

    counting: Counting
    alone: Stack
    together: Stack
    rows: int
    users: int
    figures: dict[str, float]


def why_no_answer(given: Given, task: Task | None) -> str | None:
    """Return why counting cannot be kept, None if it can; that something can be fitted on eval rows is given.

    Args:
        given: as of :func:`the_answer`.
        task: what the records ask.
    """
    if not isinstance(task, RatingsTask):
        return "nothing says how the records speak of ratings"
    if task.protocol.negatives:
        return "their dislikes were drawn, and a history that is to be ranked for has likes alone"
    if not given.has_times:
        return "it needs a timestamp in every record"
    lacking = given.lacking | (set() if has_history_counts(given.earlier) else {HISTORIES})
    return f"it needs {', '.join(sorted(lacking))}" if lacking else None


def the_answer(
    given: Given, tuned: Sequence[Record], task: RatingsTask, adapter: tuple[FloatRows, FloatRows]
) -> tuple[list[System], Fitted]:
    """Stack log-odds of counting and of the adapter, with weights that are fitted on eval rows (Wolpert, 1992).

    Args:
        given: training records, to which the parts of counting are fitted, records to answer, and as the earlier ones
            all eval records; what `baselines` has already made of it is taken up.
        tuned: those of the eval records to which the weights are fitted.
        task: what they ask; :func:`why_no_answer` has no objection.
        adapter: P(Yes) of the adapter for `tuned` and for the rows, float64 each.

    Returns:
        Counting alone and the run's answer, and what is kept of them.
    """
    counting, said = fit_counting(given, task.words)
    places = {id(record): place for place, record in enumerate(given.earlier)}
    on_tuned, on_rows = said[[places[id(record)] for record in tuned]], said[len(given.earlier) :]
    with_adapter = [
        np.column_stack([parts, log_odds(of_adapter)])
        for parts, of_adapter in zip((on_tuned, on_rows), adapter, strict=True)
    ]
    liked = likes_of(tuned, given.labels)
    alone, together = fit_stack(liked, on_tuned), fit_stack(liked, with_adapter[0])
    figures: dict[str, float] = {}
    for name, p_yes in (("answer", together.p_yes(with_adapter[0])), ("counting", alone.p_yes(on_tuned))):
        figures |= {f"{name}_auc": auc(liked, p_yes), f"{name}_log_loss": log_loss(liked, p_yes)}
    users = len({record.user_id for record in tuned})
    systems = [
        System.from_probabilities(ALONE, "counting", alone.p_yes(on_rows)),
        System.from_probabilities(ANSWER, "answer", together.p_yes(with_adapter[1])),
    ]
    return systems, Fitted(counting, alone, together, len(tuned), users, figures)
