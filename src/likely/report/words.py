"""An evaluation's outcome in words, and how figures are spelled.

Takes a :class:`likely.evaluation.contest.Evaluation` or a run's metrics.json and gives plain text, which `page` and
`terminal` show.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from likely.evaluation.contest import Estimate, Evaluation, Kind, Ranking, Stratum, SystemResult
from likely.evaluation.metrics import METRICS, Metric

UNKNOWN = "–"
ROLES: Mapping[Kind, str] = {"adapter": "the adapter", "base": "the base model", "answer": "the run's answer"}
FEW_USERS = 10
"""Of fewer, weighed by their rows, intervals are too narrow: of five, one in eight excludes that there is nothing."""

AT_TEN = {"ndcg": "NDCG@10", "hit_rate": "HR@10", "recall": "Recall@10"}
"""What tables call the figures of a ranking."""

LOGGED = ("loss", "accuracy", "f1", "auc")
"""Metrics in a line of a training's log."""


def is_finite(value: Any) -> bool:
    """Whether a value is a number that can be shown; metrics.json has null for one that is not."""
    return isinstance(value, int | float) and math.isfinite(value)


def show(value: Any, digits: int = 3) -> str:
    """Return a figure with so many decimals, or a dash if it is missing or not finite."""
    return f"{value:.{digits}f}" if is_finite(value) else UNKNOWN


def show_signed(value: float, digits: int = 3) -> str:
    """Return a difference with its sign, a true minus among them.

    >>> show_signed(-0.0204), show_signed(0.03, 2)
    ('−0.020', '+0.03')
    """
    return f"{value:+.{digits}f}".replace("-", "−") if is_finite(value) else UNKNOWN


def show_metric(metric: Metric, value: Any, digits: int = 3) -> str:
    """Return a metric's figure, with so many decimals or as a percentage."""
    return f"{value:.1%}" if metric.in_percent and is_finite(value) else show(value, digits)


def show_interval(estimate: Estimate | None, digits: int = 2, signed: bool = False, between: str = "–") -> str:
    """Return the ends of an interval with something between them; nothing where they are unknown."""
    if estimate is None or estimate.interval is None:
        return ""
    return between.join((show_signed if signed else show)(end, digits) for end in estimate.interval)


def figures_line(figures: Mapping[str, Any], prefix: str = "") -> str:
    """Return the most telling metrics of a training in one line.

    >>> figures_line({"eval_loss": 0.6, "eval_auc": 0.75}, "eval_")
    'loss 0.6000  AUC 0.7500'
    """
    known = [METRICS[name] for name in LOGGED if prefix + name in figures]
    return "  ".join(f"{metric.label} {show_metric(metric, figures[prefix + metric.name], 4)}" for metric in known)


def resampled(evaluation: Evaluation) -> str:
    """Return what intervals resample: users, or rows where records do not say whose they are."""
    return "users" if evaluation.names_users else "rows"


def rows_of_users(evaluation: Evaluation) -> str:
    """Return how many rows there are, and of how many users where that is known."""
    rows = count(len(evaluation.records), "row")
    return f"{rows} of {count(len(set(evaluation.users)), 'user')}" if evaluation.names_users else rows


