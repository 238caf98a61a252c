"""A finished run as one page: `report.html` holds its drawings and styles itself and fetches nothing.

Takes what a run left in its folder (:func:`facts_of`) and the evaluation of its adapter against
baselines (`evaluation`), where there was one; `report_table` and `report_figures` make its parts.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from likely.data.records import Record
from likely.errors import LikelyError
from likely.evaluation.contest import Evaluation
from likely.evaluation.groups import Curve, drawn_curves, equal_groups, group_areas, history_lengths, item_counts
from likely.files import replacing
from likely.report.facts import RunFacts
from likely.report.figures import (
    group_figure,
    probability_histogram,
    reliability,
    roc_curves,
    training_curves,
)
from likely.report.html import escape, figure, legend_of, page, scrolling, section
from likely.report.systems_table import systems_table
from likely.report.words import (
    count,
    first_of,
    has_intervals,
    main_system,
    name_in_prose,
    outcome_sentences,
    resampled,
    training_sentences,
)

MISTAKES, HISTORY_LINES = 10, 4


def write_report(path: Path, facts: RunFacts, evaluation: Evaluation | None) -> None:
    """Write the page of a run, whole or not at all.

    Args:
        path: the HTML file.
        facts: of the run.
        evaluation: how its adapter, or whoever was scored, does beside baselines; None right after training.

    Raises:
        LikelyError: the file cannot be written.
    """
    parts = [_head(facts, evaluation)]
    if evaluation is not None:
        parts += [section("Contestants", systems_table(evaluation)), _probabilities(evaluation)]
    parts.append(_training(facts))
    if evaluation is not None:
        parts += [_groups(evaluation, facts.item_counts), _mistakes(evaluation)]
    if facts.saving:
        parts.append(section("What the layout saved", f"<p>{escape(facts.saving)}</p>"))
    parts.append(_configuration(facts))
    text = page(f"{facts.title} · likely", "\n".join(part for part in parts if part))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as out:
            out.write(text)
    except OSError as error:
        raise LikelyError(f"The report {path} cannot be written ({error.strerror}); choose another file.") from error


def _head(facts: RunFacts, evaluation: Evaluation | None) -> str:
    outcome = outcome_sentences(evaluation) if evaluation is not None else []
    training = training_sentences(facts.metrics, evaluation is not None) if facts.metrics is not None else []
    if not outcome and not training:
        outcome = ["Nothing was trained or scored yet."]
    (lead, *others), *rest = [outcome, training] if outcome else [training]
    paragraphs = f'<p class="lead">{escape(lead)}</p>\n' + "".join(
        f"<p>{escape(' '.join(sentences))}</p>\n" for sentences in [others, *rest] if sentences
    )
    return (
        f'<header>\n<h1>{escape(facts.title)}</h1>\n<p class="made">Will this user like this movie? · '
        f'{escape(facts.made)}</p>\n<div class="summary">\n{paragraphs}</div>\n</header>'
    )


def _probabilities(evaluation: Evaluation) -> str:
    """Return ROC curves, calibration, and a histogram of whom the report is about."""
    lines = drawn_curves(evaluation)
    if not lines:
        return ""
    legend = _legend(lines)
    drawn = []
    if evaluation.liked.any() and not evaluation.liked.all():
        drawn.append(
            figure(
                "ROC curves",
                roc_curves(evaluation.liked, lines),
                "How many of the liked rows stand above a threshold of P(Yes), for how many others. "
                "The diagonal is chance.",
                legend,
            )
        )
    drawn.append(
        figure(
            "Calibration",
            reliability(evaluation.liked, lines),
            "A dot is up to a tenth of the rows, by P(Yes). On the diagonal, probabilities are true to their word.",
            legend,
        )
    )
    main = main_system(evaluation)
    if main is not None:
        drawn.append(
            figure(
                "Spread of P(Yes)",
                probability_histogram(evaluation.liked, main.system.p_yes),
                f"Rows by P(Yes) of {name_in_prose(evaluation, main)}: upwards those that were liked, downwards the "
                "others. The vertical line is 0.5.",
                legend_of([("liked", "liked"), ("other", "not liked")]),
            )
        )
    return section("Probabilities", _grid(drawn))


def _training(facts: RunFacts) -> str:
    if facts.metrics is None:
        return ""
    log, best = facts.metrics.get("log") or [], facts.metrics.get("best_step")
    loss = training_curves(log, {"loss": "training", "eval_loss": "evaluation"}, "loss at the answer (nats)", best)
    area = training_curves(log, {"eval_auc": "evaluation"}, "AUC", best)
    mark = "" if best is None else " The vertical line is the best evaluation, whose weights were kept."
    drawn = []
    if loss:
        legend = legend_of([("training", "training"), ("evaluation", "evaluation")])
        drawn.append(figure("Loss", loss, f"Mean over the tokens of the answer.{mark}", legend))
    if area:
        drawn.append(figure("AUC of the evaluations", area, f"On the evaluation rows, during training.{mark}"))
    return section("Training", _grid(drawn)) if drawn else ""


def _groups(evaluation: Evaluation, training_counts: Mapping[str, int] | None) -> str:
    """Return AUC by history length and popularity, as far as rows differ in them."""
    lines = drawn_curves(evaluation)
    source = "training records" if training_counts is not None else "rows of this comparison"
    kinds = [
        ("history", "By history length", "ratings in the history", history_lengths(evaluation)),
        (
            "popularity",
            "By popularity of the movie",
            f"{source} with the movie",
            item_counts(evaluation, training_counts),
        ),
    ]
    drawn = []
    for name, heading, label, values in kinds:
        groups = equal_groups(values) if values else []
        if lines and len(groups) > 1:
            areas = list(zip(lines, group_areas(evaluation, groups, lines), strict=True))
            intervals = (
                f", with 95% intervals by resampling {resampled(evaluation)}" if has_intervals(evaluation) else ""
            )
            caption = f"In each group from left to right{intervals}; 0.5 is chance."
            drawn.append(
                figure(heading, group_figure(name, label, groups, areas), caption, _legend(lines, symbols=True))
            )
    return section("Where it ranks well", _grid(drawn)) if drawn else ""


def _mistakes(evaluation: Evaluation) -> str:
    """Return the rows of which the adapter was most certain, and wrong."""
    result = first_of(evaluation, "adapter")
    if result is None:
        return ""
    p_yes = result.system.p_yes
    wrong = np.flatnonzero((p_yes >= 0.5) != evaluation.liked)
    if not len(wrong):
        return section("Most confident mistakes", "<p>There are none: P(Yes) is on the right side of every row.</p>")
    chosen = wrong[np.argsort(-np.abs(p_yes[wrong] - 0.5), kind="stable")][:MISTAKES]
    intro = (
        f"Of {count(len(wrong), 'row')} on the wrong side of P(Yes) = 0.5, the {len(chosen)} furthest from it, "
        "with the end of what the model read."
    )
    items = "\n".join(_mistake(evaluation.records[row], float(p_yes[row])) for row in chosen)
    return section("Most confident mistakes", f'<p>{intro}</p>\n<ol class="mistakes">\n{items}\n</ol>')


def _mistake(record: Record, p_yes: float) -> str:
    lines = (record.input or record.instruction).splitlines()
    candidate = next((place for place, line in enumerate(lines) if line.startswith("Candidate: ")), len(lines))
    spans = "".join(
        f'<span class="line{" candidate" if place == candidate else ""}">{escape(line)}</span>'
        for place, line in enumerate(lines)
        if place >= candidate - HISTORY_LINES
    )
    user = f", user {record.user_id}" if record.user_id is not None else ""
    return f"<li><p><strong>P(Yes) {p_yes:.3f}</strong>, answer {escape(record.output + user)}</p>{spans}</li>"


def _configuration(facts: RunFacts) -> str:
    config = yaml.safe_dump(dict(facts.config), sort_keys=False, allow_unicode=True)
    pre = scrolling(f"<pre>{escape(config)}</pre>", "Configuration")
    parts = [f"<details>\n<summary>Resolved configuration</summary>\n{pre}\n</details>"] if facts.config else []
    if facts.versions:
        versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
        parts.append(f"<p>{escape(versions)}</p>")
    return section("Configuration and versions", "\n".join(parts)) if parts else ""


def _legend(lines: list[Curve], symbols: bool = False) -> str:
    return legend_of([(line.kind, line.name) for line in lines], symbols)


def _grid(figures: list[str]) -> str:
    return '<div class="figures">\n' + "\n".join(figures) + "\n</div>"
