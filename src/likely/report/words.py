"""A contest's outcome in words, and how its figures are spelled.

Takes a :class:`likely.evaluation.contest.Evaluation` or a run's metrics.json and gives plain text, which
`html_report` and `report_table` put on their page.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from likely.evaluation.contest import Evaluation, Kind, SystemResult

UNKNOWN = "–"
ROLES: Mapping[Kind, str] = {"adapter": "the adapter", "base": "the base model"}


def show(value: Any, digits: int = 3) -> str:
    """Return a figure with so many decimals, or a dash if it is missing or not finite."""
    return f"{value:.{digits}f}" if is_finite(value) else UNKNOWN


def show_signed(value: float, digits: int = 3) -> str:
    """Return a difference with its sign, a true minus among them.

    >>> show_signed(-0.0204), show_signed(0.03, 2)
    ('−0.020', '+0.03')
    """
    return f"{value:+.{digits}f}".replace("-", "−") if is_finite(value) else UNKNOWN


def is_finite(value: Any) -> bool:
    """Whether a value is a number that can be shown; metrics.json has null for one that is not."""
    return isinstance(value, int | float) and math.isfinite(value)


def has_intervals(evaluation: Evaluation) -> bool:
    """Whether resampling users says anything: of a single user, every resample is the same rows."""
    return len(set(evaluation.users)) > 1


def resampled(evaluation: Evaluation) -> str:
    """Return what intervals resample: users, or rows where records do not say whose they are."""
    return "users" if all(record.user_id for record in evaluation.records) else "rows"


def rows_of_users(evaluation: Evaluation) -> str:
    """Return how many rows there are, and of how many users where that is known."""
    rows = count(len(evaluation.records), "row")
    return f"{rows} of {count(len(set(evaluation.users)), 'user')}" if resampled(evaluation) == "users" else rows


def count(number: int, noun: str) -> str:
    """Return a number of things, "1 user" or "1,234 users"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def first_of(evaluation: Evaluation, kind: Kind) -> SystemResult | None:
    """Return the first system of a kind, None without any."""
    return next((result for result in evaluation.results if result.system.kind == kind), None)


def best_baseline(evaluation: Evaluation) -> SystemResult | None:
    """Return the baseline that the others are measured against, None without baselines."""
    baselines = (result for result in evaluation.results if result.system.kind == "baseline")
    return next((result for result in baselines if result.system.name == evaluation.best_baseline), None)


def main_system(evaluation: Evaluation) -> SystemResult | None:
    """Return whom the report is about: the adapter, else the base model, else the best baseline."""
    return first_of(evaluation, "adapter") or first_of(evaluation, "base") or best_baseline(evaluation)


def outcome_sentences(evaluation: Evaluation) -> list[str]:
    """Return the outcome in words: the first entry is the answer, the others put it into perspective."""
    rows = rows_of_users(evaluation)
    by_kind = {kind: [result for result in evaluation.results if result.system.kind == kind] for kind in get_args(Kind)}
    adapters, bases = by_kind["adapter"], by_kind["base"]
    best = best_baseline(evaluation)
    if adapters:
        said = [_against_best(evaluation, result, best) for result in adapters]
        said[0] = f"On {rows} {said[0]}"
        said[1:] = map(_capitalized, said[1:])
        said += [f"Before finetuning: AUC {_auc(evaluation, result)}{_unanswered(result)}." for result in bases]
    else:
        of_baselines = _of_baselines(evaluation, best, len(by_kind["baseline"]))
        said = [f"No adapter was scored on these {rows}. {of_baselines}".strip()]
        said += [_capitalized(_against_best(evaluation, result, best)) for result in bases]
    said += [_capitalized(_against_best(evaluation, result, best)) for result in by_kind["fusion"]]
    if len(by_kind["baseline"]) > 1 and (adapters or bases):
        said.append("The best baseline was picked on these same rows, which is a little in its favour.")
    return said


def _of_baselines(evaluation: Evaluation, best: SystemResult | None, number: int) -> str:
    if best is None or not is_finite(best.metrics.get("auc")):
        return ""
    if number == 1:
        return f"The only baseline, {best.system.name}, has an AUC of {_auc(evaluation, best)}."
    return f"Of {number} baselines, {best.system.name} has the highest AUC, {_auc(evaluation, best)}."