def count(number: int, noun: str) -> str:
    """Return a number of things, "1 user" or "1,234 users"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def uncorrected(evaluation: Evaluation) -> str:
    """Return how many comparisons there are and what that means; nothing where there is at most one."""
    number = evaluation.comparisons
    if number < 2:
        return ""
    return (
        f"In all there are {number:,} differences with intervals, which are not corrected for their number: where "
        "nothing differs, one in twenty still excludes 0."
    )


def stratum_name(stratum: Stratum, item: str) -> str:
    """Return which rows a stratum has, for a table.

    >>> stratum_name(Stratum("item", "0", 5, 2, {}, {}), "movie")
    'movie never seen in training'
    """
    who = item if stratum.of == "item" else "user"
    return f"{who} never seen in training" if stratum.label == "0" else f"{who} with {stratum.label} training rows"


def how_ranked(ranking: Ranking) -> str:
    """Return what was ranked among what, and what that means."""
    among = f"{ranking.others:,} other items{' drawn at random' if ranking.sampled else ', all that there are'}"
    said = (
        f"Likes of {count(ranking.users, 'user')} ranked among up to {among}, none of which the user had rated; "
        "intervals resample users."
    )
    sampled = (
        " Among drawn items figures are higher than among all, and systems may stand in another order (Krichene and "
        "Rendle, KDD 2020)."
    )
    return said + sampled if ranking.sampled else said


def outcome_sentences(evaluation: Evaluation) -> list[str]:
    """Return the outcome in words: the first entry is the answer, the others put it into perspective."""
    rows = rows_of_users(evaluation)
    adapters, bases, baselines = (evaluation.of_kind(kind) for kind in ("adapter", "base", "baseline"))
    if adapters:
        said = [_against_best(evaluation, result) for result in (*evaluation.of_kind("answer"), *adapters)]
        said[0] = f"On {rows} {said[0]}"
        said[1:] = map(_capitalized, said[1:])
        said[1:1] = [worth] if (worth := worth_of_model(evaluation)) else []
        said += [f"Before finetuning: AUC {_auc(result)}{_unanswered(result)}." for result in bases]
    else:
        said = [f"No adapter was scored on these {rows}. {_of_baselines(evaluation)}".strip()]
        said += [_capitalized(_against_best(evaluation, result)) for result in bases]
    given = [*evaluation.of_kind("fusion"), *evaluation.of_kind("given")]
    said += [_capitalized(_against_best(evaluation, result)) for result in given]
    if len(baselines) > 1 and (adapters or bases):
        said.append("The best baseline was picked on these same rows, which is a little in its favour.")
    return said


def worth_of_model(evaluation: Evaluation) -> str | None:
    """Return in a sentence what the language model adds to counting; None where that was not found out."""
    worth = evaluation.worth_of_model
    if worth is None or not worth.is_known:
        return None
    added = f"{show_signed(worth.value)} AUC"
    unknown = "how much of that is noise is unknown"
    if worth.interval is None:
        return f"The language model adds {added} to counting on these rows; {unknown}."
    added += f" ({show_interval(worth, 3, signed=True, between=' to ')})"
    if worth.low <= 0 <= worth.high:
        return f"The language model adds nothing beyond chance to counting on these rows: {added}."
    if not has_enough_users(evaluation):
        who = resampled(evaluation)
        return f"The language model adds {added} to counting on these rows; of so few {who} {unknown}."
    if worth.high < 0:
        return f"With the language model, counting is worse on these rows by more than chance: {added}."
    return f"The language model adds {added} to counting on these rows."


def _of_baselines(evaluation: Evaluation) -> str:
    best, number = evaluation.best_baseline_result, len(evaluation.of_kind("baseline"))
    if best is None or not best.estimate("auc").is_known:
        return ""
    if number == 1:
        return f"The only baseline, {best.system.name}, has an AUC of {_auc(best)}."
    return f"Of {number} baselines, {best.system.name} has the highest AUC, {_auc(best)}."


def _against_best(evaluation: Evaluation, result: SystemResult) -> str:
    """Return what a system's AUC is and whether it beats the best baseline, as the end of a sentence and more."""
    who, best, difference = name_in_prose(evaluation, result), evaluation.best_baseline_result, result.difference
    if not result.estimate("auc").is_known:
        return f"{who} has no AUC, because that takes rows of both answers."
    fact = f"{who} has an AUC of {_auc(result)}"
    if best is None:
        return f"{fact}; no baseline was scored beside it, so this says little."
    if difference is None or not difference.is_known:
        return f"{fact}; the best baseline is {best.system.name}."
    if round(abs(difference.value), 3) == 0:
        beside = "level with the best baseline"
    else:
        beside = f"{abs(difference.value):.3f} {'above' if difference.value > 0 else 'below'} the best baseline"
    return f"{fact}, {beside}, {best.system.name}. {_decision(evaluation, difference)}"


def _unanswered(result: SystemResult) -> str:
    """Return how often a model answers at all, for the end of a sentence; nothing where it nearly always does."""
    answered = result.metrics.get("answered", 1.0)
    return f", and one of the two answers to {answered:.1%} of the rows" if answered < 0.99 else ""


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def name_in_prose(evaluation: Evaluation, result: SystemResult) -> str:
    """Return what a sentence calls a system: by its role where nobody else has that, else by its name."""
    kind, name = result.system.kind, result.system.name
    if kind == "fusion":
        return f"the fusion “{name}”"
    return ROLES[kind] if kind in ROLES and len(evaluation.of_kind(kind)) == 1 else name


def has_enough_users(evaluation: Evaluation) -> bool:
    """Return whether rows are of so many users that intervals, which resample these, may be relied on."""
    return evaluation.effective_users >= FEW_USERS


def _decision(evaluation: Evaluation, difference: Estimate) -> str:
    """Return what the interval of a difference to the best baseline allows to say."""
    if difference.interval is None:
        return "How much of that is noise is unknown: to tell takes several users."
    interval = f"its 95% interval is {show_interval(difference, 3, signed=True, between=' to ')}"
    if difference.low <= 0 <= difference.high:
        return f"The difference is within noise: {interval}."
    if not has_enough_users(evaluation):
        unknown = "How much of that is noise is unknown"
        return f"{unknown}: {interval}, but of so few {resampled(evaluation)} it is too narrow."
    favour = "in its favour" if difference.low > 0 else "to its disadvantage"
    return f"The difference is more than noise, {favour}: {interval}."


def _auc(result: SystemResult) -> str:
    estimate = result.estimate("auc")
    interval = show_interval(estimate, 3, between=" to ")
    return f"{show(estimate.value)} (95% interval {interval})" if interval else show(estimate.value)


def training_sentences(metrics: Mapping[str, Any], beside_evaluation: bool) -> list[str]:
    """Return what a run's metrics.json says of its training; where there is no evaluation, a warning too."""
    trained = metrics.get("train") or {}
    opening = (
        f"Trained on {count(trained['records'], 'record')} in {count(trained['steps'], 'optimizer step')} "
        f"and {_duration(trained['seconds'])}. "
        if trained
        else ""
    )
    best = metrics.get("eval") or {}
    figures = [
        f"{article} {METRICS[name].label} of {show(best[f'eval_{name}'])}"
        for article, name in (("a", "loss"), ("an", "accuracy"), ("an", "auc"))
        if is_finite(best.get(f"eval_{name}"))
    ]
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
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
