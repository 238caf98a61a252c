"""A finished run as one page: `report.html` holds its drawings and styles itself and fetches nothing.

Takes what a run left in its folder (`facts`) and the evaluation of its adapter against baselines, where there was
one. `figures` draws, `words` and `systems_table` say, and `templates/page.html` lays it all out, with every text
escaped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from likely.data.question import read_question
from likely.data.records import Record
from likely.evaluation.contest import Evaluation, System
from likely.evaluation.groups import equal_groups, group_areas, history_lengths, popularity
from likely.files import replacing, writing
from likely.report import words
from likely.report.console import printable
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
        paragraphs=[" ".join(said) for said in (others, *rest, evaluation.notes if evaluation else ()) if said],
        **_trained(facts.metrics),
        evaluation=evaluation,
        **(_evaluated(evaluation, facts) if evaluation else {}),
    )
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as out:
        out.write(printable(page).encode("utf-8", "replace").decode())  # half a character becomes a question mark


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


def _evaluated(evaluation: Evaluation, facts: RunFacts) -> dict[str, Any]:
    """Return what the template shows of an evaluation beside its figures."""
    wanted = (evaluation.first_of(kind) for kind in ("answer", "adapter", "base"))
    drawn = [result.system for result in (*wanted, evaluation.best_baseline_result) if result]
    main, both = evaluation.main_result, evaluation.liked.any() and not evaluation.liked.all()
    terms = facts.terms
    source = "rows of this comparison" if facts.item_counts is None else "training records"
    popularities = popularity(evaluation.records, facts.item_counts)
    return {
        "drawn": [(system.kind, system.name) for system in drawn],
        "roc": roc_curves(evaluation.liked, drawn, terms) if drawn and both else None,
        "calibration": reliability(evaluation.liked, drawn, terms) if drawn else None,
        "spread": probability_histogram(evaluation.liked, main.system.p_yes, terms) if main else None,
        "main": words.name_in_prose(evaluation, main) if main else None,
        "by_history": _by_group(
            "history", "ratings in the history", evaluation, drawn, history_lengths(evaluation.records)
        ),
        "by_popularity": _by_group("popularity", f"{source} with the {terms.item}", evaluation, drawn, popularities),
        "strata": [(words.stratum_name(stratum, terms.item), stratum) for stratum in evaluation.strata],
        "at_ten": words.AT_TEN,
        "how_ranked": words.how_ranked(evaluation.ranking) if evaluation.ranking else None,
        "mistakes": _mistakes(evaluation),
        **table_values(evaluation),
    }


def _by_group(
    name: str, label: str, evaluation: Evaluation, drawn: Sequence[System], values: Sequence[int] | None
) -> str | None:
    """Draw AUC by a value that rows have, None where they do not differ in it."""
    groups = equal_groups(values) if values else []
    if len(groups) < 2 or not drawn:
        return None
    return group_figure(name, label, groups, list(zip(drawn, group_areas(evaluation, groups, drawn), strict=True)))


def _trained(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return loss and AUC over optimizer steps, as far as they were measured."""
    log, best = metrics.get("log") or [], metrics.get("best_step")
    curves = {"loss": "training", "eval_loss": "evaluation"}
    return {
        "loss": training_curves(log, curves, "loss at the answer (nats)", best),
        "area": training_curves(log, {"eval_auc": "evaluation"}, "AUC", best),
        "best_step": best,
    }


def _mistakes(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the rows of which the adapter was most certain, and wrong, and how many are wrong; None without one."""
    result = evaluation.first_of("adapter")
    if result is None:
        return None
    p_yes = result.system.p_yes
    wrong = np.flatnonzero((p_yes >= 0.5) != evaluation.liked)
    chosen = wrong[np.argsort(-np.abs(p_yes[wrong] - 0.5), kind="stable")][:MISTAKES]
    shown = [{"p_yes": p_yes[row], **_end_of_prompt(evaluation.records[row])} for row in chosen]
    return {"count": words.count(len(wrong), "row"), "shown": shown}


def _end_of_prompt(record: Record) -> dict[str, Any]:
    """Return the last lines that a model read, the place of the candidate among them, and the right answer."""
    asked = record.input or record.instruction
    question, lines = read_question(asked), asked.split("\n")
    candidate = question.before.count("\n") if question else len(lines)
    first = max(candidate - HISTORY_LINES, 0)
    user = "" if record.user_id is None else f", user {record.user_id}"
    return {"answer": record.output + user, "lines": lines[first:], "candidate": candidate - first}