def _against_best(evaluation: Evaluation, result: SystemResult, best: SystemResult | None) -> str:
    """Return what a system's AUC is and whether it beats the best baseline, as the end of a sentence and more."""
    who = name_in_prose(evaluation, result)
    if not is_finite(result.metrics.get("auc")):
        return f"{who} has no AUC, because that takes liked rows and others."
    fact = f"{who} has an AUC of {_auc(evaluation, result)}"
    if best is None:
        return f"{fact}; no baseline was scored beside it, so this says little."
    if result.difference is None or not is_finite(result.difference[0]):
        return f"{fact}; the best baseline is {best.system.name}."
    difference, low, high = result.difference
    if round(abs(difference), 3) == 0:
        beside = "level with the best baseline"
    else:
        beside = f"{abs(difference):.3f} {'above' if difference > 0 else 'below'} the best baseline"
    return f"{fact}, {beside}, {best.system.name}. {_decision(evaluation, low, high)}"


def _unanswered(result: SystemResult) -> str:
    """Return how often a model answers at all, for the end of a sentence; nothing where it nearly always does."""
    answered = result.metrics.get("answered", 1.0)
    return f", and an answer of Yes or No to {answered:.1%} of the rows" if answered < 0.99 else ""


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def name_in_prose(evaluation: Evaluation, result: SystemResult) -> str:
    """Return what a sentence calls a system: by its role where nobody else has that, else by its name."""
    kind, name = result.system.kind, result.system.name
    if kind == "fusion":
        return f"the fusion “{name}”"
    namesakes = sum(other.system.kind == kind for other in evaluation.results)
    return ROLES[kind] if kind in ROLES and namesakes == 1 else name


def _decision(evaluation: Evaluation, low: float, high: float) -> str:
    """Return what the interval of a difference to the best baseline allows to say."""
    if not has_intervals(evaluation) or not is_finite(low) or not is_finite(high):
        return "How much of that is noise is unknown: to tell takes several users."
    interval = f"its 95% interval is {show_signed(low)} to {show_signed(high)}"
    if low > 0:
        return f"The difference is more than noise, in its favour: {interval}."
    if high < 0:
        return f"The difference is more than noise, to its disadvantage: {interval}."
    return f"The difference is within noise: {interval}."


def _auc(evaluation: Evaluation, result: SystemResult) -> str:
    interval = interval_of(evaluation, result, "auc")
    shown = show(result.metrics.get("auc"))
    return f"{shown} (95% interval {interval[0]:.3f} to {interval[1]:.3f})" if interval else shown


def interval_of(evaluation: Evaluation, result: SystemResult, metric: str) -> tuple[float, float] | None:
    """Return the 95% interval of a metric, None where it is unknown or means nothing."""
    low, high = result.intervals.get(metric, (math.nan, math.nan))
    return (low, high) if has_intervals(evaluation) and is_finite(low) and is_finite(high) else None


def training_sentences(metrics: Mapping[str, Any], beside_evaluation: bool) -> list[str]:
    """Return what a run's metrics.json says of its training; where there is no evaluation, a warning too."""
    trained = metrics.get("train") or {}
    opening = (
        f"Trained on {count(trained['records'], 'record')} in {count(trained['steps'], 'optimizer step')} "
        f"and {_duration(trained['seconds'])}. "
        if trained
        else ""
    )
    names = {"eval_loss": "a loss of", "eval_accuracy": "an accuracy of", "eval_auc": "an AUC of"}
    best = metrics.get("eval") or {}
    figures = [f"{words} {show(best[name])}" for name, words in names.items() if is_finite(best.get(name))]
    if not figures:
        return [f"{opening}Not evaluated during training."]
    said = [f"{opening}The best evaluation, at step {metrics.get('best_step')}, has {_listed(figures)}."]
    if not beside_evaluation:
        said.append(
            "The checkpoint was chosen by these very rows, so expect a little less on others; "
            "nothing says yet whether a simple baseline does as well."
        )
    return said


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.1f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
