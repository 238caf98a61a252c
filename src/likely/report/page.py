"""A finished run as one page: `report.html` holds its drawings and styles itself and fetches nothing.

Takes what a run left in its folder (`facts`) and the evaluation of its adapter against baselines, where there was
one. `figures` draws, `words` and `systems_table` say, and `templates/page.html` lays it all out, with every text
escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from likely.data.records import Record
from likely.errors import LikelyError
from likely.evaluation.contest import Evaluation, System
from likely.evaluation.groups import equal_groups, group_areas, history_lengths, popularity
from likely.files import replacing
from likely.report import words
from likely.report.facts import RunFacts
from likely.report.figures import (
    DASHES,
    group_figure,
    probability_histogram,
    reliability,
    roc_curves,
    training_curves,
)
from likely.report.systems_table import spoken, table_values

MISTAKES, HISTORY_LINES = 10, 4


@dataclass(frozen=True)
class Figure:
    """A drawing on the page.

    Attributes:
        heading: above it.
        svg: as `figures` gives it.
        caption: below it.
        legend: kind, as in `figures.DASHES`, and name of what is drawn.
        symbols: whether the drawing has dots instead of lines.
    """

    heading: str
    svg: str
    caption: str
    legend: Sequence[tuple[str, str]] = ()
    symbols: bool = False


@dataclass(frozen=True)
class Mistake:
    """A row on the wrong side of P(Yes) = 0.5.

    Attributes:
        p_yes: of the adapter.
        answer: the right one, and the user where it is known.
        lines: end of what the model read.
        candidate: place of the candidate among them.
    """

    p_yes: float
    answer: str
    lines: Sequence[str]
    candidate: int


def write_report(path: Path, facts: RunFacts, evaluation: Evaluation | None) -> None:
    """Write the page of a run, whole or not at all.

    Args:
        path: the HTML file.
        facts: of the run.
        evaluation: how its adapter, or whoever was scored, does beside baselines; None right after training.

    Raises:
        LikelyError: the file cannot be written.
    """
    outcome = words.outcome_sentences(evaluation) if evaluation else []
    training = words.training_sentences(facts.metrics, evaluation is not None) if facts.metrics else []
    (lead, *others), *rest = [said for said in (outcome, training) if said] or [["Nothing was trained or scored yet."]]
    page = _template().render(
        facts=facts,
        lead=lead,
        paragraphs=[" ".join(said) for said in (others, *rest) if said],
        training=_training(facts.metrics),
        evaluation=evaluation,
        **(_evaluated(evaluation, facts.item_counts) if evaluation else {}),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as out:
            out.write(page.encode("utf-8", "replace").decode())  # half a character becomes a question mark
    except OSError as error:
        raise LikelyError(f"The report {path} cannot be written ({error.strerror}); choose another file.") from error


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("likely.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = (words.show, words.show_interval, words.show_metric, words.show_signed, spoken)
    environment.globals |= {"dashes": DASHES, **{function.__name__: function for function in shown}}
    environment.filters["yaml"] = lambda values: yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    return environment.get_template("page.html")


def _evaluated(evaluation: Evaluation, training_counts: Mapping[str, int] | None) -> dict[str, Any]:
    """Return what the template says and draws of an evaluation."""
    wanted = (evaluation.first_of("adapter"), evaluation.first_of("base"), evaluation.best_baseline_result)
    drawn = [result.system for result in wanted if result]
    return {
        "probabilities": _probabilities(evaluation, drawn) if drawn else [],
        "groups": _groups(evaluation, drawn, training_counts) if drawn else [],
        "mistakes": _mistakes(evaluation),
        **table_values(evaluation),
    }


def _probabilities(evaluation: Evaluation, drawn: Sequence[System]) -> list[Figure]:
    """Return ROC curves, calibration, and a histogram of whom the report is about."""
    legend, figures = _legend(drawn), []
    if evaluation.liked.any() and not evaluation.liked.all():
        caption = (
            "How many of the liked rows stand above a threshold of P(Yes), for how many others. The diagonal is chance."
        )
        figures.append(Figure("ROC curves", roc_curves(evaluation.liked, drawn), caption, legend))
    caption = "A dot is up to a tenth of the rows, by P(Yes). On the diagonal, probabilities are true to their word."
    figures.append(Figure("Calibration", reliability(evaluation.liked, drawn), caption, legend))
    main = evaluation.main_result
    assert main is not None
    caption = (
        f"Rows by P(Yes) of {words.name_in_prose(evaluation, main)}: upwards those that were liked, downwards the "
        "others. The vertical line is 0.5."
    )
    histogram = probability_histogram(evaluation.liked, main.system.p_yes)
    figures.append(Figure("Spread of P(Yes)", histogram, caption, [("liked", "liked"), ("other", "not liked")]))
    return figures


def _training(metrics: Mapping[str, Any]) -> list[Figure]:
    """Return loss and AUC over optimizer steps, as far as they were measured."""
    log, best = metrics.get("log") or [], metrics.get("best_step")
    loss = training_curves(log, {"loss": "training", "eval_loss": "evaluation"}, "loss at the answer (nats)", best)
    area = training_curves(log, {"eval_auc": "evaluation"}, "AUC", best)
    mark = "" if best is None else " The vertical line is the best evaluation, whose weights were kept."
    figures = []
    if loss:
        legend = [("training", "training"), ("evaluation", "evaluation")]
        figures.append(Figure("Loss", loss, f"Mean over the tokens of the answer.{mark}", legend))
    if area:
        caption = f"On the evaluation rows, during training.{mark}"
        figures.append(Figure("AUC of the evaluations", area, caption))
    return figures


def _groups(evaluation: Evaluation, drawn: Sequence[System], training_counts: Mapping[str, int] | None) -> list[Figure]:
    """Return AUC by history length and popularity, as far as rows differ in them."""
    source = "training records" if training_counts is not None else "rows of this comparison"
    kinds = {
        ("history", "By history length", "ratings in the history"): history_lengths(evaluation.records),
        ("popularity", "By popularity of the movie", f"{source} with the movie"): popularity(
            evaluation.records, training_counts
        ),
    }
    intervals = f", with 95% intervals by resampling {words.resampled(evaluation)}" if evaluation.has_intervals else ""
    caption = f"In each group from left to right{intervals}; 0.5 is chance."
    figures = []
    for (name, heading, label), values in kinds.items():
        groups = equal_groups(values) if values else []
        if len(groups) > 1:
            areas = list(zip(drawn, group_areas(evaluation, groups, drawn), strict=True))
            svg = group_figure(name, label, groups, areas)
            figures.append(Figure(heading, svg, caption, _legend(drawn), symbols=True))
    return figures


def _mistakes(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the rows of which the adapter was most certain, and wrong, and a sentence on them; None without one."""
    result = evaluation.first_of("adapter")
    if result is None:
        return None
    p_yes = result.system.p_yes
    wrong = np.flatnonzero((p_yes >= 0.5) != evaluation.liked)
    chosen = wrong[np.argsort(-np.abs(p_yes[wrong] - 0.5), kind="stable")][:MISTAKES]
    summary = "There are none: P(Yes) is on the right side of every row."
    if len(wrong):
        summary = (
            f"Of {words.count(len(wrong), 'row')} on the wrong side of P(Yes) = 0.5, the {len(chosen)} furthest from "
            "it, with the end of what the model read."
        )
    return {"summary": summary, "rows": [_mistake(evaluation.records[row], float(p_yes[row])) for row in chosen]}


def _mistake(record: Record, p_yes: float) -> Mistake:
    lines = (record.input or record.instruction).splitlines()
    candidate = next((place for place, line in enumerate(lines) if line.startswith("Candidate: ")), len(lines))
    first = max(candidate - HISTORY_LINES, 0)
    user = "" if record.user_id is None else f", user {record.user_id}"
    return Mistake(p_yes, record.output + user, lines[first:], candidate - first)


def _legend(systems: Sequence[System]) -> list[tuple[str, str]]:
    return [(system.kind, system.name) for system in systems]
