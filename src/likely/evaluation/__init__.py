"""Everybody on the same rows: baselines, fusions, metrics and intervals."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.evaluation.contest import Evaluation as Evaluation
    from likely.evaluation.contest import judge as judge
    from likely.evaluation.metrics import answer_metrics as answer_metrics

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.evaluation.contest": ["Evaluation", "judge"],
        "likely.evaluation.metrics": ["answer_metrics"],
    },
)
